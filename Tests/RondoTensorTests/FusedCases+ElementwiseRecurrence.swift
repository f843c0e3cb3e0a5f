import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/ElementwiseRecurrence` at odd sizes.
    static func elementwiseRecurrence(_ dtype: DType) throws -> [FusedCase] { [] }
}

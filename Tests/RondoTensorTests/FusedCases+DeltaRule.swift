import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/DeltaRule` at odd sizes.
    static func deltaRule(_ dtype: DType) throws -> [FusedCase] { [] }
}

import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/Attention` at odd sizes.
    static func attention(_ dtype: DType) throws -> [FusedCase] { [] }
}

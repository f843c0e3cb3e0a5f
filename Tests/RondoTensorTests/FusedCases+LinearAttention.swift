import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/LinearAttention` at odd sizes.
    static func linearAttention(_ dtype: DType) throws -> [FusedCase] { [] }
}

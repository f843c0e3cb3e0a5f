import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/LongConvolution` at odd sizes.
    static func longConvolution(_ dtype: DType) throws -> [FusedCase] { [] }
}

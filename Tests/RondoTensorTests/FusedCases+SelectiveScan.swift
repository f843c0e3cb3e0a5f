import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/SelectiveScan` at odd sizes.
    static func selectiveScan(_ dtype: DType) throws -> [FusedCase] { [] }
}

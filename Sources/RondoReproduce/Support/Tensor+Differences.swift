import RondoTensor

extension Tensor {
    /// The largest absolute difference of two tensors of one shape; NaN if there is one.
    func largestDifference(from other: Tensor) throws -> Double {
        guard count > 0 else { return 0 }
        return try (cast(to: .float64) - other.cast(to: .float64)).abs().max().scalar()
    }

    /// The largest absolute difference as a share of the other's largest absolute value.
    func relativeDifference(from other: Tensor) throws -> Double {
        guard count > 0 else { return 0 }
        return try largestDifference(from: other) / Swift.max(other.cast(to: .float64).abs().max().scalar(), 1e-300)
    }

    /// How many numbers are not the same, bit patterns of NaN aside.
    func differences(from other: Tensor) throws -> Double {
        try notEqual(to: other).cast(to: .float64).sum().scalar()
    }
}

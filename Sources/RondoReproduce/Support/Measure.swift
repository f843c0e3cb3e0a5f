import RondoTensor

/// Comparisons of tensors that several experiments make.
enum Measure {
    /// The largest difference as a share of the largest expected value.
    static func relativeError(_ actual: Tensor, _ expected: Tensor) throws -> Double {
        let difference = try (actual.cast(to: .float64) - expected.cast(to: .float64)).abs().max().scalar()
        return difference / (try expected.cast(to: .float64).abs().max().scalar())
    }

    /// How many numbers are not the same.
    static func differences(_ actual: Tensor, _ expected: Tensor) throws -> Double {
        try actual.notEqual(to: expected).cast(to: .float64).sum().scalar()
    }

    /// The shortest time of some runs, in seconds.
    static func seconds(runs: Int = 3, _ body: () throws -> Void) rethrows -> Double {
        var best = Double.infinity
        for _ in 0..<runs {
            let start = ContinuousClock.now
            try body()
            let (seconds, fraction) = (ContinuousClock.now - start).components
            best = min(best, Double(seconds) + Double(fraction) * 1e-18)
        }
        return best
    }
}

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A straight line in logarithms, ppl = eᵃ hᵇ: how perplexity falls with compute h (Stanić et al., 2023).
public struct ScalingFit: Codable, Sendable, Equatable {
    /// The logarithm of the perplexity at one unit of compute.
    public var a: Double
    /// The slope; below 0 if more compute helps.
    public var b: Double

    /// Creates a line.
    public init(a: Double, b: Double) {
        self.a = a
        self.b = b
    }

    /// Fits by least squares of the logarithms; `nil` unless there are two different amounts of compute, all above 0.
    ///
    /// - Parameter points: Compute and perplexity.
    public init?(_ points: [(compute: Double, perplexity: Double)]) {
        guard points.allSatisfy({ $0.compute > 0 && $0.perplexity > 0 }), !points.isEmpty else { return nil }
        let (x, y) = (points.map { log($0.compute) }, points.map { log($0.perplexity) })
        let count = Double(points.count)
        let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
        let variance = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
        guard variance > 1e-18 else { return nil }
        b = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) } / variance
        a = meanY - b * meanX
    }

    /// The perplexity at an amount of compute.
    public func perplexity(at compute: Double) -> Double { exp(a + b * log(compute)) }

    /// The compute at which two lines meet; `nil` if they are parallel.
    public func crossing(with other: ScalingFit) -> Double? {
        let compute = exp((a - other.a) / (other.b - b))
        return compute.isFinite && compute > 0 ? compute : nil
    }
}

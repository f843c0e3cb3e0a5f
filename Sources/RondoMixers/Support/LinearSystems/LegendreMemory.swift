import RondoTensor

/// A signal's whole past in N numbers: x' = (A x + B u) / t, whose states under HiPPO-LegS are the coefficients of the
/// past in Legendre polynomials, stretched over it as it grows.
///
/// Gu et al., *HiPPO: Recurrent memory with optimal polynomial projections*, 2020. A value: a copy continues alone.
public struct LegendreMemory: Sendable {
    /// The coefficients of the orthonormal polynomials √(2n + 1) Pₙ.
    public private(set) var coefficients: [Double]
    /// Positions read.
    public private(set) var count = 0
    private let a: DoubleMatrix
    private let b: [Double]

    /// Creates an empty memory.
    ///
    /// - Parameters:
    ///   - stateSize: N.
    ///   - dynamics: Others than HiPPO-LegS, for comparison.
    /// - Throws: `RondoError` of code `invalidArgument` for an impossible size.
    public init(stateSize: Int, dynamics: ContinuousStateSpace? = nil) throws {
        let dynamics = try dynamics ?? ContinuousStateSpace(.legS, stateSize: stateSize)
        try requireValue(
            dynamics.input.count == stateSize, "state size", stateSize, "that of the dynamics, \(dynamics.input.count)")
        let values = try dynamics.matrix.array(of: Double.self)
        a = DoubleMatrix(stateSize, stateSize) { values[$0 * stateSize + $1] }
        b = try dynamics.input.array(of: Double.self)
        coefficients = Array(repeating: 0, count: stateSize)
    }

    /// Reads one value, by the trapezoidal rule with step 1 / k at position k.
    public mutating func read(_ value: Double) {
        count += 1
        let (size, step) = (coefficients.count, 1 / Double(count))
        let right = DoubleMatrix(size, 1) { row, _ in
            let drift = (0..<size).reduce(0) { $0 + a[row, $1] * coefficients[$1] }
            return coefficients[row] + step * (drift / 2 + b[row] * value)
        }
        let left = DoubleMatrix(size, size) { ($0 == $1 ? 1 : 0) - step / 2 * a[$0, $1] }
        coefficients = left.solve(right).values
    }

    /// The past as the coefficients have it.
    ///
    /// - Parameter points: Times from 0, the beginning, to 1, the present.
    /// - Returns: The values there.
    public func reconstruction(at points: [Double]) -> [Double] {
        points.map { point in
            let x = 2 * point - 1
            var (sum, last, present) = (0.0, 0.0, 1.0)
            for (n, coefficient) in coefficients.enumerated() {
                sum += coefficient * Double(2 * n + 1).squareRoot() * present
                // (n + 1) P_{n+1} = (2n + 1) x P_n - n P_{n-1}
                let next = (Double(2 * n + 1) * x * present - Double(n) * last) / Double(n + 1)
                (last, present) = (present, next)
            }
            return sum
        }
    }
}

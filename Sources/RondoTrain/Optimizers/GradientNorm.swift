public import RondoNN
import RondoTensor

/// The Euclidean norm of all gradients together, in double precision.
public struct GradientNorm: Sendable, Equatable {
    /// √Σ g², before clipping.
    public let value: Double
    /// The path of the first parameter whose gradient is not finite, if there is one: then skip the step or stop.
    public let firstNonFinite: String?

    /// Measures the gradients.
    public init(of gradients: ParameterSet) throws {
        let squares = try gradients.tensors.map { try $0.sumOfSquares() }
        let total = squares.reduce(0, +)
        if total.isFinite {
            (value, firstNonFinite) = (total.squareRoot(), nil)
            return
        }
        let suspects = zip(gradients.paths, gradients.tensors).filter { $1.count > 0 }
        firstNonFinite = try suspects.first { try !$0.1.isFinite() }?.0
        value = try firstNonFinite == nil ? Self.scaledNorm(of: suspects.map(\.1)) : total.squareRoot()
    }

    /// The norm of float64 gradients whose squares are beyond the largest number: everything relative to the largest
    /// element.
    private static func scaledNorm(of gradients: [Tensor]) throws -> Double {
        let largest = try gradients.map { try $0.abs().max().scalar() }.max() ?? 0
        let squares = try gradients.map { try ($0 / largest).sumOfSquares() }
        return largest * squares.reduce(0, +).squareRoot()
    }

    /// What gradients are multiplied by so that their norm does not exceed `limit` (`nil`: no limit).
    public func scale(limit: Double?) -> Double {
        limit.map { min(1, $0 / (value + 1e-6)) } ?? 1
    }
}

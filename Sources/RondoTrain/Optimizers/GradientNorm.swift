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
        var total = 0.0
        var culprit: String?
        for (path, gradient) in zip(gradients.paths, gradients.tensors) {
            let square = try gradient.sumOfSquares()
            if !square.isFinite, culprit == nil { culprit = path }
            total += square
        }
        value = total.squareRoot()
        firstNonFinite = culprit
    }

    /// What gradients are multiplied by so that their norm does not exceed `limit` (`nil`: no limit).
    public func scale(limit: Double?) -> Double {
        limit.map { min(1, $0 / (value + 1e-6)) } ?? 1
    }
}

public import RondoNN
import RondoTensor

/// A limit for gradients before they are used.
public enum GradientClipping: Sendable, Equatable {
    /// None.
    case none
    /// All gradients together are scaled so that their norm is at most this (Pascanu et al., 2012).
    ///
    /// The norm is exact: min(‖g‖, limit). (``GradientNorm/scale(limit:)`` divides by ‖g‖ + 10⁻⁶, as PyTorch does.)
    case norm(Double)
    /// Every element is kept within ± this (Mikolov, 2012), which changes the direction.
    case value(Double)

    /// Limits gradients.
    ///
    /// - Parameters:
    ///   - gradients: The gradients of all parameters.
    ///   - norm: Their norm, if it is known already.
    /// - Returns: The limited gradients.
    /// - Throws: `RondoError` of code `notFinite` that names the parameter of the first gradient that is not finite: no
    ///   limit makes a direction of it.
    public func callAsFunction(_ gradients: ParameterSet, norm: GradientNorm? = nil) throws -> ParameterSet {
        let norm = try norm ?? GradientNorm(of: gradients)
        if let path = norm.firstNonFinite {
            throw RondoError(.notFinite, "gradient clipping: the gradient of '\(path)' is not finite")
        }
        var result = gradients
        switch self {
        case .none: break
        case .norm(let limit):
            guard norm.value > limit else { break }
            for index in result.tensors.indices {
                result.tensors[index] = try norm.limited(result.tensors[index], limit)
            }
        case .value(let limit):
            for index in result.tensors.indices {
                result.tensors[index] = try result.tensors[index].clamped(-limit, limit)
            }
        }
        return result
    }
}

extension GradientNorm {
    /// A gradient times limit / norm, in two factors so that neither is too small to be a normal number.
    fileprivate func limited(_ gradient: Tensor, _ limit: Double) throws -> Tensor {
        let scale = limit / value
        guard scale < 1e-30 else { return try gradient * scale }
        let root = scale.squareRoot()
        return try gradient * root * (scale / root)
    }
}

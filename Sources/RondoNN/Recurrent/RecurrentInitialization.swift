public import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How the matrices of a recurrent layer begin.
public enum RecurrentInitialization: String, Codable, Sendable, CaseIterable {
    /// W from U(±1/√H), R from U(±1/√D), as PyTorch does (D: the width of a head).
    case uniform
    /// W by Glorot and Bengio (2010) for every gate, R orthogonal (Saxe et al., 2014).
    case glorotOrthogonal = "glorot_orthogonal"
    /// R the identity, W uniform: with ReLU the IRNN of Le, Jaitly and Hinton (2015).
    case identity
    /// Uniform, and then every block of R scaled to a largest absolute eigenvalue.
    case spectralRadius = "spectral_radius"

    /// Draws W `[gates * H, inputs]` and R `[gates, heads, D, D]`.
    func matrices(
        _ configuration: RecurrentConfiguration, _ dtype: DType, using generator: inout Generator
    ) throws -> (input: Tensor, recurrent: Tensor) {
        let (cell, units, heads) = (configuration.cell, configuration.hiddenSize, configuration.heads)
        let inputShape: Shape = [cell.inputGates.count * units, configuration.inputSize]
        let shape: Shape = [cell.recurrentGates.count, heads, units / heads, units / heads]
        if self == .glorotOrthogonal {
            let gates = try cell.inputGates.map { _ in
                try Initializer.xavierUniform()([units, configuration.inputSize], dtype: dtype, using: &generator)
            }
            return try (Tensor.concatenate(gates), Initializer.orthogonal()(shape, dtype: dtype, using: &generator))
        }
        let (inputBound, bound) = (1 / Double(units).squareRoot(), 1 / Double(units / heads).squareRoot())
        let input = try generator.uniform(inputShape, low: -inputBound, high: inputBound, dtype: dtype)
        if self == .identity {
            return try (input, Tensor.identity(units / heads, dtype: dtype).broadcast(to: shape).contiguous())
        }
        let recurrent = try generator.uniform(shape, low: -bound, high: bound, dtype: dtype)
        guard self == .spectralRadius else { return (input, recurrent) }
        return try (input, Self.scaled(recurrent, radius: configuration.spectralRadius))
    }

    private static func scaled(_ recurrent: Tensor, radius: Double) throws -> Tensor {
        let blocks = try recurrent.reshaped([-1, recurrent.shape[2], recurrent.shape[3]])
        let scaled = try (0..<blocks.shape[0]).map { index in
            let block = try blocks.selecting(0, index)
            let own = try block.spectralRadius()
            // A placeholder of zeros has nothing to scale.
            return try own > 0 ? block * (radius / own) : block
        }
        return try Tensor.stack(scaled).reshaped(recurrent.shape)
    }
}

extension Tensor {
    /// The largest absolute eigenvalue of a square matrix, complex ones included.
    ///
    /// By Gelfand's formula, lim ‖Aᵏ‖^(1/k), with k doubled by squaring: every power is scaled to norm 1, so that
    /// nothing overflows. Forty doublings leave an error below rounding.
    /// - Returns: The radius, 0 for a matrix of which some power vanishes.
    /// - Throws: ``RondoError`` of code `shapeMismatch` for anything that is not a square matrix.
    public func spectralRadius() throws -> Double {
        guard rank == 2, shape[0] == shape[1] else {
            throw RondoError(.shapeMismatch, "spectralRadius: needs a square matrix; got shape \(shape)")
        }
        return try gelfandLimit(of: detached().cast(to: .float64))
    }
}

/// lim ‖Aᵏ‖^(1/k) in double precision; outside of `Tensor`, whose `log` and `exp` hide those of numbers.
private func gelfandLimit(of matrix: Tensor) throws -> Double {
    var power = matrix
    var (logarithm, share) = (0.0, 1.0)
    for _ in 0..<40 {
        let norm = try power.sumOfSquares().squareRoot()
        guard norm > 0, norm.isFinite else { return norm }
        logarithm += share * log(norm)
        share /= 2
        power = try power / norm
        power = try power.matmul(power)
    }
    return exp(logarithm)
}

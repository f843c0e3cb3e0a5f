internal import CRondoKernels

/// Sums of complex exponentials: k[h, l] = 2 Re Σₙ w[h, n] e^(l a[h, n]) for l < length.
///
/// The convolution kernel of a diagonal state space (Gu et al.: *On the Parameterization and Initialization of Diagonal
/// State Space Models*, 2022, section 3.2), where a = Δ Λ and w combines input, output and step size; each of the N
/// numbers stands for itself and its conjugate.
///
/// Inputs: real and imaginary parts of w `[channels, N]` and of a `[channels, N]`, Re a ≤ 0 unless the length is short.
/// Output: k `[channels, length]`. No power is stored for each l: memory is that of a few rows, and the time that of
/// two small matrix products a channel. Powers are made in double precision, so that large l lose nothing.
public struct VandermondeKernel: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "vandermondeKernel"
    /// The number of taps.
    public var length: Int

    /// Creates the operation for a number of taps.
    public init(length: Int) { self.length = length }

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard length >= 0, inputs.count == 4, inputs[0].rank == 2,
            inputs.allSatisfy({ $0.shape == inputs[0].shape && $0.dtype == inputs[0].dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "vandermondeKernel: needs both parts of weights and of exponents, all [channels, N] and of one type, and a length ≥ 0; got \(inputs.map(\.shape)), length \(length)"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// All powers `[channels, length, N]`, weighted and summed.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let weights = ComplexTensor(try inputs[0].expanded(at: -2), try inputs[1].expanded(at: -2))
        let taps = try Tensor.range(length).cast(to: inputs[0].dtype).expanded(at: -1)
        let exponents = ComplexTensor(
            try inputs[2].expanded(at: -2) * taps, try inputs[3].expanded(at: -2) * taps)
        return [try (weights * exponents.exp()).real.sum([-1]) * 2]
    }

    /// Channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let dense = try inputs.map { try $0.dense() }
        let type = try dense[0].dtype.kernelType(Self.name)
        let (channels, poles) = (dense[0].shape[0], dense[0].shape[1])
        let k = try Tensor.uninitialized([channels, length], dense[0].dtype)
        let size = k.dtype.byteCount
        parallelFor(length > 0 ? channels : 0) { channel in
            let offset = channel * poles * size
            rk_vandermonde(
                type, poles, length, dense[0].bytes + offset, dense[1].bytes + offset, dense[2].bytes + offset,
                dense[3].bytes + offset, k.mutableBytes + channel * length * size)
        }
        return FusedResult(outputs: [k], saved: dense, retained: [])
    }

    /// Channels side by side, with the powers made again.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = try cotangents[0]?.dense() else { return [nil, nil, nil, nil] }
        let saved = context.saved
        let type = try saved[0].dtype.kernelType(Self.name)
        let (channels, poles) = (saved[0].shape[0], saved[0].shape[1])
        let gradients = try saved.map { try Tensor.zeros($0.shape, dtype: $0.dtype) }
        let size = g.dtype.byteCount
        parallelFor(length > 0 ? channels : 0) { channel in
            let offset = channel * poles * size
            rk_vandermonde_gradient(
                type, poles, length, saved[0].bytes + offset, saved[1].bytes + offset, saved[2].bytes + offset,
                saved[3].bytes + offset, g.bytes + channel * length * size, gradients[0].mutableBytes + offset,
                gradients[1].mutableBytes + offset, gradients[2].mutableBytes + offset,
                gradients[3].mutableBytes + offset)
        }
        return gradients
    }
}

internal import CRondoFFT

/// The discrete Fourier transform of real signals over the last axis, of any length.
///
/// Input x `[..., count]`; outputs the real and imaginary parts of Σₜ xₜ e^(-2πi k t / length), `[..., length / 2 + 1]`.
/// A signal shorter than `length` is followed by zeros.
public struct RealFourierTransform: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "realFourierTransform"
    /// The length of the transform.
    public var length: Int

    /// Creates the transform of a length.
    public init(length: Int) { self.length = length }

    /// Refuses signals longer than the transform.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 1, let count = inputs[0].shape.last, length >= 1, count <= length else {
            throw RondoError(
                .shapeMismatch,
                "realFourierTransform: a signal of shape \(inputs.map(\.shape)) is longer than the transform (\(length)); slice it or use a longer one"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// Products with the matrices of cosines and sines.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let (cosines, sines) = try Self.waves(length, inputs[0].shape[inputs[0].rank - 1], inputs[0].dtype)
        let rows = try inputs[0].expanded(at: -2)
        return [
            try rows.matmul(cosines.transposed()).squeezed(-2), try (-rows.matmul(sines.transposed())).squeezed(-2),
        ]
    }

    /// Signals side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let x = try inputs[0].dense()
        let count = x.shape[x.rank - 1]
        let half = length / 2 + 1
        let shape = Shape(x.shape.dropLast()) + [half]
        let (real, imaginary) = (try Tensor.uninitialized(shape, x.dtype), try Tensor.uninitialized(shape, x.dtype))
        let size = x.dtype.byteCount
        parallelFor(real.count / half) { row in
            _ = rondo_fft_real(
                x.dtype == .float64, x.bytes + row * count * size, count, length, real.mutableBytes + row * half * size,
                imaginary.mutableBytes + row * half * size)
        }
        return FusedResult(outputs: [real, imaginary], saved: [x], retained: [])
    }

    /// The inverse transform of the cotangents, with the inner coefficients halved and the scale undone.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let x = context.saved[0]
        let zeros = try Tensor.zeros(Shape(x.shape.dropLast()) + [length / 2 + 1], dtype: x.dtype)
        let weights = try Self.multiplicities(length, x.dtype)
        let (real, imaginary) = (cotangents[0] ?? zeros, cotangents[1] ?? zeros)
        let signal = try InverseRealFourierTransform(length: length)([
            real * Double(length) / weights, imaginary * Double(length) / weights,
        ])[0]
        return [try signal.sliced(-1, 0..<x.shape[x.rank - 1])]
    }

    /// cos and sin of 2π k t / length: `[length / 2 + 1, count]`.
    static func waves(_ length: Int, _ count: Int, _ dtype: DType) throws -> (Tensor, Tensor) {
        // Exact integers k t mod length first: large angles would lose digits.
        var remainders: [Int32] = []
        for k in 0...(length / 2) {
            for t in 0..<count { remainders.append(Int32(k * t % length)) }
        }
        let angle = try Tensor(remainders, shape: [length / 2 + 1, count]).cast(to: dtype) * (2 * .pi / Double(length))
        return (try angle.unary(.cos), try angle.unary(.sin))
    }

    /// How often each coefficient of half a spectrum stands in the whole one: 1 at the edges, 2 inside.
    static func multiplicities(_ length: Int, _ dtype: DType) throws -> Tensor {
        try Tensor((0...(length / 2)).map { $0 == 0 || 2 * $0 == length ? 1.0 : 2.0 }).cast(to: dtype)
    }
}

/// The real signal of half a spectrum: the inverse of ``RealFourierTransform``.
///
/// Inputs: real and imaginary parts `[..., length / 2 + 1]`; output `[..., length]`.
public struct InverseRealFourierTransform: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "inverseRealFourierTransform"
    /// The length of the signal.
    public var length: Int

    /// Creates the transform of a length.
    public init(length: Int) { self.length = length }

    /// Refuses spectra of another length.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 2, inputs[0].shape == inputs[1].shape, inputs[0].dtype == inputs[1].dtype, length >= 1,
            inputs[0].shape.last == length / 2 + 1
        else {
            throw RondoError(
                .shapeMismatch,
                "inverseRealFourierTransform: real and imaginary parts must both have last extent \(length / 2 + 1); shapes \(inputs.map(\.shape))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// Products with the matrices of cosines and sines.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let dtype = inputs[0].dtype
        let (cosines, sines) = try RealFourierTransform.waves(length, length, dtype)
        let weights = try RealFourierTransform.multiplicities(length, dtype) / Double(length)
        let real = try (inputs[0] * weights).expanded(at: -2).matmul(cosines)
        let imaginary = try (inputs[1] * weights).expanded(at: -2).matmul(sines)
        return [try (real - imaginary).squeezed(-2)]
    }

    /// Spectra side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let (real, imaginary) = (try inputs[0].dense(), try inputs[1].dense())
        let half = length / 2 + 1
        let x = try Tensor.uninitialized(Shape(real.shape.dropLast()) + [length], real.dtype)
        let size = x.dtype.byteCount
        parallelFor(real.count / half) { row in
            _ = rondo_fft_real_inverse(
                x.dtype == .float64, real.bytes + row * half * size, imaginary.bytes + row * half * size, length,
                x.mutableBytes + row * length * size)
        }
        return FusedResult(outputs: [x], retained: [])
    }

    /// The transform of the cotangent, scaled, with the inner coefficients doubled.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = cotangents[0] else { return [nil, nil] }
        let spectrum = try RealFourierTransform(length: length)([g])
        let weights = try RealFourierTransform.multiplicities(length, g.dtype) / Double(length)
        return [try spectrum[0] * weights, try spectrum[1] * weights]
    }
}

extension Tensor {
    /// The half spectrum of real signals over the last axis (see ``RealFourierTransform``).
    public func realFourierTransform(length: Int? = nil) throws -> ComplexTensor {
        let parts = try RealFourierTransform(length: length ?? shape.last ?? 0)([self])
        return ComplexTensor(parts[0], parts[1])
    }
}

extension ComplexTensor {
    /// The real signals of half spectra over the last axis (see ``InverseRealFourierTransform``).
    public func inverseRealFourierTransform(length: Int) throws -> Tensor {
        try InverseRealFourierTransform(length: length)([real, imaginary])[0]
    }
}

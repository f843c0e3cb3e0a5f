internal import CRondoKernels

/// ``CausalConvolution`` one position at a time, the history moving on in place where nobody else holds it.
///
/// Derivatives do not flow through it.
public struct CausalConvolutionStep: Sendable {
    /// `[K, channels]`.
    private let taps: Tensor
    private let bias: Tensor?

    /// Lays the taps out.
    ///
    /// - Parameters:
    ///   - weight: `[channels, K]`.
    ///   - bias: `[channels]`, if there is one.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public init(weight: Tensor, bias: Tensor?) throws {
        guard weight.rank == 2, weight.shape[1] >= 1,
            bias.map({ $0.shape == [weight.shape[0]] && $0.dtype == weight.dtype }) ?? true
        else {
            throw RondoError(
                .shapeMismatch,
                "CausalConvolutionStep: needs weight [channels, K] and bias [channels] of one type; got \(weight.shape) "
                    + "and \(bias?.shape ?? [])")
        }
        _ = try weight.dtype.kernelType("CausalConvolutionStep")
        taps = try weight.detached().transposed().contiguous()
        self.bias = try bias?.detached().dense()
    }

    /// Convolves a position.
    ///
    /// - Parameters:
    ///   - x: `[batch, channels]`; it may be a slice of wider rows.
    ///   - history: The K - 1 positions before, `[batch, K - 1, channels]`; becomes those before the next.
    /// - Returns: `[batch, channels]`.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public func callAsFunction(_ x: Tensor, history: inout Tensor) throws -> Tensor {
        var output = Tensor.empty
        try callAsFunction(x, history: &history, into: &output)
        return output
    }

    /// The same into the memory of `output` where it has the right shape already.
    public func callAsFunction(_ x: Tensor, history: inout Tensor, into output: inout Tensor) throws {
        let (channels, kept) = (taps.shape[1], taps.shape[0] - 1)
        guard x.rank == 2, x.shape[1] == channels, history.shape == Shape(x.shape[0], kept, channels),
            x.dtype == taps.dtype, history.dtype == taps.dtype
        else {
            throw RondoError(
                .shapeMismatch,
                "CausalConvolutionStep: needs x [batch, \(channels)] and history [batch, \(kept), \(channels)] of "
                    + "\(taps.dtype.rawValue); got \(x.shape) \(x.dtype.rawValue) and \(history.shape) "
                    + history.dtype.rawValue)
        }
        let x = try x.withDenseColumns()
        defer { withExtendedLifetime(x) {} }
        try output.claim(x.shape, x.dtype)
        try history.mutateInPlace { _ in }
        let (type, size) = (try x.dtype.kernelType("CausalConvolutionStep"), x.dtype.byteCount)
        for row in 0..<x.shape[0] {
            rk_causal_convolution_step(
                type, channels, kept + 1, x.bytes + row * x.strides[0] * size,
                history.mutableBytes + row * kept * channels * size, taps.bytes, bias?.bytes,
                output.mutableBytes + row * channels * size)
        }
    }
}

public import RondoTensor

/// A causal convolution over time, one filter per channel: `[batch, time, channels]` to the same shape.
public struct ShortConvolution: Module {
    /// The taps, `[channels, width]`; the last one meets the present.
    public var weight: Tensor
    /// The offsets, `[channels]`, if there are any.
    public var bias: Tensor?

    /// Creates a convolution with taps and offsets from U(-1/√width, 1/√width), as PyTorch does.
    public init(
        channels: Int, width: Int, bias: Bool = true, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        guard width >= 1 else {
            throw RondoError(.invalidArgument, "ShortConvolution: width \(width) must be at least 1")
        }
        let bound = 1 / Double(width).squareRoot()
        weight = try generator.uniform([channels, width], low: -bound, high: bound, dtype: dtype)
        self.bias = try bias ? generator.uniform([channels], low: -bound, high: bound, dtype: dtype) : nil
    }

    /// What stands before the first position: zeros `[batch, width - 1, channels]`.
    public func initialHistory(batch: Int) throws -> Tensor {
        try Tensor.zeros([batch, weight.shape[1] - 1, weight.shape[0]], dtype: weight.dtype)
    }

    /// Convolves a piece of the sequence and moves `history` on to what the next piece must see.
    public func callAsFunction(_ x: Tensor, history: inout Tensor) throws -> Tensor {
        let results = try CausalConvolution()([x, weight, history] + (bias.map { [$0] } ?? []))
        history = results[1]
        return results[0]
    }

    /// For one position `[batch, channels]` after the other, the history moving on in place; no derivative flows.
    public func makeStepper() throws -> CausalConvolutionStep { try CausalConvolutionStep(weight: weight, bias: bias) }

    /// One position `[batch, channels]` by the definition.
    public func reference(_ x: Tensor, history: inout Tensor) throws -> Tensor {
        let window = try Tensor.concatenate([history, x.expanded(at: 1)], axis: 1)
        history = try window.sliced(1, 1..<window.shape[1])
        let y = try (window * weight.transposed()).sum([1])
        return try bias.map { try y + $0 } ?? y
    }

    /// Visits `weight` and `bias`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("weight", &weight)
        try bias.visit("bias", visit)
    }
}

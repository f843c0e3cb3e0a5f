public import RondoTensor

/// An affine map of the last axis, y = x Wᵀ + b: `[..., inputSize]` to `[..., outputSize]`.
public struct Linear: Module {
    /// The matrix, `[outputSize, inputSize]`, of any of `DType.weightTypes`.
    public var weight: Tensor
    /// The offsets, `[outputSize]`, if there are any.
    public var bias: Tensor?

    /// Creates a layer with weights and bias from U(-1/√inputSize, 1/√inputSize), as PyTorch does.
    public init(
        inputSize: Int, outputSize: Int, bias: Bool = true, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        let bound = 1 / Double(max(1, inputSize)).squareRoot()
        weight = try generator.uniform([outputSize, inputSize], low: -bound, high: bound, dtype: dtype)
        self.bias = try bias ? generator.uniform([outputSize], low: -bound, high: bound, dtype: dtype) : nil
    }

    /// Applies the layer.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        try x.linear(weight, bias: bias)
    }

    /// The same for `rows` rows again and again.
    public func makeStepper(rows: Int) throws -> RowProduct { try RowProduct(weight: weight, bias: bias, rows: rows) }

    /// Visits `weight` and `bias`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("weight", &weight)
        try bias.visit("bias", visit)
    }
}

extension Optional where Wrapped == Tensor {
    /// Visits a parameter that may be absent.
    public mutating func visit(_ path: String, _ body: (String, inout Tensor) throws -> Void) rethrows {
        guard var tensor = self else { return }
        self = nil
        defer { self = tensor }
        try body(path, &tensor)
    }
}

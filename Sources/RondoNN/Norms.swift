public import RondoTensor

/// Layer normalisation of the last axis: mean 0 and variance 1, then a gain and an offset per channel.
public struct LayerNorm: Module {
    /// The gains, `[size]`.
    public var weight: Tensor
    /// The offsets, `[size]`, if there are any.
    public var bias: Tensor?
    /// Added to the variance.
    public var epsilon: Double

    /// Creates a norm with gains 1 and offsets 0.
    public init(size: Int, bias: Bool = true, epsilon: Double = 1e-5, dtype: DType = .float32) throws {
        weight = try Tensor.ones([size], dtype: dtype)
        self.bias = try bias ? Tensor.zeros([size], dtype: dtype) : nil
        self.epsilon = epsilon
    }

    /// Normalises.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        try Normalization(.layer, epsilon: epsilon)(x, weight: weight, bias: bias)
    }

    /// The same for `rows` rows again and again.
    public func makeStepper(rows: Int) throws -> RowNormalization {
        try RowNormalization(Normalization(.layer, epsilon: epsilon), weight: weight, bias: bias, rows: rows)
    }

    /// Visits `weight` and `bias`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("weight", &weight)
        try bias.visit("bias", visit)
    }
}

/// Root-mean-square normalisation of the last axis, then a gain per channel.
public struct RMSNorm: Module {
    /// The gains, `[size]`.
    public var weight: Tensor
    /// Added to the mean square.
    public var epsilon: Double

    /// Creates a norm with gains 1.
    public init(size: Int, epsilon: Double = 1e-5, dtype: DType = .float32) throws {
        weight = try Tensor.ones([size], dtype: dtype)
        self.epsilon = epsilon
    }

    /// Normalises.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        try Normalization(.rms, epsilon: epsilon)(x, weight: weight)
    }

    /// The same for `rows` rows again and again.
    public func makeStepper(rows: Int) throws -> RowNormalization {
        try RowNormalization(Normalization(.rms, epsilon: epsilon), weight: weight, rows: rows)
    }

    /// Visits `weight`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("weight", &weight)
    }
}

import RondoNN
import RondoTensor

extension Tensor {
    /// `[..., heads * width]` as `[..., heads, width]`.
    func splittingHeads(_ heads: Int) throws -> Tensor {
        try reshaped(Shape(shape.dropLast()) + [heads, (shape.last ?? 0) / heads])
    }

    /// `[..., heads, width]` as `[..., heads * width]`.
    func joiningHeads() throws -> Tensor {
        try reshaped(Shape(shape.dropLast(2)) + [shape[rank - 2] * shape[rank - 1]])
    }

    /// `[..., groups, width]` as `[..., groups * count, width]`: every group for as many heads.
    func repeatingHeads(_ count: Int) throws -> Tensor {
        guard count > 1 else { return self }
        let (leading, groups, width) = (Shape(shape.dropLast(2)), shape[rank - 2], shape[rank - 1])
        return try expanded(at: rank - 1).broadcast(to: leading + [groups, count, width])
            .reshaped(leading + [groups * count, width])
    }

    /// Every vector of the last axis divided by its length (with a small number added to the square).
    func unitVectors(epsilon: Double = 1e-6) throws -> Tensor {
        // The root mean square is the length over √width.
        let width = Double(Swift.max(1, shape.last ?? 1))
        return try Normalization(.rms, epsilon: epsilon / width)(self) * (1 / width.squareRoot())
    }

    /// x + self ⊙ μ for each μ of `amounts` `[count, D]` (plus what `more`, `[count, ..., D]`, says for each position):
    /// how token shift mixes a position with the one before it, when this is their difference.
    ///
    /// - Parameters:
    ///   - x: The position, `[..., D]`.
    ///   - amounts: How much of the difference, `[count, D]`.
    ///   - more: What is added to that, `[count, ..., D]`.
    /// - Returns: The results, `[count, ..., D]`.
    /// - Throws: `RondoError` when shapes do not fit.
    func mixed(_ x: Tensor, _ amounts: Tensor, _ more: Tensor? = nil) throws -> Tensor {
        var shape = Shape(repeating: 1, count: rank + 1)
        (shape[0], shape[rank]) = (amounts.shape[0], amounts.shape[1])
        let fixed = try amounts.reshaped(shape)
        return try x + self * (more.map { try fixed + $0 } ?? fixed)
    }

    /// Channels `range` of the last axis.
    func channels(_ range: Range<Int>) throws -> Tensor { try sliced(-1, range) }
}

/// A multiple of a width, as a whole number; 0, which no mixer accepts, where it is out of all proportion.
func scaledWidth(_ width: Int, by factor: Double) -> Int {
    let exact = (factor * Double(width)).rounded()
    return exact >= 0 && exact <= 0x1p22 ? Int(exact) : 0
}

/// A linear map or none, through a bottleneck: W₂ W₁ x + b.
struct LowRank: Module {
    var down: Linear
    var up: Linear

    init(
        inputSize: Int, rank: Int, outputSize: Int, bias: Bool, dtype: DType, using generator: inout Generator
    ) throws {
        down = try Linear(inputSize: inputSize, outputSize: rank, bias: false, dtype: dtype, using: &generator)
        up = try Linear(inputSize: rank, outputSize: outputSize, bias: bias, dtype: dtype, using: &generator)
    }

    func callAsFunction(_ x: Tensor, _ inside: (Tensor) throws -> Tensor = { $0 }) throws -> Tensor {
        try up(inside(down(x)))
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try down.forEachParameter(under: "down", visit)
        try up.forEachParameter(under: "up", visit)
    }
}

/// Normalises every head by itself, then a gain (and, of a layer norm, an offset) for each channel of all heads.
struct HeadNorm: Module {
    let kind: Normalization.Kind
    let epsilon: Double
    /// `[heads, width]`, or `[width]` if all heads share it.
    var weight: Tensor
    /// `[heads, width]`, if there is one.
    var bias: Tensor?

    init(
        _ kind: Normalization.Kind, heads: Int, width: Int, isShared: Bool = false, bias: Bool = false,
        epsilon: Double = 1e-5, dtype: DType
    ) throws {
        self.kind = kind
        self.epsilon = epsilon
        weight = try Tensor.ones(isShared ? [width] : [heads, width], dtype: dtype)
        self.bias = try bias ? Tensor.zeros([heads, width], dtype: dtype) : nil
    }

    /// `[..., heads, width]` to the same shape.
    func callAsFunction(_ x: Tensor) throws -> Tensor {
        guard weight.rank > 1 else { return try Normalization(kind, epsilon: epsilon)(x, weight: weight) }
        let y = try Normalization(kind, epsilon: epsilon)(x) * weight
        return try bias.map { try y + $0 } ?? y
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("weight", &weight)
        try bias.visit("bias", visit)
    }
}

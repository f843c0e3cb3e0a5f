public import RondoTensor

/// A table of vectors, one per token: int32 indices `[...]` to `[..., size]`.
public struct Embedding: Module {
    /// The table, `[count, size]`, of any of `DType.weightTypes`.
    public var weight: Tensor

    /// Creates a table of draws from N(0, deviation²).
    public init(
        count: Int, size: Int, deviation: Double = 0.02, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        weight = try generator.normal([count, size], deviation: deviation, dtype: dtype)
    }

    /// Looks up vectors, of the table's `DType.computationType`.
    /// - Throws: ``RondoError`` of code `outOfRange` when an index has no row.
    public func callAsFunction(_ indices: Tensor) throws -> Tensor {
        try weight.takingRows(indices).cast(to: weight.dtype.computationType)
    }

    /// Looks up vectors of sequences `[batch, time]`, dropping whole types: a token dropped in a sequence is zero
    /// wherever it stands in it, the others are scaled by 1 / (1 - p).
    public func callAsFunction(
        _ indices: Tensor, droppingTypes probability: Double, training: Bool, using generator: inout Generator
    ) throws -> Tensor {
        let vectors = try self(indices)
        guard training, probability > 0 else { return vectors }
        guard indices.rank == 2 else {
            throw RondoError(
                .shapeMismatch, "Embedding: dropping types needs indices [batch, time], got shape \(indices.shape)")
        }
        let types: Shape = [indices.shape[0], weight.shape[0]]
        let mask = try Dropout.mask(types, probability, vectors.dtype, using: &generator)
        return try vectors * mask.takingAlong(indices, axis: 1).expanded(at: -1)
    }

    /// Scores of all tokens for vectors `[..., size]`, when input and output share the table.
    public func logits(_ x: Tensor) throws -> Tensor { try x.linear(weight) }

    /// Visits `weight`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("weight", &weight)
    }
}

internal import CRondoKernels

/// A ``Normalization`` of a fixed number of rows, again and again without allocation: the norms of streaming.
///
/// A value: copies share the weights, and each writes results of its own.
public struct RowNormalization: Sendable {
    private let operation: Normalization
    private let weight: Tensor
    private let bias: Tensor?
    private var statistics: Tensor
    /// The latest result, `[rows, n]`.
    ///
    /// Do not hold on to it across calls: that would force a copy.
    public private(set) var output: Tensor

    /// Prepares the normalisation of `rows` rows.
    ///
    /// - Parameters:
    ///   - operation: What a row is divided by.
    ///   - weight: The gains, `[n]`.
    ///   - bias: The offsets of a layer norm, `[n]`, if there are any.
    ///   - rows: How many rows each call has.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public init(_ operation: Normalization, weight: Tensor, bias: Tensor? = nil, rows: Int) throws {
        output = try Tensor.zeros([rows] + weight.shape, dtype: weight.dtype)
        try operation.validate([output, weight] + (bias.map { [$0] } ?? []))
        guard operation.kind == .layer || bias == nil else {
            throw RondoError(.invalidArgument, "RowNormalization: offsets are for layer norms")
        }
        self.operation = operation
        self.weight = try weight.detached().dense()
        self.bias = try bias?.detached().dense()
        statistics = try Tensor.zeros([2, rows], dtype: weight.dtype)
    }

    /// Normalises the rows of `x`, `[rows, n]`, into ``output``.
    /// - Throws: ``RondoError`` when `x` has another shape or type.
    public mutating func callAsFunction(_ x: Tensor) throws {
        guard x.shape == output.shape, x.dtype == output.dtype else {
            throw RondoError(
                .shapeMismatch,
                "RowNormalization: needs \(output.shape) \(output.dtype.rawValue), got \(x.shape) \(x.dtype.rawValue)")
        }
        let x = try x.detached().dense()
        defer { withExtendedLifetime(x) {} }
        let (rows, columns, size) = (output.shape[0], weight.shape[0], output.dtype.byteCount)
        let type = try output.dtype.kernelType(Normalization.name)
        try statistics.mutateInPlace { statistics in
            try output.mutateInPlace { target in
                guard let means = statistics.baseAddress, let target = target.baseAddress else { return }
                operation.normalize(
                    type, rows, columns, x.bytes, weight: weight.bytes, bias: bias?.bytes, into: target, means: means,
                    deviations: means + rows * size)
            }
        }
    }
}

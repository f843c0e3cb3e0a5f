internal import CRondoKernels

/// x Wᵀ + b for a fixed number of rows, again and again without allocation: the products of streaming.
///
/// A value: copies share the matrix, and each writes results of its own.
public struct RowProduct: Sendable {
    /// W transposed: `[inputs, outputs]`, the order in which a single row reads it fastest.
    private let matrix: Tensor
    private let bias: Tensor?
    /// The latest result, `[rows, outputs]`.
    ///
    /// Do not hold on to it across calls: that would force a copy.
    public internal(set) var output: Tensor

    /// Prepares the products of `rows` rows.
    ///
    /// - Parameters:
    ///   - weight: W, `[outputs, inputs]`.
    ///   - bias: b, `[outputs]`, if there is one.
    ///   - rows: how many rows each call has.
    /// - Throws: ``RondoError`` when the shapes do not fit.
    public init(weight: Tensor, bias: Tensor? = nil, rows: Int) throws {
        guard weight.rank == 2, rows > 0, bias.map({ $0.shape == [weight.shape[0]] }) ?? true else {
            throw RondoError(
                .shapeMismatch,
                "RowProduct: needs a matrix [outputs, inputs] and a bias [outputs]; got \(weight.shape), \(bias?.shape ?? [])"
            )
        }
        matrix = try weight.detached().transposed().copied()
        self.bias = try bias?.dense()
        output = try Tensor.zeros([rows, weight.shape[0]], dtype: weight.dtype)
    }

    /// Computes the products of `x`, `[rows, inputs]`, into ``output``.
    /// - Throws: ``RondoError`` when `x` has another shape.
    public mutating func callAsFunction(_ x: Tensor) throws {
        let (rows, outputs) = (output.shape[0], output.shape[1])
        guard x.shape.count == 2, x.shape[0] == rows, x.shape[1] == matrix.shape[0], x.dtype == matrix.dtype else {
            throw RondoError(
                .shapeMismatch, "RowProduct: needs \([rows, matrix.shape[0]]) \(matrix.dtype.rawValue), got \(x.shape)")
        }
        let type = try matrix.dtype.kernelType("RowProduct")
        let (matrix, bias) = (matrix, bias)
        // Named, so that a dense copy lives until the product is done.
        let rowsOfX = try x.dense()
        defer { withExtendedLifetime(rowsOfX) {} }
        try output.mutateInPlace { bytes in
            guard let target = bytes.baseAddress else { return }
            try Gemm.multiply(
                rowsOfX.lastTwoAxes(0), matrix.lastTwoAxes(0), into: target, matrix.dtype,
                (rows, outputs, matrix.shape[0]))
            guard let bias else { return }
            for row in 0..<rows {
                rk_axpy(type, 1, bias.bytes, target + row * outputs * matrix.dtype.byteCount, outputs)
            }
        }
    }
}

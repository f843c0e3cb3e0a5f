/// x Wᵀ + b for a fixed number of rows, again and again without allocation: the products of streaming.
///
/// A value: copies share the matrix, and each writes results of its own.
public struct RowProduct: Sendable {
    /// Up to so many rows are computed one like the other, so that a row's result does not depend on their number.
    package static let independentRows = WeightProduct.fewRows

    private let product: WeightProduct
    private let inputs: Int
    /// The latest result, `[rows, outputs]`, of the weight's ``DType/computationType``.
    ///
    /// Do not hold on to it across calls: that would force a copy.
    public internal(set) var output: Tensor

    /// Prepares the products of `rows` rows.
    ///
    /// - Parameters:
    ///   - weight: W, `[outputs, inputs]`, of any of ``DType/weightTypes``; it is read as it is stored, not copied.
    ///   - bias: b, `[outputs]`, if there is one.
    ///   - rows: how many rows each call has.
    /// - Throws: ``RondoError`` when the shapes or types do not fit.
    public init(weight: Tensor, bias: Tensor? = nil, rows: Int) throws {
        guard weight.rank == 2, rows > 0, bias.map({ $0.shape == [weight.shape[0]] }) ?? true else {
            throw RondoError(
                .shapeMismatch,
                "RowProduct: needs a matrix [outputs, inputs] and a bias [outputs]; got \(weight.shape), \(bias?.shape ?? [])"
            )
        }
        output = try Tensor.zeros([rows, weight.shape[0]], dtype: weight.dtype.computationType)
        inputs = weight.shape[1]
        let example = try Tensor.zeros([0, inputs], dtype: output.dtype)
        try LinearProduct().validate([example, weight] + (bias.map { [$0] } ?? []))
        product = try WeightProduct(weight: weight.detached().dense(), bias: bias)
    }

    /// Computes the products of `x`, `[rows, inputs]`, into ``output``.
    /// - Throws: ``RondoError`` when `x` has another shape.
    public mutating func callAsFunction(_ x: Tensor) throws {
        guard x.shape.count == 2, x.shape[0] == output.shape[0], x.shape[1] == inputs, x.dtype == output.dtype else {
            throw RondoError(
                .shapeMismatch,
                "RowProduct: needs \([output.shape[0], inputs]) \(output.dtype.rawValue), got \(x.shape) "
                    + x.dtype.rawValue)
        }
        try output.mutateInPlace { bytes in
            guard let target = bytes.baseAddress else { return }
            try product(x, into: target)
        }
    }
}

/// x Wᵀ + b: the affine map of a linear layer.
///
/// Inputs: x `[rows, inputs]`, W `[outputs, inputs]` and, if wanted, b `[outputs]`. Output: `[rows, outputs]`.
///
/// W may be of any of ``DType/weightTypes``; x, b and the result are of its ``DType/computationType``. The result is
/// that of W cast to this type, to rounding. No derivative flows to a W that is not float32 or float64. A row of the
/// result is the same bits whatever other rows stand beside it, as long as there are few (sixteen, or more where W is
/// of a smaller type).
public struct LinearProduct: FusedOperation {
    /// The name.
    public static let name = "linear"
    /// Yes: W.
    public static let readsQuantized = true

    /// Creates the operation.
    public init() {}

    /// Checks shapes and types.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 2 || inputs.count == 3 else {
            throw RondoError(
                .invalidArgument, "linear: needs x, a weight and perhaps a bias, got \(inputs.count) tensors")
        }
        try Self.check(inputs[0], weight: inputs[1], bias: inputs.count > 2 ? inputs[2] : nil)
    }

    fileprivate static func check(_ x: Tensor, weight: Tensor, bias: Tensor?) throws {
        guard x.rank == 2, weight.rank == 2, x.shape[1] == weight.shape[1],
            bias.map({ $0.rank == 1 && $0.shape[0] == weight.shape[0] }) ?? true
        else {
            throw RondoError(
                .shapeMismatch,
                "linear: needs x [..., inputs], a weight [outputs, inputs] and a bias [outputs]; got shapes "
                    + "\(x.shape), \(weight.shape)" + (bias.map { ", \($0.shape)" } ?? ""))
        }
        let type = weight.dtype.computationType
        guard DType.weightTypes.contains(weight.dtype), x.dtype == type, bias.map({ $0.dtype == type }) ?? true else {
            throw RondoError(
                .dtypeMismatch,
                "linear: operands have types \(x.dtype.rawValue), \(weight.dtype.rawValue)"
                    + (bias.map { ", \($0.dtype.rawValue)" } ?? "") + "; a weight may be of "
                    + "\(DType.weightTypes.map(\.rawValue).joined(separator: ", ")), x and the bias of float64 with "
                    + "float64, else of float32; cast them with cast(to:)")
        }
    }

    /// The matrix product of W cast to the type of x.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let product = try inputs[0].matmul(inputs[1].cast(to: inputs[0].dtype).transposed())
        return [inputs.count > 2 ? try product + inputs[2] : product]
    }
}

extension LinearProduct: CPUFusedOperation {
    /// Computes the products.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let y = try Self.product(inputs[0], weight: inputs[1], bias: inputs.count > 2 ? inputs[2] : nil)
        return FusedResult(outputs: [y], retained: .inputs)
    }

    fileprivate static func product(_ x: Tensor, weight: Tensor, bias: Tensor?) throws -> Tensor {
        let y = try Tensor.uninitialized(Shape(x.shape[0], weight.shape[0]), x.dtype)
        try WeightProduct(weight: weight, bias: bias)(x, into: y.mutableBytes)
        return y
    }

    /// dx = g W, dW = gᵀ x, db = Σ g.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let (x, weight, wanted) = (context.inputs[0], context.inputs[1], context.wanted)
        guard let g = cotangents[0] else { return wanted.map { _ in nil } }
        return [
            try wanted[0] ? g.matmul(weight.cast(to: g.dtype)) : nil,
            try wanted[1] ? g.transposed().matmul(x) : nil,
        ] + (wanted.count > 2 ? [try wanted[2] ? g.sum([0]) : nil] : [])
    }
}

extension Tensor {
    /// The affine map of the last axis, x Wᵀ + b: `[..., inputs]` to `[..., outputs]`.
    ///
    /// - Parameters:
    ///   - weight: W, `[outputs, inputs]`, of any of ``DType/weightTypes``; read as it is stored.
    ///   - bias: b, `[outputs]`, if there is one.
    /// - Returns: The products, of the type of x, which must be the weight's ``DType/computationType``.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public func linear(_ weight: Tensor, bias: Tensor? = nil) throws -> Tensor {
        guard rank == 2 else { return try mappingRows { rows in try rows.linear(weight, bias: bias) } }
        guard link == nil, weight.link == nil, bias?.link == nil, isOnCPU, weight.isOnCPU else {
            return try LinearProduct()([self, weight] + (bias.map { [$0] } ?? []))[0]
        }
        // Without derivatives nothing has to be kept, and no list of operands is made.
        try LinearProduct.check(self, weight: weight, bias: bias)
        return try LinearProduct.product(self, weight: weight, bias: bias)
    }
}

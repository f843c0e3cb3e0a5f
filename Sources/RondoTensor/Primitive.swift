/// The elementary operations that every backend computes and ``Primitive/gradients(_:_:)`` differentiates.
///
/// Anything else is a composition of these or a ``FusedOperation``, whose reference is such a composition.
public enum Primitive: Sendable, Hashable {
    // Elementwise.
    case unary(UnaryOperation)
    /// `scale * x + offset`
    case affine(scale: Double, offset: Double)
    /// `x ^ exponent`
    case power(exponent: Double)
    /// `min(max(x, low), high)`
    case clamp(low: Double, high: Double)
    /// Two operands, broadcast against each other.
    case binary(BinaryOperation)
    /// `mask != 0 ? a : b`, broadcast.
    case select
    /// The same values as another type.
    case cast(DType)
    /// The same values in dense memory.
    case copy

    // Along axes. Reduced axes stay, with extent 1.
    case reduce(ReduceOperation, axes: Shape)
    case cumulativeSum(axis: Int, reverse: Bool)
    case concatenate(axis: Int)

    // Matrices: `[..., m, k]` times `[..., k, n]`, leading axes broadcast.
    case matmul

    // Indices (int32).
    /// Rows of the first operand `[rows, ...]` at the second's indices: `[indices..., ...]`.
    case takeRows
    /// Elements along an axis at indices of the result's shape.
    case takeAlong(axis: Int)
    /// Adds rows of the first operand at the second's indices into `rows` zero rows: the transpose of `takeRows`.
    case scatterAddRows(rows: Int)
    /// Adds elements along an axis into zeros of that extent: the transpose of `takeAlong`.
    case scatterAddAlong(axis: Int, extent: Int)
    /// Index of the largest or smallest element along an axis, which stays with extent 1.
    case argument(smallest: Bool, axis: Int)
    /// Indices that sort along the last axis.
    case argumentSort(descending: Bool)

    // Views: no element moves.
    case reshape(Shape)
    case permute(Shape)
    case broadcast(Shape)
    case slice(axis: Int, start: Int, step: Int, count: Int)

    // Transposes of views.
    /// Zeros of `shape` into which the operand is written along an axis.
    case unslice(axis: Int, start: Int, step: Int, extent: Int)

    // Derivatives with a kernel of their own.
    /// Operands x, y = f(x) and the cotangent.
    case unaryGradient(UnaryOperation)
}

/// Functions of one element.
public enum UnaryOperation: String, Sendable, CaseIterable {
    case negate, abs, sign, exp, expm1, log, log1p, sqrt, rsqrt, reciprocal, square, sin, cos, tanh, sigmoid, relu
    /// x Φ(x)
    case gelu
    /// The tanh approximation of GELU.
    case geluTanh
    /// x σ(x)
    case silu
    case softplus, logSigmoid, erf, floor
    /// To the nearest integer, halves to even.
    case round
}

/// Functions of two elements.
///
/// Comparisons give 0 or 1 in the operands' type.
public enum BinaryOperation: String, Sendable, CaseIterable {
    case add, subtract, multiply, divide, power, maximum, minimum
    case equal, notEqual, less, lessEqual, greater, greaterEqual
}

/// Reductions of many elements to one.
public enum ReduceOperation: String, Sendable, CaseIterable {
    case sum, maximum, minimum, product
}

extension Primitive {
    /// The name in error messages.
    ///
    /// Spelled out, as it is asked for with every operation: taking it from a case's description takes microseconds.
    var name: String {
        switch self {
        case .unary(let operation), .unaryGradient(let operation): operation.rawValue
        case .binary(let operation): operation.rawValue
        case .reduce(let operation, _): operation.rawValue
        case .affine: "affine"
        case .power: "power"
        case .clamp: "clamp"
        case .select: "select"
        case .cast: "cast"
        case .copy: "copy"
        case .cumulativeSum: "cumulativeSum"
        case .concatenate: "concatenate"
        case .matmul: "matmul"
        case .takeRows: "takeRows"
        case .takeAlong: "takeAlong"
        case .scatterAddRows: "scatterAddRows"
        case .scatterAddAlong: "scatterAddAlong"
        case .argument: "argument"
        case .argumentSort: "argumentSort"
        case .reshape: "reshape"
        case .permute: "permute"
        case .broadcast: "broadcast"
        case .slice: "slice"
        case .unslice: "unslice"
        }
    }
}

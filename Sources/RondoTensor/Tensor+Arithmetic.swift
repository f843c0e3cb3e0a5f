extension Tensor {
    /// Elementwise sum, broadcast.
    public static func + (a: Tensor, b: Tensor) throws -> Tensor { try apply(.binary(.add), a, b) }
    /// Elementwise difference, broadcast.
    public static func - (a: Tensor, b: Tensor) throws -> Tensor { try apply(.binary(.subtract), a, b) }
    /// Elementwise product, broadcast.
    public static func * (a: Tensor, b: Tensor) throws -> Tensor { try apply(.binary(.multiply), a, b) }
    /// Elementwise quotient, broadcast.
    public static func / (a: Tensor, b: Tensor) throws -> Tensor { try apply(.binary(.divide), a, b) }
    /// Adds a number to each element.
    public static func + (a: Tensor, b: Double) throws -> Tensor { try a.affine(1, b) }
    /// Subtracts a number from each element.
    public static func - (a: Tensor, b: Double) throws -> Tensor { try a.affine(1, -b) }
    /// Multiplies each element by a number.
    public static func * (a: Tensor, b: Double) throws -> Tensor { try a.affine(b, 0) }
    /// Divides each element by a number.
    public static func / (a: Tensor, b: Double) throws -> Tensor { try a.affine(1 / b, 0) }
    /// Adds a number to each element.
    public static func + (a: Double, b: Tensor) throws -> Tensor { try b.affine(1, a) }
    /// Subtracts each element from a number.
    public static func - (a: Double, b: Tensor) throws -> Tensor { try b.affine(-1, a) }
    /// Multiplies each element by a number.
    public static func * (a: Double, b: Tensor) throws -> Tensor { try b.affine(a, 0) }
    /// Divides a number by each element.
    public static func / (a: Double, b: Tensor) throws -> Tensor { try b.unary(.reciprocal).affine(a, 0) }
    /// Changes the sign of each element.
    public static prefix func - (a: Tensor) throws -> Tensor { try a.unary(.negate) }

    /// `scale * self + offset` in one pass.
    public func affine(_ scale: Double, _ offset: Double) throws -> Tensor {
        try Tensor.apply(.affine(scale: scale, offset: offset), self)
    }

    /// Applies a function of one element to each.
    public func unary(_ operation: UnaryOperation) throws -> Tensor { try Tensor.apply(.unary(operation), self) }

    /// Each element to the power of a number.
    public func power(_ exponent: Double) throws -> Tensor { try Tensor.apply(.power(exponent: exponent), self) }

    /// Each element to the power of another.
    public func power(_ exponent: Tensor) throws -> Tensor { try Tensor.apply(.binary(.power), self, exponent) }

    /// Each element limited to `low...high`; NaN stays NaN.
    public func clamped(_ low: Double, _ high: Double) throws -> Tensor {
        try Tensor.apply(.clamp(low: low, high: high), self)
    }

    /// The larger of two elements.
    public func maximum(_ other: Tensor) throws -> Tensor { try Tensor.apply(.binary(.maximum), self, other) }
    /// The smaller of two elements.
    public func minimum(_ other: Tensor) throws -> Tensor { try Tensor.apply(.binary(.minimum), self, other) }

    /// e to the power of each element.
    public func exp() throws -> Tensor { try unary(.exp) }
    /// Natural logarithm.
    public func log() throws -> Tensor { try unary(.log) }
    /// Square root.
    public func sqrt() throws -> Tensor { try unary(.sqrt) }
    /// Square.
    public func square() throws -> Tensor { try unary(.square) }
    /// Absolute value.
    public func abs() throws -> Tensor { try unary(.abs) }
    /// Hyperbolic tangent.
    public func tanh() throws -> Tensor { try unary(.tanh) }
    /// Logistic function.
    public func sigmoid() throws -> Tensor { try unary(.sigmoid) }
    /// Computes max(x, 0).
    public func relu() throws -> Tensor { try unary(.relu) }
    /// x Φ(x), exact.
    public func gelu() throws -> Tensor { try unary(.gelu) }
    /// Computes x σ(x).
    public func silu() throws -> Tensor { try unary(.silu) }
    /// log(1 + eˣ), without overflow.
    public func softplus() throws -> Tensor { try unary(.softplus) }
    /// log σ(x), without overflow.
    public func logSigmoid() throws -> Tensor { try unary(.logSigmoid) }

    /// 1 where equal, else 0, in the operands' type.
    public func equal(to other: Tensor) throws -> Tensor { try Tensor.apply(.binary(.equal), self, other) }
    /// 1 where not equal, else 0.
    public func notEqual(to other: Tensor) throws -> Tensor { try Tensor.apply(.binary(.notEqual), self, other) }
    /// 1 where less, else 0.
    public func less(than other: Tensor) throws -> Tensor { try Tensor.apply(.binary(.less), self, other) }
    /// 1 where less or equal, else 0.
    public func lessOrEqual(to other: Tensor) throws -> Tensor { try Tensor.apply(.binary(.lessEqual), self, other) }
    /// 1 where greater, else 0.
    public func greater(than other: Tensor) throws -> Tensor { try Tensor.apply(.binary(.greater), self, other) }
    /// 1 where greater or equal, else 0.
    public func greaterOrEqual(to other: Tensor) throws -> Tensor {
        try Tensor.apply(.binary(.greaterEqual), self, other)
    }

    /// Elements of `a` where the mask is not 0, of `b` elsewhere, all broadcast.
    ///
    /// No derivative flows to the mask.
    public static func select(_ mask: Tensor, _ a: Tensor, _ b: Tensor) throws -> Tensor {
        try apply(.select, [mask.detached(), a, b])
    }

    /// Matrix product over the last two axes; leading axes are broadcast: `[..., m, k]` times `[..., k, n]`.
    ///
    /// Transposed operands are used as they are, without copies.
    public func matmul(_ other: Tensor) throws -> Tensor { try Tensor.apply(.matmul, self, other) }
}

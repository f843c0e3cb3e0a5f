/// Complex numbers as a pair of real tensors of one shape: derivatives and broadcasting come from the real ones.
public struct ComplexTensor: Sendable {
    /// The real parts.
    public var real: Tensor
    /// The imaginary parts.
    public var imaginary: Tensor

    /// Creates complex numbers from their parts.
    public init(_ real: Tensor, _ imaginary: Tensor) {
        self.real = real
        self.imaginary = imaginary
    }

    /// Creates complex numbers from modulus and angle.
    public init(modulus: Tensor, angle: Tensor) throws {
        self.init(try modulus * angle.unary(.cos), try modulus * angle.unary(.sin))
    }

    /// The extents.
    public var shape: Shape { real.shape }

    /// Sum.
    public static func + (a: ComplexTensor, b: ComplexTensor) throws -> ComplexTensor {
        ComplexTensor(try a.real + b.real, try a.imaginary + b.imaginary)
    }

    /// Difference.
    public static func - (a: ComplexTensor, b: ComplexTensor) throws -> ComplexTensor {
        ComplexTensor(try a.real - b.real, try a.imaginary - b.imaginary)
    }

    /// Product.
    public static func * (a: ComplexTensor, b: ComplexTensor) throws -> ComplexTensor {
        ComplexTensor(
            try a.real * b.real - a.imaginary * b.imaginary, try a.real * b.imaginary + a.imaginary * b.real)
    }

    /// Quotient.
    public static func / (a: ComplexTensor, b: ComplexTensor) throws -> ComplexTensor {
        let scale = try b.squaredModulus()
        let product = try a * b.conjugate()
        return ComplexTensor(try product.real / scale, try product.imaginary / scale)
    }

    /// The same real parts with the signs of the imaginary parts changed.
    public func conjugate() throws -> ComplexTensor { ComplexTensor(real, try -imaginary) }

    /// Computes |z|².
    public func squaredModulus() throws -> Tensor { try real.square() + imaginary.square() }

    /// e to the power of each number.
    public func exp() throws -> ComplexTensor { try ComplexTensor(modulus: real.exp(), angle: imaginary) }

    /// Sum over axes (all by default).
    public func sum(_ axes: Shape? = nil, keepingAxes: Bool = false) throws -> ComplexTensor {
        ComplexTensor(
            try real.sum(axes, keepingAxes: keepingAxes), try imaginary.sum(axes, keepingAxes: keepingAxes))
    }
}

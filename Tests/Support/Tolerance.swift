public import RondoTensor

/// How far two computations of the same thing may be apart: one formula for every test.
///
/// `margin · ε · depth · √length`: rounding errors of a sum of `length` terms grow like its root, and add up over
/// `depth` operations one after the other. Differences are measured against the largest magnitude of the expected
/// tensor, at least 1: an element near zero in a tensor of large ones was rounded like those.
public struct Tolerance: Sendable {
    /// The largest relative difference.
    public let relative: Double

    /// Creates the tolerance of a computation in a type.
    public init(_ dtype: DType, length: Int = 1, depth: Int = 1) {
        let epsilon: Double =
            switch dtype {
            case .float64: 0x1p-52
            case .bfloat16: 0x1p-8
            case .float16: 0x1p-11
            case .float32, .int32, .int8, .quantized8, .quantized4: 0x1p-23
            }
        relative = 8 * epsilon * Double(max(1, depth)) * Double(max(1, length)).squareRoot()
    }

    /// Says how `actual` misses `expected`, or `nil` if it does not.
    ///
    /// NaN never fits.
    public func mismatch(_ actual: Tensor, _ expected: Tensor) throws -> String? {
        guard actual.shape == expected.shape else { return "shape \(actual.shape), expected \(expected.shape)" }
        let found = try actual.detached().cast(to: .float64).array(of: Double.self)
        let wanted = try expected.detached().cast(to: .float64).array(of: Double.self)
        let limit = relative * wanted.reduce(1) { max($0, $1.isFinite ? abs($1) : 0) }
        for (index, (a, b)) in zip(found, wanted).enumerated() where a != b && !(abs(a - b) <= limit) {
            return "element \(index) of shape \(actual.shape) is \(a), expected \(b) within \(limit)"
        }
        return nil
    }
}

/// Whether two tensors hold the same bits under the same shape and type.
public func sameBits(_ a: Tensor, _ b: Tensor) throws -> Bool {
    guard a.shape == b.shape, a.dtype == b.dtype else { return false }
    return try a.withUnsafeBytes { first in try b.withUnsafeBytes { second in first.elementsEqual(second) } }
}

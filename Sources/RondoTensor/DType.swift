internal import CRondoKernels

/// The type of a tensor's elements.
///
/// Arithmetic is defined for `float32` and `float64`, and through them for `int32`; the others hold data and are cast
/// before they are computed with. The weight of ``Tensor/linear(_:bias:)`` may be of any of the ``weightTypes``: it is
/// read as it is stored.
public enum DType: String, Sendable, Hashable, Codable, CaseIterable {
    case float32
    case float64
    case int32
    case bfloat16
    case float16
    case int8
    /// Signed 8-bit codes with a scale (bfloat16) per 32 neighbours of a row; 8.5 bits per element.
    ///
    /// The error is about 0.54 % of the elements' root mean square where they are normally distributed.
    case quantized8
    /// 4-bit codes of 16 unevenly spaced levels with a scale (bfloat16) per 32 neighbours of a row; 4.5 bits per element.
    ///
    /// The error is about 7.6 % of the elements' root mean square where they are normally distributed.
    case quantized4

    /// How many neighbours in a row are stored together.
    ///
    /// Rows (of the last axis) of the quantised types are filled up to whole blocks; all other types have blocks of one
    /// element.
    public var blockLength: Int { isQuantized ? Int(RK_BLOCK) : 1 }

    /// Whether elements are stored in blocks, and can be had from them only by casting.
    public var isQuantized: Bool { self == .quantized8 || self == .quantized4 }

    /// Bytes of one block of ``blockLength`` elements: of one element, but for the quantised types.
    public var byteCount: Int {
        switch self {
        case .quantized8: Int(RK_BLOCK8_BYTES)
        case .quantized4: Int(RK_BLOCK4_BYTES)
        case .float64: 8
        case .float32, .int32: 4
        case .bfloat16, .float16: 2
        case .int8: 1
        }
    }

    /// The types that a matrix of weights can have, the most exact first.
    public static let weightTypes: [DType] = [.float64, .float32, .float16, .bfloat16, .quantized8, .quantized4]

    /// The type in which elements of this type are computed with, and which the results have.
    public var computationType: DType { self == .float64 ? .float64 : .float32 }

    /// The blocks that a row of `count` elements takes.
    func blockCount(_ count: Int) -> Int { count / blockLength + (count % blockLength > 0 ? 1 : 0) }

    /// The elements that a row of `count` takes room for.
    func paddedCount(_ count: Int) -> Int { isQuantized ? blockCount(count) * blockLength : count }

    /// The bytes that a dense tensor of a shape takes, or `nil` if that overflows.
    public func byteCount(shape: some Collection<Int>) -> Int? {
        var bytes = byteCount
        for (axis, extent) in shape.enumerated() {
            let blocks = axis == shape.count - 1 ? blockCount(extent) : extent
            let (product, overflow) = bytes.multipliedReportingOverflow(by: blocks)
            guard !overflow else { return nil }
            bytes = product
        }
        return bytes
    }

    /// Whether derivatives flow through tensors of this type.
    public var isDifferentiable: Bool { self == .float32 || self == .float64 }

    /// The kernels' name of this type as an element to store and convert.
    var storageKind: rk_storage {
        switch self {
        case .float32: RK_S_FLOAT32
        case .float64: RK_S_FLOAT64
        case .int32: RK_S_INT32
        case .bfloat16: RK_S_BFLOAT16
        case .float16: RK_S_FLOAT16
        case .int8: RK_S_INT8
        case .quantized8: RK_S_QUANTIZED8
        case .quantized4: RK_S_QUANTIZED4
        }
    }

    /// The refusal of an operation that cannot read elements of this type.
    func needsCast(_ operation: String) -> RondoError {
        RondoError(
            .dtypeMismatch, "\(operation): does not compute with \(rawValue); cast to float32 or float64 first")
    }

    /// The kernels' name of this type as an element to compute with.
    func kernelType(_ operation: String) throws -> rk_type {
        switch self {
        case .float32: return RK_FLOAT32
        case .float64: return RK_FLOAT64
        default: throw needsCast(operation)
        }
    }
}

/// A Swift type that can be an element of a tensor.
public protocol TensorElement: Sendable {
    /// The tensor element type of the same layout.
    static var dtype: DType { get }
}

extension Float: TensorElement {
    /// `float32`.
    public static var dtype: DType { .float32 }
}

extension Double: TensorElement {
    /// `float64`.
    public static var dtype: DType { .float64 }
}

extension Int32: TensorElement {
    /// `int32`.
    public static var dtype: DType { .int32 }
}

extension Int8: TensorElement {
    /// `int8`.
    public static var dtype: DType { .int8 }
}

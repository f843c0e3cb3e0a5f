internal import CRondoKernels

/// The type of a tensor's elements.
///
/// Arithmetic is defined for `float32` and `float64`, and through them for `int32`; the others hold data
/// (weights, quantised values) and are cast before they are computed with.
public enum DType: String, Sendable, Hashable, Codable, CaseIterable {
    case float32
    case float64
    case int32
    case bfloat16
    case float16
    case int8

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .float64: 8
        case .float32, .int32: 4
        case .bfloat16, .float16: 2
        case .int8: 1
        }
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
        }
    }

    /// The kernels' name of this type as an element to compute with.
    func kernelType(_ operation: String) throws -> rk_type {
        switch self {
        case .float32: return RK_FLOAT32
        case .float64: return RK_FLOAT64
        default:
            throw RondoError(
                .dtypeMismatch,
                "\(operation): does not compute with \(rawValue); cast to float32 or float64 first")
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

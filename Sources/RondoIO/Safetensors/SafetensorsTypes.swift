import RondoTensor

/// The element types of safetensors files.
public enum SafetensorsDType: String, Sendable, Hashable, CaseIterable {
    /// IEEE double precision.
    case float64 = "F64"
    /// IEEE single precision.
    case float32 = "F32"
    /// IEEE half precision.
    case float16 = "F16"
    /// The upper half of single precision.
    case bfloat16 = "BF16"
    /// Signed, 64 bits.
    case int64 = "I64"
    /// Signed, 32 bits.
    case int32 = "I32"
    /// Signed, 16 bits.
    case int16 = "I16"
    /// Signed, 8 bits.
    case int8 = "I8"
    /// Unsigned, 64 bits.
    case uint64 = "U64"
    /// Unsigned, 32 bits.
    case uint32 = "U32"
    /// Unsigned, 16 bits.
    case uint16 = "U16"
    /// Unsigned, 8 bits.
    case uint8 = "U8"
    /// One byte per truth value, 0 or 1.
    case bool = "BOOL"

    /// Bytes per element.
    public var itemSize: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .int8, .uint8, .bool: 1
        }
    }

    /// The bytes that a tensor of a shape takes, or `nil` if a dimension is negative or the product overflows.
    ///
    /// - Parameter shape: The dimensions; empty for a scalar.
    /// - Returns: The size in bytes.
    public func byteCount(shape: [Int]) -> Int? {
        guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
        if shape.contains(0) { return 0 }
        return shape.reduce(itemSize as Int?) { total, dimension in
            guard let (product, overflow) = total?.multipliedReportingOverflow(by: dimension), !overflow else {
                return nil
            }
            return product
        }
    }
}

/// A tensor on its way into a safetensors file: a description, and a way to get at the bytes when their turn comes.
public struct SafetensorsTensor {
    /// Receives little-endian, row-major bytes, in one piece or many.
    public typealias Sink = (UnsafeRawBufferPointer) throws -> Void

    /// The name, unique in its file.
    public var name: String
    /// The element type.
    public var dtype: SafetensorsDType
    /// The dimensions; empty for a scalar.
    public var shape: [Int]
    /// Hands all bytes to the sink, in order.
    public var writeBytes: (Sink) throws -> Void

    /// Describes a tensor.
    ///
    /// - Parameters:
    ///   - name: The name, unique in its file.
    ///   - dtype: The element type.
    ///   - shape: The dimensions; empty for a scalar.
    ///   - writeBytes: Hands all bytes (little-endian, row-major) to the sink, in order, in as many pieces as it likes.
    public init(
        name: String, dtype: SafetensorsDType, shape: [Int], writeBytes: @escaping (_ sink: Sink) throws -> Void
    ) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.writeBytes = writeBytes
    }

    /// Describes a tensor whose bytes are at hand.
    ///
    /// - Parameters:
    ///   - name: The name, unique in its file.
    ///   - dtype: The element type.
    ///   - shape: The dimensions; empty for a scalar.
    ///   - bytes: All bytes, little-endian, row-major.
    public init(name: String, dtype: SafetensorsDType, shape: [Int], bytes: [UInt8]) {
        self.init(name: name, dtype: dtype, shape: shape) { sink in try bytes.withUnsafeBytes { try sink($0) } }
    }
}

/// What the reader and the writer have to agree on.
enum SafetensorsFormat {
    /// The largest header that the reference implementation accepts.
    static let maximumHeaderSize = 100_000_000
    static let metadataKey = "__metadata__"
    static let checksumKey = "rondo_checksum"
    static let checksumPrefix = "crc32c:"
    static let blankChecksum = checksumPrefix + "00000000"

    /// The check value as it stands in the header, always eight digits.
    static func checksumText(_ check: CRC32C) -> String {
        let digits = String(check.value, radix: 16)
        return checksumPrefix + String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// Where the member with the checksum stands in a header that carries `value`, written the way our writer does.
    static func checksumRange(in header: UnsafeRawBufferPointer, value: String) -> Range<Int>? {
        let pattern = Array("\"\(checksumKey)\":\"\(value)\"".utf8)
        guard pattern.count <= header.count else { return nil }
        let start = (0...(header.count - pattern.count)).first { offset in
            header[offset] == pattern[0] && header[offset..<(offset + pattern.count)].elementsEqual(pattern)
        }
        return start.map { ($0 + pattern.count - 1 - value.utf8.count)..<($0 + pattern.count - 1) }
    }
}

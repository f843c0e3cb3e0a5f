/// Reading UTF-8 bytes without `String`.
enum UTF8Text {
    /// The scalar that stands for bytes that are not UTF-8.
    static let replacement: UInt32 = 0xFFFD

    /// The scalar at `index` and its length; a byte that begins no well-formed character counts as U+FFFD, length 1.
    @inline(__always)
    static func scalar(
        _ bytes: UnsafePointer<UInt8>, at index: Int, end: Int
    ) -> (value: UInt32, length: Int) {
        let lead = bytes[index]
        if lead < 0x80 { return (UInt32(lead), 1) }
        return longScalar(bytes, at: index, end: end)
    }

    @inline(never)
    private static func longScalar(
        _ bytes: UnsafePointer<UInt8>, at index: Int, end: Int
    ) -> (value: UInt32, length: Int) {
        let lead = UInt32(bytes[index])
        let length = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1
        guard length > 1, index + length <= end else { return (replacement, 1) }
        var value = lead & (0x7F >> UInt32(length))
        for offset in 1..<length {
            let byte = UInt32(bytes[index + offset])
            guard byte & 0xC0 == 0x80 else { return (replacement, 1) }
            value = value << 6 | (byte & 0x3F)
        }
        let isOverlong = length == 3 ? value < 0x800 : length == 4 && value < 0x10000
        let isOutside = value > 0x10FFFF || (0xD800..<0xE000).contains(value)
        return isOverlong || isOutside ? (replacement, 1) : (value, length)
    }

    /// The position of the scalar that ends before `index`.
    @inline(__always)
    static func start(_ bytes: UnsafePointer<UInt8>, before index: Int, begin: Int) -> Int {
        var start = index - 1
        while start > begin, index - start < 4, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        // Malformed bytes are scalars of their own.
        return scalar(bytes, at: start, end: index).length == index - start ? start : index - 1
    }

    /// Appends the UTF-8 form of a scalar.
    @inline(__always)
    static func append(_ value: UInt32, to bytes: inout [UInt8]) {
        switch value {
        case 0..<0x80:
            bytes.append(UInt8(truncatingIfNeeded: value))
        case 0x80..<0x800:
            bytes.append(UInt8(truncatingIfNeeded: 0xC0 | value >> 6))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
        case 0x800..<0x10000:
            bytes.append(UInt8(truncatingIfNeeded: 0xE0 | value >> 12))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | value >> 6 & 0x3F))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
        default:
            bytes.append(UInt8(truncatingIfNeeded: 0xF0 | value >> 18))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | value >> 12 & 0x3F))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | value >> 6 & 0x3F))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
        }
    }

    /// Whether all bytes are well-formed UTF-8.
    static func isWellFormed(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        var index = 0
        while index < bytes.count {
            if base[index] < 0x80 {
                index += 1
                continue
            }
            let (_, length) = longScalar(base, at: index, end: bytes.count)
            guard length > 1 else { return false }
            index += length
        }
        return true
    }

    /// The bytes with every maximal ill-formed part replaced by U+FFFD, as decoders of UTF-8 do.
    static func repaired(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        Array(String(decoding: bytes, as: UTF8.self).utf8)
    }

    /// The scalars of well-formed bytes.
    static func scalars(of bytes: [UInt8]) -> [UInt32] {
        String(decoding: bytes, as: UTF8.self).unicodeScalars.map(\.value)
    }
}

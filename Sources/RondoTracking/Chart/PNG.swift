import CZlib
import RondoTensor

/// Encodes pixels as a PNG file.
enum PNG {
    private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    /// Encodes 8-bit RGB pixels, row by row.
    static func encode(width: Int, height: Int, pixels: [UInt8]) throws -> [UInt8] {
        let rowSize = width * 3
        var rows: [UInt8] = []
        rows.reserveCapacity((rowSize + 1) * height)
        for row in 0..<height {
            // Filter 2: the difference to the row above, which suits flat areas.
            rows.append(2)
            for index in (row * rowSize)..<((row + 1) * rowSize) {
                rows.append(pixels[index] &- (row > 0 ? pixels[index - rowSize] : 0))
            }
        }
        let header = bigEndian(UInt32(width)) + bigEndian(UInt32(height)) + [8, 2, 0, 0, 0]
        return try signature + chunk("IHDR", header) + chunk("IDAT", deflate(rows)) + chunk("IEND", [])
    }

    private static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + data
        let check = body.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
        return bigEndian(UInt32(data.count)) + body + bigEndian(UInt32(truncatingIfNeeded: check))
    }

    private static func deflate(_ bytes: [UInt8]) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: Int(compressBound(uLong(bytes.count)))) { buffer, count in
            var size = uLong(buffer.count)
            let status = compress2(buffer.baseAddress, &size, bytes, uLong(bytes.count), 9)
            guard status == Z_OK else { throw RondoError(.unavailable, "PNG: zlib failed with status \(status)") }
            count = Int(size)
        }
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}

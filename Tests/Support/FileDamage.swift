import RondoIO
import RondoTensor

/// Damages copies of a file: cut short at many places, and with single bits flipped.
public struct FileDamage {
    private let bytes: [UInt8]
    private let path: String

    /// Reads the file that will be damaged.
    public init(_ path: String) throws {
        self.path = path
        bytes = try FileSystem.readBytes(path)
    }

    /// Writes one damaged version after the other, calls `body` for each, and mends the file at the end.
    ///
    /// - Parameters:
    ///   - places: How many places are tried for each kind of damage.
    ///   - body: Told what was done.
    /// - Throws: What `body` throws.
    public func forEach(places: Int, _ body: (String) throws -> Void) throws {
        defer { try? AtomicFile.write(bytes, to: path) }
        let stride = max(1, bytes.count / places)
        for offset in Set(Swift.stride(from: 0, to: bytes.count, by: stride)).union([1, 7, 8, 9, bytes.count - 1])
            .sorted()
        where offset < bytes.count {
            try AtomicFile.write(Array(bytes[..<offset]), to: path)
            try body("cut to \(offset) of \(bytes.count) bytes")
            var flipped = bytes
            flipped[offset] ^= 1 << UInt8(offset % 8)
            try AtomicFile.write(flipped, to: path)
            try body("bit \(offset % 8) of byte \(offset) flipped")
        }
    }
}

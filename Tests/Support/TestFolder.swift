import RondoIO
public import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A folder for one test, removed with the last reference.
public final class TestFolder {
    /// The path.
    public let path: String

    /// Makes a new empty folder.
    public init() throws {
        var template = Array("/tmp/rondo-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw RondoError.system("create", "/tmp", errno: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileSystem.remove(path) }

    /// The path of a file or folder inside.
    public func file(_ name: String) -> String { FileSystem.join(path, name) }
}

/// Runs a closure that must throw a `RondoError`, and returns that error.
public func requireRondoError(_ body: () throws -> Void) throws -> RondoError {
    do { try body() } catch let error as RondoError { return error }
    throw RondoError(.invalidArgument, "no error was thrown")
}

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

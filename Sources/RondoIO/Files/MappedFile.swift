import Glibc
import RondoTensor

/// A file whose bytes are read on demand, straight from the system's page cache.
///
/// Files written by `AtomicFile` are never changed in place, so a mapping stays valid when its file is replaced.
/// Other programs must not change a file while it is mapped: shortening it ends the process (SIGBUS) at the next access
/// beyond the new end, writing into it changes values that have been checked. That holds as long as any tensor sees the
/// file's memory; replacing the file by another one (renaming) is harmless.
public final class MappedFile: @unchecked Sendable {
    // Unchecked: the mapping is read-only and lives exactly as long as the object.
    /// The path it was opened with.
    public let path: String
    /// The size in bytes.
    public let count: Int
    private let base: UnsafeRawPointer?

    /// Maps a file.
    ///
    /// - Parameter path: A regular file; it may be empty.
    /// - Throws: `RondoError` that names the path.
    public init(_ path: String) throws {
        self.path = path
        let descriptor = try Descriptor(opening: path, O_RDONLY | O_NONBLOCK, action: "open")
        let status = try descriptor.status()
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw RondoError(
                .invalidArgument, "cannot map '\(path)': it is a folder, device or pipe; name a regular file")
        }
        count = Int(status.st_size)
        guard count > 0 else {
            base = nil
            return
        }
        let mapping = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor.raw, 0)
        guard let mapping, mapping != MAP_FAILED else { throw RondoError.system("map", path, errno: errno) }
        base = UnsafeRawPointer(mapping)
    }

    deinit {
        if let base { munmap(UnsafeMutableRawPointer(mutating: base), count) }
    }

    /// Lends the bytes for the duration of a closure.
    ///
    /// - Parameter body: Reads the bytes; the pointer must not outlive the call.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }
}

import Glibc
import RondoTensor

/// A log file that only grows, except when its tail is cut off on purpose.
public final class AppendOnlyFile: Sendable {
    /// The path it was opened with.
    public let path: String
    private let descriptor: Descriptor

    /// Opens a file for appending, creating it if it is missing.
    ///
    /// - Parameter path: The file.
    /// - Throws: `RondoError` that names the path.
    public init(_ path: String) throws {
        self.path = path
        descriptor = try Descriptor(opening: path, O_RDWR | O_APPEND | O_CREAT, action: "open")
    }

    /// Appends bytes; they survive the end of the process, and of the machine after `synchronize`.
    ///
    /// If the disk takes only a part, that part is cut off again.
    /// - Parameter bytes: One whole record.
    /// - Throws: `RondoError` that names the path, for example on a full disk.
    public func append(_ bytes: [UInt8]) throws {
        let before = try descriptor.size()
        do {
            try bytes.withUnsafeBytes { try descriptor.writeAll($0) }
        } catch {
            try? descriptor.truncate(to: before)
            throw error
        }
    }

    /// Waits until everything appended is on the disk.
    ///
    /// - Throws: `RondoError` that names the path.
    public func synchronize() throws { try descriptor.synchronize() }

    /// Cuts off the tail of the file.
    ///
    /// - Parameter size: Bytes to keep.
    /// - Throws: `RondoError` that names the path.
    public func truncate(to size: Int) throws { try descriptor.truncate(to: size) }

    /// The size of the file in bytes.
    ///
    /// - Returns: The size.
    /// - Throws: `RondoError` that names the path.
    public func size() throws -> Int { try descriptor.size() }
}

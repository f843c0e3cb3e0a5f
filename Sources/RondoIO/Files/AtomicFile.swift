import Glibc
import RondoTensor

/// Writes files that are either complete or not there at all.
///
/// The content goes to a temporary file in the same folder, is flushed to the disk, and then takes the final name in
/// one step. Whatever happens before that step (an error, a full disk, a killed process), the old file stays as it was.
public enum AtomicFile {
    /// Writes a file through a closure.
    ///
    /// - Parameters:
    ///   - path: The file to create or replace; a symbolic link is followed.
    ///   - body: Writes the content.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, or a `RondoError` that names the path; the temporary file is gone in both cases.
    @discardableResult
    public static func write<Result>(to path: String, _ body: (FileWriter) throws -> Result) throws -> Result {
        let destination = FileSystem.canonical(path)
        let mode = try modeForReplacing(destination, shownAs: path)
        var descriptor: Descriptor?
        let temporary = try TemporaryEntry(for: destination) { candidate in
            descriptor = try createExclusively(candidate, mode: mode, shownAs: path)
            return descriptor != nil
        }
        guard let descriptor else { throw RondoError.system("create", path, errno: EIO) }
        let writer = FileWriter(descriptor)
        let result = try body(writer)
        try writer.finish()
        try temporary.publish(to: destination)
        return result
    }

    /// Writes bytes to a file.
    ///
    /// - Parameters:
    ///   - bytes: The whole content.
    ///   - path: The file to create or replace.
    /// - Throws: `RondoError` that names the path.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        try write(to: path) { try $0.write(bytes) }
    }

    /// Writes text to a file as UTF-8.
    ///
    /// - Parameters:
    ///   - text: The whole content.
    ///   - path: The file to create or replace.
    /// - Throws: `RondoError` that names the path.
    public static func write(_ text: String, to path: String) throws {
        try write(to: path) { try $0.write(text) }
    }

    /// The permissions for the new file: those of the one it replaces, or the usual ones.
    private static func modeForReplacing(_ destination: String, shownAs path: String) throws -> mode_t? {
        switch FileSystem.kind(of: destination) {
        case nil: return nil
        case .folder: throw RondoError.system("write", path, errno: EISDIR)
        case .other:
            throw RondoError(.invalidArgument, "cannot replace '\(path)': it is a device or pipe; name a regular file")
        case .file:
            var status = stat()
            return stat(destination, &status) == 0 ? status.st_mode & 0o7777 : nil
        }
    }

    private static func createExclusively(_ candidate: String, mode: mode_t?, shownAs path: String) throws
        -> Descriptor?
    {
        do {
            let descriptor = try Descriptor(
                opening: candidate, O_WRONLY | O_CREAT | O_EXCL, action: "write", shownAs: path)
            if let mode { fchmod(descriptor.raw, mode) }
            return descriptor
        } catch let error as RondoError where error.code == .conflict {
            return nil
        }
    }
}

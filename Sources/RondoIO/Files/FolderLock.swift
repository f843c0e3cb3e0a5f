import Glibc
import RondoTensor

/// An advisory lock on a folder, held until the object goes or the process ends, however it ends.
public final class FolderLock: Sendable {
    /// The name of the lock file inside the folder.
    public static let fileName = ".lock"

    private let descriptor: Descriptor

    /// Locks a folder for this process.
    ///
    /// - Parameter folder: An existing folder.
    /// - Throws: `RondoError` with code `conflict` and the holder's process number if the folder is in use.
    public init(_ folder: String) throws {
        let path = FileSystem.join(folder, Self.fileName)
        descriptor = try Descriptor(opening: path, O_RDWR | O_CREAT, action: "lock", shownAs: folder)
        if retryingInterrupts({ flock(descriptor.raw, LOCK_EX | LOCK_NB) }) == nil {
            guard errno == EWOULDBLOCK else { throw RondoError.system("lock", folder, errno: errno) }
            throw Self.inUse(folder, holder: try? FileSystem.readText(path))
        }
        try descriptor.truncate(to: 0)
        try Array("\(getpid())\n".utf8).withUnsafeBytes { try descriptor.writeAll($0, at: 0) }
    }

    private static func inUse(_ folder: String, holder: String?) -> RondoError {
        let process = holder.flatMap { $0.split(whereSeparator: \.isWhitespace).first }.map { "process \($0)" }
        return RondoError(
            .conflict,
            "'\(folder)' is in use by \(process ?? "another process"); wait until it ends, stop it, or choose another "
                + "folder"
        )
    }
}

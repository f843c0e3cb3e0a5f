import Glibc
import RondoTensor

/// Publishes folders that are either complete or not there at all.
public enum AtomicDirectory {
    /// Fills a folder under a temporary name, flushes it to the disk and renames it into place.
    ///
    /// - Parameters:
    ///   - path: The folder to publish; the folder above it must exist.
    ///   - replacing: Whether a folder of that name may be replaced; otherwise it is an error.
    ///   - body: Fills the folder whose path it is given.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, or a `RondoError` that names the path; what was there before stays.
    @discardableResult
    public static func publish<Result>(
        to path: String, replacing: Bool = false, _ body: (_ folder: String) throws -> Result
    ) throws -> Result {
        let destination = FileSystem.canonical(path)
        try checkDestination(destination, shownAs: path, replacing: replacing)
        let temporary = try makeTemporary(for: destination, shownAs: path)
        let result = try body(temporary.path)
        try synchronize(temporary.path)
        if replacing, FileSystem.kind(of: destination) == .folder {
            try exchange(temporary, with: destination)
        } else {
            try temporary.publish(to: destination)
        }
        return result
    }

    /// Removes a folder so that no observer ever sees a part of it under its own name.
    ///
    /// - Parameter path: The folder; nothing happens if it is missing.
    /// - Throws: `RondoError` that names the path.
    public static func remove(_ path: String) throws {
        let destination = FileSystem.canonical(path)
        guard FileSystem.kind(of: destination) != nil else { return }
        let grave = try makeTemporary(for: destination, shownAs: path)
        try FileSystem.rename(destination, to: grave.path)
        try FileSystem.synchronizeFolder(FileSystem.parent(of: destination))
        try FileSystem.remove(grave.path)
    }

    private static func checkDestination(_ destination: String, shownAs path: String, replacing: Bool) throws {
        let kind = FileSystem.kind(of: destination)
        if kind == nil || (kind == .folder && replacing) { return }
        throw RondoError(
            .conflict, "cannot create the folder '\(path)': it exists already; choose another name or remove it")
    }

    private static func makeTemporary(for destination: String, shownAs path: String) throws -> TemporaryEntry {
        try TemporaryEntry(for: destination) { candidate in
            if mkdir(candidate, 0o777) == 0 { return true }
            if errno == EEXIST { return false }
            throw RondoError.system("create the folder", path, errno: errno)
        }
    }

    private typealias Rename =
        @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32

    /// Linux's rename that can swap two names; the C library's module does not show it.
    private static let renameat2 = dlsym(nil, "renameat2").map { unsafeBitCast($0, to: Rename.self) }

    /// Swaps the new folder with the old one, which is then the temporary that gets removed.
    ///
    /// One system call does both, so that a process killed at any moment leaves one of them in place. File systems
    /// without it get two renames.
    private static func exchange(_ temporary: TemporaryEntry, with destination: String) throws {
        if let swap = renameat2 {
            let exchangeFlag: UInt32 = 1 << 1
            if swap(AT_FDCWD, temporary.path, AT_FDCWD, destination, exchangeFlag) == 0 {
                return try FileSystem.synchronizeFolder(FileSystem.parent(of: destination))
            }
            guard errno == EINVAL || errno == ENOSYS else {
                throw RondoError.system("replace the folder", destination, errno: errno)
            }
        }
        let aside = try makeTemporary(for: destination, shownAs: destination)
        // The old folder must outlive the attempt, so that it can be put back.
        defer { withExtendedLifetime(aside) {} }
        try FileSystem.rename(destination, to: aside.path)
        do {
            try temporary.publish(to: destination)
        } catch {
            try FileSystem.rename(aside.path, to: destination)
            throw error
        }
    }

    private static func synchronize(_ folder: String) throws {
        for name in try FileSystem.list(folder) {
            let path = FileSystem.join(folder, name)
            switch FileSystem.kind(of: path) {
            case .folder: try synchronize(path)
            case .file: try Descriptor(opening: path, O_RDONLY, action: "flush to disk").synchronize()
            case .other, nil: break
            }
        }
        try FileSystem.synchronizeFolder(folder)
    }
}

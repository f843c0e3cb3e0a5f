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

    /// Moves the old folder aside and the new one in; the old one is then the temporary that gets removed.
    private static func exchange(_ temporary: TemporaryEntry, with destination: String) throws {
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

import Glibc
import RondoTensor
import Synchronization

/// A file or folder under a temporary name, next to where it will be published.
///
/// The name is `.tmp-<process>-<number>-<final name>`, so that what a killed process left behind can be told from work
/// in progress. It is removed when this object goes, unless it was published.
final class TemporaryEntry {
    let path: String
    private var isPublished = false

    private static let prefix = ".tmp-"
    private static let active = Mutex<Set<String>>([])
    private static let counter = Atomic<Int>(0)

    /// Reserves a name and calls `create` with it, again with another name while that one is taken.
    init(for destination: String, create: (_ path: String) throws -> Bool) throws {
        let folder = FileSystem.parent(of: destination)
        // The final name is there for people; a long one must not push the temporary name over the system's limit.
        let suffix = String(decoding: Array(FileSystem.name(of: destination).utf8.prefix(200)), as: UTF8.self)
        while true {
            let number = Self.counter.add(1, ordering: .relaxed).newValue
            let candidate = FileSystem.join(folder, "\(Self.prefix)\(getpid())-\(number)-\(suffix)")
            _ = Self.active.withLock { $0.insert(candidate) }
            do {
                if try create(candidate) {
                    path = candidate
                    return
                }
            } catch {
                Self.forget(candidate)
                throw error
            }
            Self.forget(candidate)
        }
    }

    deinit {
        if !isPublished { try? FileSystem.remove(path) }
        Self.forget(path)
    }

    /// Renames into place and waits until the new name is on the disk.
    func publish(to destination: String) throws {
        try FileSystem.rename(path, to: destination)
        isPublished = true
        try FileSystem.synchronizeFolder(FileSystem.parent(of: destination))
    }

    /// Whether a name belongs to a temporary whose process no longer works on it.
    static func isStale(_ name: String, in folder: String) -> Bool {
        guard name.hasPrefix(prefix) else { return false }
        let fields = name.dropFirst(prefix.count).split(separator: "-", maxSplits: 2)
        guard fields.count == 3, let process = pid_t(fields[0]), process > 0 else { return false }
        // Containers reuse process numbers: our own number on a name we did not make is a dead predecessor's.
        if process == getpid() {
            let canonical = FileSystem.canonical(folder)
            return active.withLock { names in
                !names.contains {
                    FileSystem.name(of: $0) == name && FileSystem.canonical(FileSystem.parent(of: $0)) == canonical
                }
            }
        }
        return kill(process, 0) == -1 && errno == ESRCH
    }

    private static func forget(_ path: String) {
        _ = active.withLock { $0.remove(path) }
    }
}

extension FileSystem {
    /// Removes the temporary files and folders that killed processes left in a folder.
    ///
    /// - Parameter folder: The folder to clean; folders inside it are left alone.
    /// - Returns: The names that were removed.
    /// - Throws: `RondoError` if the folder cannot be listed or an entry cannot be removed.
    @discardableResult
    public static func removeStaleTemporaries(in folder: String) throws -> [String] {
        let stale = try list(folder).filter { TemporaryEntry.isStale($0, in: folder) }
        for name in stale { try remove(join(folder, name)) }
        return stale
    }
}

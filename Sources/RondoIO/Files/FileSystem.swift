import Glibc
import RondoTensor

/// Small file-system operations whose errors name the path and the remedy.
public enum FileSystem {
    /// What a path leads to, symbolic links followed.
    public enum Kind: Sendable {
        /// A regular file.
        case file
        /// A folder.
        case folder
        /// A device, pipe or socket.
        case other
    }

    /// Finds out what a path leads to.
    ///
    /// - Parameter path: The path to look at.
    /// - Returns: The kind, or `nil` if nothing is there or it cannot be seen.
    public static func kind(of path: String) -> Kind? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        default: return .other
        }
    }

    /// Reads a whole file, pipe or device.
    ///
    /// - Parameter path: The file.
    /// - Returns: Its bytes.
    /// - Throws: `RondoError` that names the path.
    public static func readBytes(_ path: String) throws -> [UInt8] {
        let file = try Descriptor(opening: path, O_RDONLY, action: "open")
        guard kind(of: path) != .folder else { throw RondoError.system("read", path, errno: EISDIR) }
        return try readBytes(file)
    }

    /// Reads standard input to its end.
    ///
    /// - Returns: The bytes.
    /// - Throws: `RondoError` if it is closed or cannot be read.
    public static func readStandardInput() throws -> [UInt8] {
        try readBytes(try Descriptor(duplicating: STDIN_FILENO, shownAs: "standard input"))
    }

    private static func readBytes(_ file: Descriptor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = max(4096, try file.size() + 1)
        while true {
            let piece = try [UInt8](unsafeUninitializedCapacity: chunk) { buffer, count in
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if bytes.isEmpty { bytes = piece } else { bytes += piece }
            if piece.count < chunk { return bytes }
            chunk = max(chunk, 1 << 20)
        }
    }

    /// Reads a whole file as UTF-8 text.
    ///
    /// - Parameter path: The file.
    /// - Returns: Its text.
    /// - Throws: `RondoError` if it cannot be read or is not UTF-8.
    public static func readText(_ path: String) throws -> String {
        guard let text = String(validating: try readBytes(path), as: UTF8.self) else {
            throw RondoError(.corruptFile, "'\(path)' is not UTF-8 text; convert it (for example with iconv)")
        }
        return text
    }

    /// Lists the names in a folder, sorted, without `.` and `..`.
    ///
    /// - Parameter folder: The folder.
    /// - Returns: The names of files and folders in it.
    /// - Throws: `RondoError` that names the folder.
    public static func list(_ folder: String) throws -> [String] {
        guard let stream = opendir(folder) else { throw RondoError.system("list", folder, errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw RondoError.system("list", folder, errno: errno) }
                return names.sorted()
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    /// Makes a folder and those above it that are missing.
    ///
    /// - Parameter folder: The folder; it may exist already.
    /// - Throws: `RondoError` that names the folder.
    public static func makeFolder(_ folder: String) throws {
        if kind(of: folder) == .folder || mkdir(folder, 0o777) == 0 { return }
        if errno == ENOENT, parent(of: folder) != folder {
            try makeFolder(parent(of: folder))
            if mkdir(folder, 0o777) == 0 { return }
        }
        // Another process may have made it in between.
        if errno == EEXIST, kind(of: folder) == .folder { return }
        throw RondoError.system("create the folder", folder, errno: errno)
    }

    /// Removes a file, or a folder with all that is in it; links are removed, not followed.
    ///
    /// - Parameter path: What to remove; nothing happens if it is missing.
    /// - Throws: `RondoError` that names what could not be removed.
    public static func remove(_ path: String) throws {
        if unlink(path) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw RondoError.system("remove", path, errno: errno) }
        for name in try list(path) { try remove(join(path, name)) }
        guard rmdir(path) == 0 || errno == ENOENT else { throw RondoError.system("remove", path, errno: errno) }
    }

    /// Renames a file or folder, in one step for every observer.
    ///
    /// - Parameters:
    ///   - source: The present path.
    ///   - destination: The new path, on the same disk; a file there is replaced.
    /// - Throws: `RondoError` that names the destination.
    public static func rename(_ source: String, to destination: String) throws {
        guard Glibc.rename(source, destination) == 0 else {
            throw RondoError.system("put in place", destination, errno: errno)
        }
    }

    /// Waits until a folder's list of names is on the disk.
    ///
    /// - Parameter folder: The folder.
    /// - Throws: `RondoError` that names the folder.
    public static func synchronizeFolder(_ folder: String) throws {
        let descriptor = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY, action: "open the folder")
        guard retryingInterrupts({ fsync(descriptor.raw) }) == nil else { return }
        // Some network file systems cannot flush folders; the rename itself is still atomic there.
        guard errno == EINVAL || errno == ENOTSUP else {
            throw RondoError.system("flush to disk", folder, errno: errno)
        }
    }

    /// Puts a folder and a name together.
    ///
    /// - Parameters:
    ///   - folder: The folder; empty stands for the current one.
    ///   - name: A name or relative path in it.
    /// - Returns: The path.
    public static func join(_ folder: String, _ name: String) -> String {
        if folder.isEmpty { return name }
        return folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    }

    /// The folder that holds a path: `a/b` gives `a`, `b` gives `.`.
    ///
    /// - Parameter path: A path.
    /// - Returns: The folder above.
    public static func parent(of path: String) -> String {
        let trimmed = withoutTrailingSlashes(path)
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        let folder = withoutTrailingSlashes(trimmed[..<slash])
        return folder.isEmpty ? "/" : String(folder)
    }

    /// The last component of a path: `a/b/` gives `b`.
    ///
    /// - Parameter path: A path.
    /// - Returns: The name.
    public static func name(of path: String) -> String {
        String(withoutTrailingSlashes(path).split(separator: "/").last ?? "")
    }

    /// The absolute path with symbolic links resolved; if nothing is there, only its folder is resolved.
    ///
    /// - Parameter path: A path.
    /// - Returns: The canonical path, or the path unchanged if its folder is missing as well.
    public static func canonical(_ path: String) -> String {
        if let resolved = resolve(path) { return resolved }
        guard let folder = resolve(parent(of: path)) else { return path }
        return join(folder, name(of: path))
    }

    private static func resolve(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func withoutTrailingSlashes(_ path: some StringProtocol) -> Substring {
        var result = Substring(path)
        while result.count > 1, result.hasSuffix("/") { result.removeLast() }
        return result
    }
}

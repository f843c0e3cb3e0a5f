import RondoTensor

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Tells two names of one file or folder from two files.
struct FileIdentity: Hashable {
    let device: UInt64
    let number: UInt64
}

/// What a path leads to, links followed.
struct FileStatus {
    enum Kind {
        case file
        case folder
        /// A pipe or socket, such as a shell's process substitution.
        case stream
        case other
    }

    let kind: Kind
    let size: Int
    let identity: FileIdentity

    init(path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { throw systemError(errno, path) }
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFIFO, S_IFSOCK: .stream
            default: .other
            }
        size = Int(status.st_size)
        identity = FileIdentity(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
    }
}

/// A file opened for reading, closed with its last reference.
final class InputFile {
    private let descriptor: Int32
    private let path: String
    private let closes: Bool

    /// Standard input, which stays open.
    static var standardInput: InputFile { InputFile(descriptor: STDIN_FILENO, path: "standard input") }

    init(path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError(errno, path) }
        self.path = path
        closes = true
    }

    private init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
        closes = false
    }

    deinit {
        if closes { _ = close(descriptor) }
    }

    /// Reads up to `count` bytes; fewer only at the end of the file.
    func read(atMost count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                let rest = UnsafeMutableRawBufferPointer(buffer)[initialized...]
                let received = try readOnce(into: UnsafeMutableRawBufferPointer(rebasing: rest))
                if received == 0 { break }
                initialized += received
            }
        }
    }

    /// Reads to the end; `size` is a guess that spares reallocation.
    func readAll(expecting size: Int = 0) throws -> [UInt8] {
        // One byte more than expected, so that a file of the expected size ends within the first read.
        var bytes = try read(atMost: max(size, 0) + 1)
        guard bytes.count > max(size, 0) else { return bytes }
        while case let piece = try read(atMost: 1 << 20), !piece.isEmpty { bytes.append(contentsOf: piece) }
        return bytes
    }

    private func readOnce(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            #if canImport(Glibc)
                let received = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            #elseif canImport(Musl)
                let received = Musl.read(descriptor, buffer.baseAddress, buffer.count)
            #else
                let received = Darwin.read(descriptor, buffer.baseAddress, buffer.count)
            #endif
            if received >= 0 { return received }
            if errno != EINTR { throw systemError(errno, path) }
        }
    }
}

/// Returns the names in a folder, sorted by their bytes.
func folderContents(_ path: String) throws -> [String] {
    // Opening first turns "may not be listed" into the same error as for files.
    _ = try InputFile(path: path)
    do {
        return try FileManager.default.contentsOfDirectory(atPath: path)
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    } catch {
        throw RondoError(.inputOutput, "\(path): cannot be listed", cause: error)
    }
}

private func systemError(_ code: Int32, _ path: String) -> RondoError {
    switch code {
    case ENOENT, ENOTDIR:
        RondoError(.notFound, "\(path): no such file or folder")
    case EACCES, EPERM:
        RondoError(.inputOutput, "\(path): permission denied; make it readable for this user")
    default:
        RondoError(.inputOutput, "\(path): \(String(cString: strerror(code)))")
    }
}

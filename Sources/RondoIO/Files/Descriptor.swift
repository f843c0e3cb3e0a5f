import Glibc
import RondoTensor

/// An open file that is closed with its last reference.
final class Descriptor: Sendable {
    let raw: Int32
    /// The path shown in errors, which need not be the one that was opened.
    let path: String

    init(opening path: String, _ flags: Int32, mode: mode_t = 0o666, action: String, shownAs shown: String? = nil)
        throws
    {
        let opened = retryingInterrupts { open(path, flags | O_CLOEXEC, mode) }
        guard let opened else { throw RondoError.system(action, shown ?? path, errno: errno) }
        raw = opened
        self.path = shown ?? path
    }

    /// A second handle on what is open already; closing it leaves the first one open.
    init(duplicating open: Int32, shownAs path: String) throws {
        raw = fcntl(open, F_DUPFD_CLOEXEC, 0)
        guard raw >= 0 else { throw RondoError.system("open", path, errno: errno) }
        self.path = path
    }

    deinit { close(raw) }

    func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int? = nil) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let slice = UnsafeRawBufferPointer(rebasing: rest)
            let written = retryingInterrupts {
                if let offset { return pwrite(raw, slice.baseAddress, slice.count, offset + rest.startIndex) }
                return write(raw, slice.baseAddress, slice.count)
            }
            guard let written else { throw RondoError.system("write", path, errno: errno) }
            rest = rest.dropFirst(written)
        }
    }

    /// Reads until the buffer is full or the file ends.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int? = nil) throws -> Int {
        var count = 0
        while count < buffer.count {
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
            let received = retryingInterrupts {
                if let offset { return pread(raw, target.baseAddress, target.count, offset + count) }
                return Glibc.read(raw, target.baseAddress, target.count)
            }
            guard let received else { throw RondoError.system("read", path, errno: errno) }
            if received == 0 { break }
            count += received
        }
        return count
    }

    func synchronize() throws {
        guard retryingInterrupts({ fsync(raw) }) != nil else {
            throw RondoError.system("flush to disk", path, errno: errno)
        }
    }

    func truncate(to size: Int) throws {
        guard retryingInterrupts({ ftruncate(raw, size) }) != nil else {
            throw RondoError.system("shorten", path, errno: errno)
        }
    }

    func status() throws -> stat {
        var result = stat()
        guard fstat(raw, &result) == 0 else { throw RondoError.system("inspect", path, errno: errno) }
        return result
    }

    func size() throws -> Int { Int(try status().st_size) }
}

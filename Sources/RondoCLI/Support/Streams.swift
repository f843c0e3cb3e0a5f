import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The reader of standard output has gone: nothing went wrong, and there is nobody to tell.
struct BrokenPipe: Error {}

/// One of the process's output streams, written without buffering.
struct OutputStream: Sendable {
    /// Data: what a script wants to have.
    static let data = OutputStream(descriptor: STDOUT_FILENO, name: "standard output")
    /// Everything for people: progress, notes, errors.
    static let messages = OutputStream(descriptor: STDERR_FILENO, name: "standard error")

    let descriptor: Int32
    let name: String

    /// Whether a person looks at it.
    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// The columns of the terminal, or `nil` if this is none.
    var width: Int? {
        var size = winsize()
        guard isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    /// Writes all bytes.
    /// - Throws: ``BrokenPipe``, or `RondoError` if the system refuses (a full disk behind a redirection).
    func write(_ bytes: some Collection<UInt8>) throws {
        let bytes = ContiguousArray(bytes)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer -> Int in
                guard let base = buffer.baseAddress else { return 0 }
                // Qualified: the method's own name hides the function.
                #if canImport(Glibc)
                    return Glibc.write(descriptor, base + written, buffer.count - written)
                #else
                    return Darwin.write(descriptor, base + written, buffer.count - written)
                #endif
            }
            if count >= 0 {
                written += count
            } else if errno == EPIPE {
                throw BrokenPipe()
            } else if errno == EAGAIN {
                var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&poller, 1, -1)
            } else if errno != EINTR {
                throw RondoError(.inputOutput, "cannot write to \(name): \(String(cString: strerror(errno)))")
            }
        }
    }

    /// Writes a text and a line break.
    func writeLine(_ text: String) throws { try write(Array((text + "\n").utf8)) }
}

import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Turns the first Ctrl-C (or SIGTERM) into a polite request to stop, and the second into an immediate end.
enum Interruption {
    /// The signal that asked to stop; 0 until then.
    private static let received = Atomic<Int32>(0)

    private static let notice: StaticString = "\nStopping after this step (press Ctrl-C again to quit at once) ...\n"

    /// Whether the user asked to stop.
    static var isRequested: Bool { received.load(ordering: .relaxed) != 0 }

    /// The exit status of a command that stopped early on request: 128 and the signal's number, as shells expect.
    static var exitStatus: ExitStatus { .init(rawValue: 128 + max(received.load(ordering: .relaxed), SIGINT)) }

    /// Starts to listen.
    static func listen() {
        // The handler must not be the first to touch the lazily made globals: it may not allocate.
        received.store(0, ordering: .relaxed)
        _ = notice
        var action = sigaction()
        #if canImport(Glibc)
            action.__sigaction_handler.sa_handler = handle
        #else
            action.__sigaction_u.__sa_handler = handle
        #endif
        action.sa_flags = Int32(SA_RESTART)
        // A parent may have blocked them, and its children inherit that.
        var mask = sigset_t()
        sigemptyset(&mask)
        for signal in [SIGINT, SIGTERM] {
            sigaction(signal, &action, nil)
            sigaddset(&mask, signal)
        }
        pthread_sigmask(SIG_UNBLOCK, &mask, nil)
    }

    /// Makes a reader that goes away, or a file beyond its limit, an error of `write` instead of a sudden end.
    static func turnSignalsOfWritesIntoErrors() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Runs inside the signal handler: only async-signal-safe calls.
    private static let handle: @convention(c) (Int32) -> Void = { signal in
        guard received.exchange(signal, ordering: .relaxed) == 0 else { _exit(128 + signal) }
        let savedError = errno
        _ = write(STDERR_FILENO, notice.utf8Start, notice.utf8CodeUnitCount)
        errno = savedError
    }
}

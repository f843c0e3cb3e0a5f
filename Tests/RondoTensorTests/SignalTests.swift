import Foundation
import RondoTensor
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A handler that runs in the middle of a product must not be seen in it: the code of a library may keep data where
/// the handler's frame goes.
@Suite struct SignalTests {
    @Test func signalsDoNotDisturbProducts() throws {
        var action = sigaction()
        #if canImport(Glibc)
            action.__sigaction_handler.sa_handler = { _ in }
        #else
            action.__sigaction_u.__sa_handler = { _ in }
        #endif
        action.sa_flags = Int32(SA_RESTART)
        sigaction(SIGUSR1, &action, nil)
        var generator = Generator(seed: 5)
        let a = try generator.normal([190, 300])
        let b = try generator.normal([300, 260])
        let expected = try a.matmul(b).array(of: Float.self)

        let signals = Signals(to: pthread_self())
        for _ in 0..<300 { #expect(try a.matmul(b).array(of: Float.self) == expected) }
        #expect(signals.stop() > 0)
    }

    /// Sends SIGUSR1 to a thread until it is stopped.
    private final class Signals: Sendable {
        private let isOver = Atomic(false)
        private let count = Atomic(0)
        private let done = DispatchSemaphore(value: 0)

        init(to target: pthread_t) {
            Thread { [self] in
                while !isOver.load(ordering: .relaxed) {
                    pthread_kill(target, SIGUSR1)
                    count.add(1, ordering: .relaxed)
                    usleep(50)
                }
                done.signal()
            }.start()
        }

        /// Waits for the last signal and returns how many there were.
        func stop() -> Int {
            isOver.store(true, ordering: .relaxed)
            done.wait()
            return count.load(ordering: .relaxed)
        }
    }
}

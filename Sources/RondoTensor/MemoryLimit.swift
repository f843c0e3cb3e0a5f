import Synchronization

/// A limit on what a piece of work may allocate for tensors: sizes that a file claims are not to be trusted before
/// they are compared with what the file holds.
final class MemoryLimit: Sendable {
    @TaskLocal private static var ofTask: MemoryLimit?
    /// How many closures run under a limit; while there are none, which is nearly always, asking costs next to nothing.
    private static let count = Atomic(0)

    /// The limit of the work that is going on.
    static var current: MemoryLimit? { count.load(ordering: .relaxed) > 0 ? ofTask : nil }

    /// Runs a closure under this limit.
    func run<Result>(_ body: () throws -> Result) rethrows -> Result {
        Self.count.wrappingAdd(1, ordering: .relaxed)
        defer { Self.count.wrappingSubtract(1, ordering: .relaxed) }
        return try Self.$ofTask.withValue(self, operation: body)
    }

    private let byteCount: Int
    private let reason: RondoError
    private let used = Atomic(0)

    init(byteCount: Int, reason: RondoError) {
        self.byteCount = byteCount
        self.reason = reason
    }

    /// Takes so many bytes from what is left.
    ///
    /// - Throws: The error of the limit if less is left; then nothing is taken.
    func take(_ count: Int) throws {
        let (_, total) = used.wrappingAdd(count, ordering: .relaxed)
        guard total <= byteCount else {
            giveBack(count)
            throw reason
        }
    }

    func giveBack(_ count: Int) { used.wrappingSubtract(count, ordering: .relaxed) }
}

extension Runtime {
    /// Runs a closure whose tensors may take so many bytes at a time, and no more.
    ///
    /// - Parameters:
    ///   - byteCount: The limit.
    ///   - reason: What is thrown when it is reached.
    ///   - body: The work.
    /// - Returns: What `body` returns.
    /// - Throws: `reason`, or what `body` throws.
    public static func withMemoryLimit<Result>(
        _ byteCount: Int, otherwise reason: RondoError, _ body: () throws -> Result
    ) throws -> Result {
        try MemoryLimit(byteCount: byteCount, reason: reason).run(body)
    }
}

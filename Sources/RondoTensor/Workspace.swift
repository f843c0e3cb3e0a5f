import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Memory for the results of work that is done again and again, such as a step: after the first times, nothing is
/// allocated.
///
/// Results made in ``run(_:)`` are tensors like any other; the workspace keeps the blocks behind them and hands a block
/// out again once nobody else holds it. A result that is kept is never overwritten. Because such a result has the
/// workspace as a second owner, it is not changed in place: what is to be, must be made outside (``Tensor`` sees to it
/// where an operation in place has to copy).
public final class Workspace: @unchecked Sendable {
    /// Blocks of one size, those that were free last in front.
    private struct Bin {
        let size: Int
        var blocks: [Storage] = []

        /// A block that nobody else holds.
        mutating func takeFree() -> Storage? {
            for index in blocks.indices where isKnownUniquelyReferenced(&blocks[index]) {
                blocks.swapAt(0, index)
                return blocks[0]
            }
            return nil
        }

        mutating func keep(_ block: Storage) {
            // So many are held when results are collected by others: they need no second owner.
            if blocks.count == Workspace.blocksOfASize { blocks.removeAll() }
            blocks.append(block)
        }
    }

    /// Larger blocks are not worth keeping: work on them takes far longer than allocating them.
    private static let largestBlock = 1 << 20
    private static let blocksOfASize = 512

    /// Which workspace this thread works in.
    private static let key: pthread_key_t? = {
        var key = pthread_key_t()
        return pthread_key_create(&key, nil) == 0 ? key : nil
    }()

    private var bins: [Bin] = []
    /// Whether what nobody wrote is to show up in results (``HostAllocator/poisonsFreshMemory``).
    private var isPoisoned = false
    private let isBusy = Atomic(false)

    /// Creates an empty workspace.
    public init() {}

    /// Runs a closure whose results of operations come from this memory, on this thread.
    ///
    /// Where the workspace is in use already, by another thread or further out, the closure runs without it.
    public func run<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard !isBusy.exchange(true, ordering: .acquiring) else { return try body() }
        defer { isBusy.store(false, ordering: .releasing) }
        isPoisoned = Runtime.hostAllocator.poisonsFreshMemory
        return try Self.withCurrent(Unmanaged.passUnretained(self).toOpaque(), body)
    }

    /// Runs a closure whose results have no second owner: what will change in place.
    static func outside<Result>(_ body: () throws -> Result) rethrows -> Result { try withCurrent(nil, body) }

    private static func withCurrent<Result>(
        _ workspace: UnsafeMutableRawPointer?, _ body: () throws -> Result
    ) rethrows -> Result {
        guard let key else { return try body() }
        let previous = pthread_getspecific(key)
        pthread_setspecific(key, workspace)
        defer { pthread_setspecific(key, previous) }
        return try body()
    }

    /// A block of at least `byteCount` bytes from the workspace of this thread, or a new one.
    static func block(byteCount: Int, allocate: (Int) throws -> Storage) rethrows -> Storage {
        guard byteCount <= largestBlock, let key, let current = pthread_getspecific(key) else {
            return try allocate(byteCount)
        }
        return try Unmanaged<Workspace>.fromOpaque(current).takeUnretainedValue().take(byteCount, allocate)
    }

    private func take(_ byteCount: Int, _ allocate: (Int) throws -> Storage) rethrows -> Storage {
        let size = HostAllocator.sizeClass(byteCount)
        let bin = bins.firstIndex { $0.size == size } ?? bins.endIndex
        if bin == bins.endIndex { bins.append(Bin(size: size)) }
        if let block = bins[bin].takeFree() {
            if isPoisoned { memset(block.pointer, 0xff, block.byteCount) }
            return block
        }
        let block = try allocate(size)
        bins[bin].keep(block)
        return block
    }
}

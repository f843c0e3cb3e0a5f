import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A caching allocator of host memory: freed blocks are kept by size and handed out again.
///
/// Fresh pages cost more than most elementwise operations (the kernel clears each one), and a training step asks
/// for the same sizes again and again.
public final class HostAllocator: Sendable {
    /// Byte counts of an allocator at one moment.
    public struct Statistics: Sendable, Equatable {
        /// Bytes in blocks that are in use.
        public var liveBytes = 0
        /// The largest `liveBytes` since the start or the last ``HostAllocator/resetPeak()``.
        public var peakBytes = 0
        /// Bytes in free blocks kept for reuse.
        public var cachedBytes = 0
        /// Requests so far.
        public var allocations = 0
        /// Those that were answered with memory from the operating system.
        public var systemAllocations = 0
    }

    private struct State {
        /// Free blocks of each size, by ``HostAllocator/bin(_:)``.
        var free: [[UInt]] = Array(repeating: [], count: 8 * Int.bitWidth)
        var statistics = Statistics()
        var poison = false
        var cacheLimit = 8 << 30
    }

    private let state = Mutex(State())

    /// Blocks from this size on are mapped at 2 MiB boundaries and advised to use huge pages.
    private static let hugePageBytes = 2 << 20

    /// More than any machine addresses; sizes from here on would overflow when they are rounded up.
    private static let impossibleBytes = 1 << 56

    /// Creates an empty allocator.
    public init() {}

    /// The current byte counts.
    public var statistics: Statistics { state.withLock { $0.statistics } }

    /// Lets the peak start again from the bytes in use now.
    public func resetPeak() {
        state.withLock { $0.statistics.peakBytes = $0.statistics.liveBytes }
    }

    /// When on, new blocks are filled with NaN, so that reading an element nobody wrote shows up in tests.
    public var poisonsFreshMemory: Bool {
        get { state.withLock { $0.poison } }
        set { state.withLock { $0.poison = newValue } }
    }

    /// Sizes grow in steps of an eighth of the power of two below, so that a reused block wastes at most 12.5 %.
    package static func sizeClass(_ byteCount: Int) -> Int {
        let minimum = max(byteCount, 64)
        let power = Int.bitWidth - 1 - minimum.leadingZeroBitCount
        let step = max(64, (1 << power) / 8)
        return (minimum + step - 1) / step * step
    }

    /// The number of a size that ``sizeClass(_:)`` gives: the power of two below, and the eighth within.
    private static func bin(_ size: Int) -> Int {
        let power = Int.bitWidth - 1 - size.leadingZeroBitCount
        return 8 * power + (size - (1 << power)) / max(64, (1 << power) / 8)
    }

    /// Hands out a 64-byte aligned block of at least `byteCount` bytes.
    /// - Throws: ``RondoError`` of code `unavailable` when the system has no memory left.
    public func allocate(byteCount: Int) throws -> UnsafeMutableRawPointer {
        guard byteCount < Self.impossibleBytes else { throw Self.outOfMemory(byteCount) }
        let size = Self.sizeClass(byteCount)
        let limit = MemoryLimit.current
        try limit?.take(size)
        let (reused, poison) = state.withLock { state -> (UInt?, Bool) in
            let reused = state.free[Self.bin(size)].popLast()
            state.statistics.allocations += 1
            if reused != nil { state.statistics.cachedBytes -= size } else { state.statistics.systemAllocations += 1 }
            state.statistics.liveBytes += size
            state.statistics.peakBytes = max(state.statistics.peakBytes, state.statistics.liveBytes)
            return (reused, state.poison)
        }
        guard let pointer = reused.flatMap(UnsafeMutableRawPointer.init(bitPattern:)) ?? systemAllocate(size) else {
            state.withLock { $0.statistics.liveBytes -= size }
            limit?.giveBack(size)
            throw Self.outOfMemory(size)
        }
        if poison { memset(pointer, 0xff, size) }
        return pointer
    }

    private static func outOfMemory(_ size: Int) -> RondoError {
        RondoError(
            .unavailable,
            "out of memory: cannot allocate \(size) bytes; use a smaller batch, shorter windows or a smaller model")
    }

    /// Takes back a block; `byteCount` is what ``allocate(byteCount:)`` was asked for.
    public func deallocate(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
        let size = Self.sizeClass(byteCount)
        MemoryLimit.current?.giveBack(size)
        let keep = state.withLock { state -> Bool in
            state.statistics.liveBytes -= size
            guard state.statistics.cachedBytes + size <= state.cacheLimit else { return false }
            state.statistics.cachedBytes += size
            state.free[Self.bin(size)].append(UInt(bitPattern: pointer))
            return true
        }
        if !keep { free(pointer) }
    }

    /// Gives all free blocks back to the operating system.
    public func trim() {
        let blocks = state.withLock { state in
            defer {
                for bin in state.free.indices { state.free[bin] = [] }
                state.statistics.cachedBytes = 0
            }
            return state.free.flatMap { $0 }
        }
        for block in blocks { free(UnsafeMutableRawPointer(bitPattern: block)) }
    }

    /// Asks the system; when it refuses, gives back the cache and asks once more.
    private func systemAllocate(_ size: Int) -> UnsafeMutableRawPointer? {
        if let pointer = Self.alignedMemory(size) { return pointer }
        trim()
        return Self.alignedMemory(size)
    }

    private static func alignedMemory(_ size: Int) -> UnsafeMutableRawPointer? {
        var pointer: UnsafeMutableRawPointer?
        let huge = size >= 2 * hugePageBytes
        guard posix_memalign(&pointer, huge ? hugePageBytes : 64, size) == 0 else { return nil }
        #if os(Linux)
            if huge, let pointer { madvise(pointer, size, Int32(MADV_HUGEPAGE)) }
        #endif
        return pointer
    }
}

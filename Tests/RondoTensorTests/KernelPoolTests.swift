import CRondoKernels
import Synchronization
import Testing

/// Counters that the C callbacks below see.
private final class Counters: Sendable {
    final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        func add(_ amount: Int) { value.wrappingAdd(amount, ordering: .relaxed) }
        var current: Int { value.load(ordering: .relaxed) }
    }

    let all: [Counter]

    init(_ count: Int) { all = (0..<count).map { _ in Counter() } }

    /// Adds one to the counter of every index, on the pool.
    func countInParallel() {
        withPointer { pointer in
            rk_parallel(all.count, { Counters.from($0)?.all[$1].add(1) }, pointer)
        }
    }

    func withPointer(_ body: (UnsafeMutableRawPointer) -> Void) {
        withExtendedLifetime(self) { body(Unmanaged.passUnretained(self).toOpaque()) }
    }

    static func from(_ pointer: UnsafeMutableRawPointer?) -> Counters? {
        pointer.map { Unmanaged<Counters>.fromOpaque($0).takeUnretainedValue() }
    }
}

// Other suites use the pool at the same time: a call may find it taken and run on its own thread alone.
@Suite(.serialized) struct KernelPoolTests {
    @Test(arguments: [1, 2, 3, 7]) func everyIndexRunsOnce(threads: Int32) {
        rk_set_threads(threads)
        defer { rk_set_threads(0) }
        #expect(rk_threads() == threads)
        for count in [0] + kernelSizes {
            let counters = Counters(count)
            counters.countInParallel()
            #expect(counters.all.allSatisfy { $0.current == 1 })
        }
    }

    @Test func nestedCallsRunToo() {
        rk_set_threads(3)
        defer { rk_set_threads(0) }
        let counters = Counters(10)
        counters.withPointer { pointer in
            rk_parallel(
                10,
                { context, _ in
                    Counters.from(context)?.countInParallel()
                    rk_team(
                        4, { context, rank, _, _ in Counters.from(context)?.all[0].add(rank == 0 ? 1 : 0) }, context)
                }, pointer)
        }
        #expect(counters.all.map(\.current) == [20] + Array(repeating: 10, count: 9))
    }

    @Test func userThreadsMayCallAtOnce() async {
        rk_set_threads(2)
        defer { rk_set_threads(0) }
        let counters = Counters(50)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { for _ in 0..<25 { counters.countInParallel() } }
            }
        }
        #expect(counters.all.allSatisfy { $0.current == 100 })
    }

    /// Every rank sees what the others put down before the barrier; ranks that do not run at once would never meet.
    @Test(arguments: [1, 2, 4]) func teamsMeetAtBarriers(threads: Int32) {
        rk_set_threads(threads)
        defer { rk_set_threads(0) }
        for _ in 0..<50 {
            let counters = Counters(6)
            counters.withPointer { pointer in
                rk_team(
                    5,
                    { context, rank, size, barrier in
                        guard let all = Counters.from(context)?.all else { return }
                        for round in 1...3 {
                            all[Int(rank)].add(1)
                            rk_barrier_wait(barrier)
                            let met = all.prefix(Int(size)).allSatisfy { $0.current == round }
                            all[5].add(met ? 1 : -1000)
                            rk_barrier_wait(barrier)
                        }
                    }, pointer)
            }
            let size = counters.all.prefix(5).count { $0.current == 3 }
            #expect(1...min(5, Int(threads)) ~= size)
            #expect(counters.all[5].current == 3 * size)
        }
    }
}

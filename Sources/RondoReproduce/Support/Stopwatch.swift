/// Times work.
enum Stopwatch {
    /// Seconds that some work takes.
    static func seconds(_ work: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try work()
        return (ContinuousClock.now - start) / .seconds(1)
    }

    /// The shortest time of some runs, in seconds: what the work takes when nothing disturbs it.
    static func fastest(runs: Int = 3, _ work: () throws -> Void) rethrows -> Double {
        try (0..<runs).map { _ in try seconds(work) }.min() ?? .nan
    }

    /// The median seconds of several kinds of work, taken in turns, so that a busy machine slows all of them.
    ///
    /// - Parameters:
    ///   - works: The kinds of work; each is done once before, unmeasured.
    ///   - count: Measurements of each.
    /// - Returns: The medians in the order of the works.
    /// - Throws: What the work throws.
    static func medians(of works: [() throws -> Void], count: Int = 5) throws -> [Double] {
        for work in works { try work() }
        var samples = works.map { _ in [Double]() }
        for _ in 0..<count {
            for (index, work) in works.enumerated() { samples[index].append(try seconds(work)) }
        }
        return samples.map { $0.sorted()[count / 2] }
    }
}

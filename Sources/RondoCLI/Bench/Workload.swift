/// One measured figure, as a JSON line: the same keys as the peers' side of the comparison.
struct Measurement: Encodable {
    var workload: String
    var peer = "rondo"
    var shape: [String: Int]
    /// Median time of one call.
    var seconds: Double
    /// What a rate counts.
    var unit: String
    /// Units of work a second.
    var rate: Double
    /// The largest resident memory of the process so far, where memory is the point.
    var processPeakBytes: Int?

    enum CodingKeys: String, CodingKey {
        case workload, peer, shape, seconds, unit, rate
        case processPeakBytes = "process_peak_bytes"
    }
}

/// A named group of measurements that `rondo bench` can run.
struct Workload: Sendable {
    /// The name on the command line; the peers' script has the same ones.
    let name: String
    /// One line for `--list`.
    let summary: String
    /// Takes the measurements and hands them over one by one.
    let run: @Sendable (_ report: (Measurement) throws -> Void) throws -> Void

    /// All workloads, in the order in which they run by default.
    static let all: [Workload] =
        [limits, primitives, gemm] + recurrentTraining + [headwiseTraining, languageModelTraining, streamingStep]
}

/// Times calls: some to warm up, then the median of repeated ones.
enum Stopwatch {
    /// The median time of a call in seconds.
    static func median(repetitions: Int, warmup: Int = 1, _ call: () throws -> Void) rethrows -> Double {
        for _ in 0..<warmup { try call() }
        let clock = ContinuousClock()
        var samples: [Double] = []
        for _ in 0..<max(1, repetitions) {
            let elapsed = try clock.measure(call)
            samples.append(Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18)
        }
        samples.sort()
        let middle = samples.count / 2
        return samples.count % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2
    }
}

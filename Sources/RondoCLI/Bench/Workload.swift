import RondoIO
import RondoMixers

/// One line of results: JSON with the same keys as the peers' side of the comparison, or text for people.
protocol BenchRecord: Encodable {
    /// The line for people.
    var textLine: String { get }
}

/// One measured figure.
struct Measurement: BenchRecord {
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
    /// The number of parameters, of whole models.
    var parameters: Int?
    /// Bytes of weights that a token reads.
    var weightBytes: Int?
    /// The positions that were really computed, where the time of the shape is made up from fewer.
    var measuredTime: Int?

    enum CodingKeys: String, CodingKey {
        case workload, peer, shape, seconds, unit, rate, parameters
        case processPeakBytes = "process_peak_bytes"
        case measuredTime = "measured_time"
        case weightBytes = "weight_bytes"
    }
}

/// A named group of measurements that `rondo bench` can run.
struct Workload: Sendable {
    /// The name on the command line; the peers' script has the same ones.
    let name: String
    /// One line for `--list`.
    let summary: String
    /// Takes the measurements and hands them over one by one.
    let run: @Sendable (_ report: BenchReport) throws -> Void

    /// All workloads, in the order in which they run by default.
    static let all: [Workload] =
        [limits, primitives, gemm] + recurrentTraining + [headwiseTraining, languageModelTraining, streamingStep]
        + sequenceOperations + stateSpaceModels + decoding + mixerWorkloads

    /// Those that measure mixers one by one.
    static let mixerWorkloads = [mixerMatrix, mixerLengths]
}

/// Where workloads leave their figures, and what they were asked for.
struct BenchReport: Sendable {
    /// Whether every record is a line of JSON.
    let json: Bool
    /// The mixers of the workloads that measure mixers.
    let mixers: [any SequenceMixer.Type]

    /// Prints a figure.
    func callAsFunction(_ measurement: Measurement) throws { try record(measurement) }

    /// Prints a record.
    func record(_ record: some BenchRecord) throws {
        try OutputStream.data.writeLine(json ? StrictJSON.tree(of: record).text() : record.textLine)
    }

    /// Prints a line above records; nothing among JSON.
    func heading(_ text: String) throws {
        if !json { try OutputStream.data.writeLine(text) }
    }
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

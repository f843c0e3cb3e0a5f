import ArgumentParser
import RondoMixers
import RondoTensor

/// `rondo bench`.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure this machine: primitives, recurrences, language-model steps, every mixer.",
        discussion: """
            Example:
              rondo bench primitives lstm_train
              rondo bench mixers --mixer mamba2 --mixer gla
              rondo bench --list

            With --json each measurement is one line. Benchmarks/compare.py runs this and the peers' side in turn.
            """)

    @Argument(help: "The workloads to run; all if none is named.")
    var workloads: [String] = []

    @Flag(help: "Print the names of the workloads and what they measure.")
    var list = false

    @Option(help: "A mixer to measure in mixers and mixer_length; all if none is named.")
    var mixer: [String] = []

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        let known = Workload.all.map(\.name)
        for name in workloads where !known.contains(name) {
            throw ValidationError("There is no workload '\(name)'. The workloads are \(known.joined(separator: ", ")).")
        }
        let takers = Workload.mixerWorkloads.map(\.name)
        guard mixer.isEmpty || !takers.filter(workloads.contains).isEmpty else {
            throw ValidationError("--mixer needs one of the workloads \(takers.joined(separator: ", ")).")
        }
    }

    func run() throws {
        guard !list else {
            let width = Workload.all.map(\.name.count).max() ?? 0
            for workload in Workload.all {
                let name = workload.name + String(repeating: " ", count: width - workload.name.count)
                try OutputStream.data.writeLine("\(name)  \(workload.summary)")
            }
            return
        }
        compute.apply()
        let report = BenchReport(
            json: global.json, mixers: try mixer.isEmpty ? MixerRegistry.all : mixer.map(Self.mixer))
        for workload in Workload.all where workloads.isEmpty || workloads.contains(workload.name) {
            try workload.run(report)
        }
    }

    /// A mistyped name is a mistake in the command line.
    private static func mixer(named name: String) throws -> any SequenceMixer.Type {
        do { return try MixerRegistry.mixer(named: name) } catch let error as RondoError {
            throw RondoError(.invalidArgument, error.message)
        }
    }
}

extension Measurement {
    /// "lstm_train  batch=32 time=128 width=256  0.0512 s  80.0 K tokens/s".
    var textLine: String {
        let extents = shape.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        let size = parameters.map { "  \($0) parameters" } ?? ""
        let scaling = measuredTime.map { "  (measured at \($0) positions)" } ?? ""
        return "\(workload)  \(extents)  \(Self.rounded(seconds * 1e3)) ms  \(Self.scaled(rate))\(unit)"
            + size + scaling
    }

    private static func scaled(_ value: Double) -> String {
        for (size, prefix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")] where value >= size {
            return "\(rounded(value / size)) \(prefix)"
        }
        return "\(rounded(value)) "
    }

    /// Three significant digits.
    private static func rounded(_ value: Double) -> String {
        guard value > 0, value < 1e6 else { return "\(value)" }
        var factor = 1.0
        while value * factor < 100 { factor *= 10 }
        return "\((value * factor).rounded() / factor)"
    }
}

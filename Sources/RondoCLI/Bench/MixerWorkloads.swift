import RondoMixers
import RondoNN
import RondoTensor

/// What one mixer of its default configuration costs.
struct MixerFigures: BenchRecord {
    var workload = "mixers"
    var peer = "rondo"
    var mixer: String
    var shape: [String: Int]
    /// Forward and backward of the mixer alone.
    var trainRate: Double
    /// One chunk at batch 1.
    var prefillRate: Double
    /// One position at batch 1, through the mixer's stepper.
    var stepSeconds: Double
    /// One row's state after the prefill.
    var stateBytes: Int
    var parameters: Int
    /// The time to read parameters and state once at the memory bandwidth, as a share of a step's.
    ///
    /// Above 1 where caches hold them.
    var stepShareOfLimit: Double

    enum CodingKeys: String, CodingKey {
        case workload, peer, mixer, shape, parameters
        case trainRate = "train_tokens_per_second"
        case prefillRate = "prefill_tokens_per_second"
        case stepSeconds = "step_seconds"
        case stateBytes = "state_bytes"
        case stepShareOfLimit = "step_share_of_limit"
    }

    static let columns = TextColumns(["train tok/s", "prefill tok/s", "step µs", "state", "parameters", "of limit"])

    var textLine: String {
        Self.columns.line(
            mixer,
            [
                Format.count(trainRate), Format.count(prefillRate), Format.decimals(stepSeconds * 1e6, 1),
                Format.bytes(stateBytes), Format.count(parameters), Format.percent(stepShareOfLimit),
            ])
    }
}

/// The speed of one mixer's chunk form at one length.
struct MixerLengthFigures: BenchRecord {
    var workload = "mixer_length"
    var peer = "rondo"
    var mixer: String
    var shape: [String: Int]
    var seconds: Double
    var unit = "tokens/s"
    var rate: Double
    var stateBytesBefore: Int
    var stateBytesAfter: Int

    enum CodingKeys: String, CodingKey {
        case workload, peer, mixer, shape, seconds, unit, rate
        case stateBytesBefore = "state_bytes_before"
        case stateBytesAfter = "state_bytes_after"
    }

    static let columns = TextColumns(["positions", "ms", "tok/s", "state before", "state after"])

    var textLine: String {
        Self.columns.line(
            mixer,
            [
                "\(shape["time"] ?? 0)", Format.decimals(seconds * 1e3, 1), Format.count(rate),
                Format.bytes(stateBytesBefore), Format.bytes(stateBytesAfter),
            ])
    }
}

/// A table whose rows are printed as soon as they are known: the names of mixers, then columns of fixed widths.
struct TextColumns {
    private let headings: [String]

    init(_ headings: [String]) { self.headings = headings }

    var heading: String { line("mixer", headings) }

    func line(_ name: String, _ cells: [String]) -> String {
        let first = max(20, MixerRegistry.all.map { $0.architecture.count }.max() ?? 0)
        return zip(cells, headings).reduce(Self.padded(name, first, atEnd: true)) { line, column in
            line + "  " + Self.padded(column.0, max(10, column.1.count), atEnd: false)
        }
    }

    private static func padded(_ text: String, _ width: Int, atEnd: Bool) -> String {
        let padding = String(repeating: " ", count: max(0, width - text.count))
        return atEnd ? text + padding : padding + text
    }
}

// MARK: - The matrix

extension Workload {
    /// Every mixer side by side.
    static let mixerMatrix = Workload(
        name: "mixers", summary: "every mixer: training, prefill, one step, size of state and parameters"
    ) { report in
        let bandwidth = try memoryBandwidth().rate
        try report.heading(MixerFigures.columns.heading)
        for type in report.mixers { try report.record(figures(type, bandwidth: bandwidth)) }
    }

    private static func figures<Mixer: SequenceMixer>(
        _ type: Mixer.Type, bandwidth: Double
    ) throws -> MixerFigures {
        let (width, batch, time, prompt) = (256, 8, 512, 2048)
        var generator = Generator(seed: 0)
        let mixer = try Mixer.make(options: nil, dModel: width, using: &generator)
        let training = try trainingSeconds(mixer, generator.normal([batch, time, width]))

        let text = try generator.normal([1, prompt, width])
        var read = try mixer.initialState(batch: 1)
        let beginning = read
        let prefill = try Stopwatch.median(repetitions: 5) {
            read = beginning
            _ = try mixer.chunk(text, state: &read)
        }
        let step = try stepSeconds(mixer, generator.normal([1, width]), after: read)
        let leastBytes = mixer.parameters.tensors.reduce(read.byteCount) { $0 + $1.byteCount }
        return MixerFigures(
            mixer: Mixer.architecture,
            shape: ["width": width, "batch": batch, "time": time, "prefill_time": prompt],
            trainRate: Double(batch * time) / training, prefillRate: Double(prompt) / prefill, stepSeconds: step,
            stateBytes: read.byteCount, parameters: mixer.parameterCount,
            stepShareOfLimit: Double(leastBytes) / bandwidth / step)
    }

    private static func trainingSeconds(_ mixer: some SequenceMixer, _ x: Tensor) throws -> Double {
        let parameters = mixer.parameters.tensors
        let state = try mixer.initialState(batch: x.shape[0])
        return try Stopwatch.median(repetitions: 5) {
            _ = try valueAndGradient(of: parameters + [x]) { tracked in
                var state = state
                return try mixer.replacingParameters(tracked.dropLast())
                    .chunk(tracked[parameters.count], state: &state).square().mean()
            }
        }
    }

    /// Steps from a state; one that grows starts again for every sample.
    private static func stepSeconds(
        _ mixer: some SequenceMixer, _ x: Tensor, after begun: MixerState
    ) throws -> Double {
        var stepper = try mixer.makeStepper(batch: 1)
        let steps = 50
        let seconds = try Stopwatch.median(repetitions: 15, warmup: 2) {
            var state = begun
            for _ in 0..<steps { _ = try stepper(x, state: &state) }
        }
        return seconds / Double(steps)
    }
}

// MARK: - Lengths

extension Workload {
    /// The chunk form over longer and longer sequences.
    static let mixerLengths = Workload(
        name: "mixer_length", summary: "time of the chunk form at 4096 to 131072 positions, mixers of constant state"
    ) { report in
        try report.heading(MixerLengthFigures.columns.heading)
        for type in report.mixers where type.card.stateGrowth == .constant { try measureLengths(type, report) }
    }

    private static func measureLengths<Mixer: SequenceMixer>(_ type: Mixer.Type, _ report: BenchReport) throws {
        let (width, lengths) = (64, [4096, 16384, 65536, 131_072])
        var generator = Generator(seed: 0)
        let mixer = try Mixer.make(options: nil, dModel: width, using: &generator)
        let text = try generator.normal([1, lengths.max() ?? 0, width])
        let beginning = try mixer.initialState(batch: 1)
        for time in lengths {
            let part = try text.sliced(1, 0..<time)
            var state = beginning
            let seconds = try Stopwatch.median(repetitions: 3, warmup: 1) {
                state = beginning
                _ = try mixer.chunk(part, state: &state)
            }
            try report.record(
                MixerLengthFigures(
                    mixer: Mixer.architecture, shape: ["batch": 1, "time": time, "width": width], seconds: seconds,
                    rate: Double(time) / seconds, stateBytesBefore: beginning.byteCount,
                    stateBytesAfter: state.byteCount))
        }
    }
}

import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTracking
import RondoTrain

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Writes down what happens in a run: metrics, checkpoints, pictures, and its row in the store.
final class RunRecorder: CheckpointStore {
    let folder: RunFolder
    private let configuration: TrainingConfiguration
    private let metrics: MetricsLogger
    private let store: RunStore
    private let console: Console
    private(set) var run: Run
    private var lastPicture = Timer()
    /// What the last picture cost; of a long run, it takes a while to read all that was measured.
    private var drawingSeconds = 0.0
    private var lastUpdate = Timer()

    /// Seconds between two pictures, and between two updates of the store.
    private static let pictureInterval = 30.0
    private static let updateInterval = 2.0

    /// Opens the logs of a run and registers it.
    ///
    /// - Parameters:
    ///   - folder: The locked folder.
    ///   - configuration: The run.
    ///   - step: The step it goes on from; 0 for a beginning.
    ///   - parameterCount: The size of the model.
    ///   - store: The store of runs.
    ///   - console: Hears of trouble with the store.
    /// - Throws: `RondoError` that names the file.
    init(
        folder: RunFolder, configuration: TrainingConfiguration, resumingAfter step: Int, parameterCount: Int,
        store: RunStore, console: Console
    ) throws {
        self.folder = folder
        self.configuration = configuration
        self.store = store
        self.console = console
        let now = WallClock.now
        metrics = try MetricsLogger(folder: folder, resumingAfter: step, wallTime: now)
        if var known = try? store.find(folder.path), known.folder == FileSystem.canonical(folder.path) {
            known.status = .running
            known.updatedAt = now
            try store.update(known)
            run = known
        } else {
            run = try store.add(
                Run(
                    name: FileSystem.name(of: FileSystem.canonical(folder.path)), folder: folder.path, createdAt: now,
                    configuration: StrictJSON.tree(of: configuration),
                    model: configuration.model.shortName, parameterCount: parameterCount,
                    seed: configuration.seed, version: RootCommand.release, host: Self.host))
        }
    }

    /// Takes note of an event of the run.
    func record(_ event: TrainingEvent) throws {
        switch event {
        case .started(let plan): update { $0.parameterCount = plan.parameterCount }
        case .step(let step): try record(step)
        case .evaluation(let evaluation): try record(evaluation)
        case .checkpoint: try drawPictures(atMostEvery: Self.pictureInterval)
        case .finished(let result): try record(result)
        }
    }

    /// Publishes a checkpoint; what was logged before it must be on the disk first.
    func save(step: Int, isBest: Bool, _ write: (_ folder: String) throws -> Void) throws -> String {
        try metrics.synchronize()
        return try folder.saveCheckpoint(
            step: step, isBest: isBest, keepLast: configuration.checkpoints.keepLast, write
        ).path
    }

    /// Notes that the run ended with an error.
    func recordFailure() { update(atMostEvery: 0) { $0.status = .failed } }

    private func record(_ step: StepMetrics) throws {
        try metrics.log(
            step: step.step,
            [
                ("train/loss", step.loss), ("train/bits_per_byte", step.bitsPerByte),
                ("train/grad_norm", step.gradientNorm), ("train/lr", step.learningRate),
                ("train/tokens_per_s", step.tokensPerSecond),
            ], wallTime: WallClock.now)
        update {
            $0.step = step.step
            $0.tokens = step.tokens
            $0.trainLoss = step.loss
            $0.seconds = step.elapsedSeconds
        }
    }

    private func record(_ evaluation: EvaluationMetrics) throws {
        try metrics.log(
            step: evaluation.step,
            [("eval/loss", evaluation.loss), ("eval/bits_per_byte", evaluation.bitsPerByte)], wallTime: WallClock.now)
        update { $0.bestBitsPerByte = evaluation.bestBitsPerByte }
    }

    private func record(_ result: TrainingResult) throws {
        try metrics.synchronize()
        try drawPictures(atMostEvery: 0)
        update(atMostEvery: 0) {
            $0.step = result.step
            $0.tokens = result.tokens
            $0.seconds = result.elapsedSeconds
            $0.bestBitsPerByte = result.bestBitsPerByte
            $0.status = result.isComplete ? .finished : .stopped
        }
    }

    private func drawPictures(atMostEvery interval: Double) throws {
        guard interval == 0 || lastPicture.seconds >= max(interval, 100 * drawingSeconds) else { return }
        let watch = Timer()
        let curves = try MetricsLogger.curves(folder.metricsPath)
        var series: [LossChart.Series] = []
        for (name, key, style) in [
            ("training", "train/bits_per_byte", LossChart.Series.Style.smoothed),
            ("validation", "eval/bits_per_byte", .points),
        ] {
            if let points = curves[key] { series.append(.init(name: name, points: points, style: style)) }
        }
        if !series.isEmpty { try LossChart(title: run.name, series: series).write(to: folder) }
        lastPicture = Timer()
        drawingSeconds = watch.seconds
    }

    /// Changes the row in the store, and writes it if the last time is long enough ago.
    ///
    /// A store that cannot be written is no reason to lose the run: all of it is in the folder.
    private func update(atMostEvery interval: Double = updateInterval, _ change: (inout Run) -> Void) {
        change(&run)
        guard lastUpdate.seconds >= interval else { return }
        run.updatedAt = WallClock.now
        lastUpdate = Timer()
        do { try store.update(run) } catch { console.warn("\(error)") }
    }

    private static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let text = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return "\(text), \(Runtime.instructionSet.rawValue), \(Runtime.threadCount) threads"
    }
}

extension TrainingResult {
    /// Whether there is nothing left to do.
    var isComplete: Bool { reason == .completed || reason == .earlyStop }
}

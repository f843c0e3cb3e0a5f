import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain

/// A small run for tests, with everything on that could disturb a resumed one.
enum TinyRun {
    static let corpus = Corpus(bytes: text(3000))

    /// Words in an order that is neither constant nor pure noise.
    static func text(_ count: Int) -> [UInt8] {
        let words = ["rondo ", "plays ", "a ", "slow ", "tune\n", "over ", "and "]
        var generator = Generator(seed: 11)
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += words[Int(generator.next() % 7)].utf8 }
        return Array(bytes.prefix(count))
    }

    static func configuration(_ change: (inout TrainingConfiguration) -> Void = { _ in }) -> TrainingConfiguration {
        var configuration = TrainingConfiguration(
            model: LanguageModelConfiguration(mixer: "lstm", dModel: 12))
        configuration.minutes = nil
        configuration.steps = 20
        configuration.batchSize = 3
        configuration.windowLength = 7
        configuration.schedule.warmupSteps = 4
        configuration.evaluation.interval = 6
        configuration.evaluation.batchSize = 2
        configuration.evaluation.limitBytes = 150
        configuration.checkpoints.interval = 5
        configuration.threads = 1
        change(&configuration)
        return configuration
    }

    /// Dropout everywhere, an average, accumulation, noise.
    static func everything(_ configuration: inout TrainingConfiguration) {
        configuration.model.embeddingDropout = 0.1
        configuration.model.dropout = 0.2
        configuration.model.outputDropout = 0.2
        configuration.model.feedForward = .swiGLU
        configuration.emaDecay = 0.9
        configuration.accumulation = 2
        configuration.labelSmoothing = 0.05
        configuration.gradientNoise.eta = 0.01
    }
}

/// Keeps every checkpoint in a folder of its own.
final class FolderStore: CheckpointStore {
    let folder: TemporaryFolder
    private(set) var best: Int?
    private(set) var steps: [Int] = []

    init() throws { folder = try TemporaryFolder() }

    func path(_ step: Int) -> String { folder.file("step-\(step)") }

    func save(step: Int, isBest: Bool, _ write: (String) throws -> Void) throws -> String {
        try AtomicDirectory.publish(to: path(step), replacing: true) { try write($0) }
        if isBest { best = step }
        steps.append(step)
        return path(step)
    }

    /// The content of every file of a checkpoint.
    func files(_ step: Int) throws -> [String: [UInt8]] {
        let names = try FileSystem.list(path(step))
        return try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try FileSystem.readBytes(FileSystem.join(path(step), $0))) })
    }
}

/// Notes everything.
final class Recorder: TrainingObserver {
    private(set) var steps: [StepMetrics] = []
    private(set) var evaluations: [EvaluationMetrics] = []
    private(set) var plan: TrainingPlan?
    private(set) var result: TrainingResult?

    func observe(_ event: TrainingEvent) throws {
        switch event {
        case .started(let plan): self.plan = plan
        case .step(let metrics): steps.append(metrics)
        case .evaluation(let metrics): evaluations.append(metrics)
        case .checkpoint: break
        case .finished(let result): self.result = result
        }
    }
}

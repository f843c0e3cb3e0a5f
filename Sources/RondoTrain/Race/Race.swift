public import RondoData
import RondoIO
public import RondoModels
import RondoNN
import RondoTensor
public import RondoTokenizers

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where a race stands: all of it can be written down and gone on with.
public struct RaceProgress: Codable, Sendable, Equatable {
    /// The training that was interrupted.
    struct Current: Codable, Sendable, Equatable {
        var leg: RaceLeg
        var step: Int
        var curve: RaceCurve
    }

    /// The version of the format.
    var version = 1
    /// Everything that determines the race but the speed of the machine.
    public internal(set) var configuration: RaceConfiguration
    /// Identifies the text.
    public internal(set) var corpusFingerprint: String
    /// The contestants and their speeds; empty until they are measured.
    public internal(set) var entries: [RaceEntry] = []
    /// The trainings that are done.
    public internal(set) var outcomes: [RaceOutcome] = []
    var current: Current?

    /// What was found so far.
    public var report: RaceReport { RaceReport(self) }
}

/// Trains several mixers with equal compute, as The Languini Kitchen does (Stanić et al., 2023).
///
/// The speed of each contestant is measured first and turned into whole numbers of steps, once and for all. A value.
public struct Race: Sendable {
    /// What a race is doing.
    public enum Event: Sendable {
        /// Measures the speed of a contestant.
        case measuring(String)
        /// A step of a training is done; its place among all of them.
        case step(leg: RaceLeg, index: Int, count: Int, metrics: StepMetrics)
        /// A training is done; what it came to.
        case finished(RaceOutcome)
    }

    /// Where it stands.
    public private(set) var progress: RaceProgress
    /// The models of the contestants.
    public let models: [LanguageModelConfiguration]
    private let corpus: Corpus
    private let tokenizer: any Tokenizer

    /// What is being done.
    public var configuration: RaceConfiguration { progress.configuration }
    /// What was found so far.
    public var report: RaceReport { progress.report }

    /// Begins a race.
    ///
    /// - Parameters:
    ///   - configuration: The race.
    ///   - corpus: The text that it names.
    ///   - tokenizer: What makes tokens of it; the bytes themselves unless given.
    /// - Throws: `RondoError` for what cannot work, before any work is done.
    public init(
        _ configuration: RaceConfiguration, corpus: Corpus, tokenizer: any Tokenizer = ByteVocabulary()
    ) throws {
        try self.init(
            resuming: RaceProgress(configuration: configuration, corpusFingerprint: corpus.fingerprint),
            corpus: corpus, tokenizer: tokenizer)
    }

    /// Goes on with a race.
    ///
    /// - Parameters:
    ///   - progress: Where it stood.
    ///   - corpus: The same text as before.
    ///   - tokenizer: The same tokenizer as before.
    /// - Throws: `RondoError` for another text.
    public init(
        resuming progress: RaceProgress, corpus: Corpus, tokenizer: any Tokenizer = ByteVocabulary()
    ) throws {
        try progress.configuration.validate()
        try corpus.requireFingerprint(progress.corpusFingerprint)
        self.progress = progress
        self.corpus = corpus
        self.tokenizer = tokenizer
        models = try progress.configuration.models()
        for index in models.indices { try training(RaceLeg(contestant: index, level: 0, seed: 0, steps: 1)).validate() }
    }

    // MARK: - Plan

    /// Measures the speed of every contestant, unless that is done.
    ///
    /// - Parameters:
    ///   - onEvent: Told the contestant before it is measured.
    ///   - shouldStop: Asked after every step; `true` leaves everything unmeasured.
    /// - Throws: `RondoError` if a budget is too small for one step.
    public mutating func measure(
        onEvent: (Event) throws -> Void = { _ in }, shouldStop: () -> Bool = { false }
    ) throws {
        guard progress.entries.isEmpty else { return }
        Runtime.threadCount = configuration.training.threads
        var entries: [RaceEntry] = []
        for (index, contestant) in configuration.contestants.enumerated() {
            try onEvent(.measuring(contestant.name))
            let leg = RaceLeg(contestant: index, level: 0, seed: configuration.training.seed, steps: 1)
            var trainer = try Trainer(training(leg), corpus: corpus, tokenizer: tokenizer)
            guard let seconds = try medianSeconds(&trainer, shouldStop) else { return }
            let model = try trainer.model
            entries.append(
                RaceEntry(
                    name: contestant.name, dModel: models[index].dModel, parameters: model.parameterCount,
                    multiplyAdds: try MultiplyAdds(model, windowLength: configuration.training.windowLength),
                    tokensPerSecond: Int((Double(configuration.training.tokensPerStep) / seconds).rounded())))
        }
        progress.entries = entries
        for leg in legs where leg.steps == 0 {
            progress.entries = []
            let budget = configuration.budgets[leg.level]
            throw RondoError(
                .invalidArgument,
                "a budget of \(budget) \(configuration.unit) does not buy one step of '\(entries[leg.contestant].name)'; "
                    + "give more, fewer classes, or a smaller batch or window")
        }
    }

    private func medianSeconds(_ trainer: inout Trainer, _ shouldStop: () -> Bool) throws -> Double? {
        for _ in 0..<configuration.warmupSteps { _ = try trainer.takeStep(totalSteps: .max) }
        var laps: [Double] = []
        for _ in 0..<configuration.timedSteps {
            let start = configuration.clock.seconds
            _ = try trainer.takeStep(totalSteps: .max)
            laps.append(configuration.clock.seconds - start)
            if shouldStop() { return nil }
        }
        laps.sort()
        return max(1e-9, (laps[laps.count / 2] + laps[(laps.count - 1) / 2]) / 2)
    }

    /// All trainings in the order in which they run; empty until the speeds are measured.
    public var legs: [RaceLeg] {
        guard !progress.entries.isEmpty else { return [] }
        var legs: [RaceLeg] = []
        for seed in 0..<UInt64(configuration.seeds) {
            for (level, budget) in configuration.budgets.enumerated() {
                for index in progress.entries.indices {
                    legs.append(
                        RaceLeg(
                            contestant: index, level: level, seed: configuration.training.seed &+ seed,
                            steps: steps(progress.entries[index], budget: budget)))
                }
            }
        }
        return legs
    }

    private func steps(_ entry: RaceEntry, budget: Double) -> Int {
        let tokensPerStep = configuration.training.tokensPerStep
        guard configuration.flops == nil else {
            return ComputeProtocol.steps(
                operations: Int(budget.rounded()),
                operationsPerStep: entry.multiplyAdds.trainingOperations * tokensPerStep)
        }
        return ComputeProtocol.steps(
            tokensPerSecond: entry.tokensPerSecond, milliseconds: Int((budget * 1000).rounded()),
            tokensPerStep: tokensPerStep)
    }

    /// The folder of a training: `lstm-2-seed0` for the second budget.
    public func name(of leg: RaceLeg) -> String {
        "\(configuration.contestants[leg.contestant].name)-\(leg.level + 1)-seed\(leg.seed)"
    }

    /// The training of one leg.
    private func training(_ leg: RaceLeg) -> TrainingConfiguration {
        var training = configuration.training
        training.model = models[leg.contestant]
        (training.steps, training.minutes, training.epochs) = (leg.steps, nil, nil)
        training.seed = leg.seed
        // What a budget buys is known: nothing is measured or saved on the way, and nothing stops early.
        (training.evaluation.interval, training.evaluation.patience, training.checkpoints.interval) = (0, 0, 0)
        return training
    }

    // MARK: - Running

    /// Runs the trainings that are left.
    ///
    /// - Parameters:
    ///   - folder: Where models are kept, each in a folder of its own; nowhere if `nil`.
    ///   - companions: Files of the tokenizer, for those folders.
    ///   - onEvent: Told every step and every result; it may throw to stop.
    ///   - shouldStop: Asked after every step; `true` saves the model, if there is a folder, and returns.
    /// - Returns: Whether all is done.
    /// - Throws: `RondoError` of code `notFinite` if a training diverged, or what `onEvent` throws.
    public mutating func run(
        folder: String? = nil, companions: [String: [UInt8]] = [:],
        onEvent: @escaping (Race, Event) throws -> Void,
        shouldStop: () -> Bool = { false }
    ) throws -> Bool {
        let legs = legs
        guard !legs.isEmpty else { return false }
        for (index, leg) in legs.enumerated().dropFirst(progress.outcomes.count) {
            let store = LegStore(path: folder.map { FileSystem.join($0, name(of: leg)) })
            var (trainer, curve) = try trainer(leg, store)
            trainer.companions = companions
            let observer = LegObserver(curve) { [self] in
                try onEvent(self, .step(leg: leg, index: index, count: legs.count, metrics: $0))
            }
            let result = try trainer.run(store: store, observer: observer, shouldStop: shouldStop)
            guard result.reason == .completed, let evaluation = result.evaluation else {
                progress.current = .init(leg: leg, step: result.step, curve: observer.curve)
                return false
            }
            // Of a tokenizer of longer tokens, the loss of a byte is a part of that of a token.
            let lossPerByte = evaluation.bitsPerByte / 1.0.bitsFromNats
            let outcome = RaceOutcome(
                leg: leg, tokens: result.tokens, lossPerByte: lossPerByte,
                curve: observer.curve.points(steps: leg.steps, budget: configuration.budgets[leg.level]))
            progress.current = nil
            progress.outcomes.append(outcome)
            try onEvent(self, .finished(outcome))
        }
        return true
    }

    /// The trainer of a leg: from where it was interrupted, if that was saved.
    private func trainer(_ leg: RaceLeg, _ store: LegStore) throws -> (Trainer, RaceCurve) {
        if let current = progress.current, current.leg == leg, let path = store.path, FileSystem.kind(of: path) != nil {
            let trainer = try Trainer(resuming: path, corpus: corpus, tokenizer: tokenizer)
            if trainer.step == current.step { return (trainer, current.curve) }
        }
        return (try Trainer(training(leg), corpus: corpus, tokenizer: tokenizer), RaceCurve())
    }
}

extension RaceConfiguration.Clock {
    /// Seconds since some beginning.
    var seconds: Double {
        var time = timespec()
        clock_gettime(self == .wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

/// The training losses of a leg, summed over a fortieth of it at a time.
struct RaceCurve: Codable, Sendable, Equatable {
    private static let count = 40
    private var sums: [Double] = []
    private var counts: [Int] = []

    mutating func add(_ bitsPerByte: Double, step: Int, of steps: Int) {
        let place = min(Self.count, steps) * (step - 1) / max(1, steps)
        while sums.count <= place {
            sums.append(0)
            counts.append(0)
        }
        sums[place] += bitsPerByte
        counts[place] += 1
    }

    func points(steps: Int, budget: Double) -> [RaceOutcome.Point] {
        let parts = Double(min(Self.count, steps))
        return zip(sums, counts).enumerated().compactMap { index, part in
            part.1 == 0 ? nil : .init(compute: budget * Double(index + 1) / parts, bitsPerByte: part.0 / Double(part.1))
        }
    }
}

/// Keeps the last checkpoint of a leg, or none.
private final class LegStore: CheckpointStore {
    let path: String?

    init(path: String?) { self.path = path }

    func save(step: Int, isBest: Bool, _ write: (String) throws -> Void) throws -> String {
        guard let path else { return "" }
        try FileSystem.makeFolder(FileSystem.parent(of: path))
        try AtomicDirectory.publish(to: path, replacing: true, write)
        return path
    }
}

/// Hears of the steps of a leg.
private final class LegObserver: TrainingObserver {
    private(set) var curve: RaceCurve
    private var totalSteps = 1
    private let onStep: (StepMetrics) throws -> Void

    init(_ curve: RaceCurve, onStep: @escaping (StepMetrics) throws -> Void) {
        self.curve = curve
        self.onStep = onStep
    }

    func observe(_ event: TrainingEvent) throws {
        switch event {
        case .started(let plan): totalSteps = plan.totalSteps
        case .step(let metrics):
            curve.add(metrics.bitsPerByte, step: metrics.step, of: totalSteps)
            try onStep(metrics)
        case .evaluation, .checkpoint, .finished: break
        }
    }
}

import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain

/// Sequences of events as a model reads them: `[batch, time, …]`.
private struct EventBatch {
    /// The logarithm of the time since the event before, and since time 0 in units of the length; the mark as one-hot.
    var features: Tensor
    /// The logarithm of the time to the next event, `[batch, time, 1]`, without the last.
    var logWaits: Tensor
    /// The mark of the next event, `[batch, time]`.
    var marks: Tensor

    init(_ sequences: [[HawkesProcess.Event]], marks count: Int) throws {
        let length = sequences.first?.count ?? 0
        var (features, waits, marks) = ([Float](), [Double](), [Int32]())
        for events in sequences {
            var last = 0.0
            for (index, event) in events.enumerated() {
                let logWait = Numerics.log(max(event.time - last, 1e-9))
                last = event.time
                if index > 0 {
                    waits.append(logWait)
                    marks.append(Int32(event.mark))
                }
                guard index < length - 1 else { continue }
                features += [Float(logWait), Float(event.time / Double(length))]
                features += (0..<count).map { $0 == event.mark ? 1 : 0 }
            }
        }
        let shape: Shape = [sequences.count, max(0, length - 1)]
        self.features = try Tensor(features, shape: shape + [count + 2])
        logWaits = try Tensor(waits, shape: shape + [1]).cast(to: .float32)
        self.marks = try Tensor(marks, shape: shape)
    }
}

/// A mixture of log-normal densities for the next time, and for its mark a softmax of a + b log Δ.
private struct EventHead {
    let components: Int
    let marks: Int

    var outputSize: Int { 3 * components + 2 * marks }

    /// The mean of -log p(time, mark), in nats an event.
    func loss(_ outputs: Tensor, _ batch: EventBatch) throws -> Tensor {
        let logWeights = try part(outputs, 0, components).logSoftmax()
        let means = try part(outputs, components, components)
        let logScales = try part(outputs, 2 * components, components).clamped(-5, 3)
        let slopes = try part(outputs, 3 * components, marks)
        let scores = try part(outputs, 3 * components + marks, marks) + slopes * batch.logWaits
        let distance = try (batch.logWaits - means) * (-logScales).exp()
        let densities = try logWeights - distance.square() * 0.5 - logScales - 0.5 * Numerics.log(2 * .pi)
        let times = try batch.logWaits.squeezed(-1) - densities.logSumExp()
        return try times.mean() + Loss.crossEntropy(scores, batch.marks)
    }

    private func part(_ outputs: Tensor, _ start: Int, _ count: Int) throws -> Tensor {
        try outputs.sliced(2, start..<start + count)
    }
}

extension Experiment {
    private struct EventSettings: Encodable {
        var process: HawkesProcess
        var length = 64
        var components = 8
        var batchSize = 32
        var steps = 1500
        var learningRate = 3e-3
        var schedule = ScheduleConfiguration(.cosine, warmupSteps: 50, floor: 0)
        var testSequences = 1000
    }

    /// Three kinds of events, each of which causes the next kind (and itself, more rarely).
    private static func eventSettings() throws -> EventSettings {
        EventSettings(
            process: try HawkesProcess(
                baseRates: [0.1, 0.1, 0.1], excitation: [[0.2, 0, 0.5], [0.5, 0.2, 0], [0, 0.5, 0.2]], decay: 2))
    }

    /// Aaren against a Transformer of the same blocks, on events whose true probabilities are known.
    static func events(_ trial: inout Trial) throws {
        let settings = try eventSettings()
        try trial.record("events", settings)
        var test = Generator(seed: trial.seed, stream: 99)
        let sequences = (0..<settings.testSequences).map { _ in
            settings.process.events(settings.length, using: &test)
        }
        let poisson = try constantRates(settings, trial.seed)
        let (own, constant) = (meanLoss(settings.process, sequences), meanLoss(poisson, sequences))
        let read = try EventBatch(sequences, marks: settings.process.baseRates.count)
        var losses: [String: Double] = [:]
        for (name, mixer) in [("Aaren", "aaren"), ("the Transformer", "attention")] {
            let loss = try eventLoss(&trial, settings, mixer, read)
            losses[name] = loss
            trial.check(
                "\(name): share of the way from constant rates to the process", (constant - loss) / (constant - own),
                .within(0.8...1.02))
        }
        let (aaren, transformer) = (losses["Aaren"] ?? .nan, losses["the Transformer"] ?? .nan)
        trial.check(
            "negative log-likelihoods differ, relative", abs(aaren - transformer) / abs(transformer), .atMost(0.02))
        trial.table(
            "Negative log-likelihood, nats an event", ["model", "loss"],
            [("the process itself", own), ("Aaren", aaren), ("Transformer", transformer), ("constant rates", constant)]
                .map { [$0.0, Figure.text($0.1)] })
    }

    private static func eventLoss(
        _ trial: inout Trial, _ settings: EventSettings, _ mixer: String, _ test: EventBatch
    ) throws -> Double {
        var configuration = LanguageModelConfiguration(mixer: mixer, dModel: 32, nLayers: 2)
        (configuration.norm, configuration.feedForward) = (.layer, .gelu)
        configuration.mixerOptions = ["heads": .integer(4)]
        try trial.record(mixer, configuration)
        let marks = settings.process.baseRates.count
        let head = EventHead(components: settings.components, marks: marks)
        var generator = Generator(seed: trial.seed)
        let model = try SignalModel(
            configuration, inputSize: marks + 2, outputSize: head.outputSize, using: &generator)
        var examples = Generator(seed: trial.seed, stream: 1)
        var learner = try Learner(model, optimizer: plainAdam(settings.learningRate))
        try trial.steps(mixer, upTo: settings.steps) {
            let batch = try EventBatch(
                (0..<settings.batchSize).map { _ in settings.process.events(settings.length, using: &examples) },
                marks: marks)
            let rate = settings.schedule.multiplier(step: learner.step, totalSteps: settings.steps)
            return try learner.step(rateMultiplier: rate) { try head.loss(outputs($0, batch), batch) }.loss
        }
        return try head.loss(outputs(learner.model, test), test).scalar()
    }

    private static func outputs(_ model: SignalModel, _ batch: EventBatch) throws -> Tensor {
        var state = try model.initialState(batch: batch.features.shape[0])
        var unused = Generator(seed: 0)
        return try model(batch.features, state: &state, training: false, using: &unused)
    }

    /// The likeliest process without memory, from other sequences than those of the test.
    private static func constantRates(_ settings: EventSettings, _ seed: UInt64) throws -> HawkesProcess {
        var generator = Generator(seed: seed, stream: 2)
        let marks = settings.process.baseRates.count
        var (counts, time) = ([Double](repeating: 0, count: marks), 0.0)
        for _ in 0..<settings.testSequences {
            let events = settings.process.events(settings.length, using: &generator)
            // As in the test, the first event and what precedes it do not count.
            for event in events.dropFirst() { counts[event.mark] += 1 }
            time += (events.last?.time ?? 0) - (events.first?.time ?? 0)
        }
        let none = Array(repeating: Array(repeating: 0.0, count: marks), count: marks)
        return try HawkesProcess(baseRates: counts.map { $0 / time }, excitation: none, decay: 1)
    }

    /// Over all events but the first of each sequence.
    private static func meanLoss(_ process: HawkesProcess, _ sequences: [[HawkesProcess.Event]]) -> Double {
        let losses = sequences.flatMap { process.losses(of: $0).dropFirst() }
        return losses.reduce(0, +) / Double(losses.count)
    }
}

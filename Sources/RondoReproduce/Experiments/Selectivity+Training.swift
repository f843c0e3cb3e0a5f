import RondoData
import RondoIO
import RondoModels
import RondoTensor
import RondoTrain

/// The parts of the experiment that train models.
extension Experiment {
    /// A way to remember.
    private struct Strategy {
        var name: String
        var mixer: String
        var options: JSONValue?
        var feedForward = LanguageModelConfiguration.FeedForwardKind.none

        static let mlp = Strategy(
            name: "no recurrence (MLP)", mixer: "sliding_window", options: ["window": .integer(1)], feedForward: .swiGLU
        )
        static let linearAttention = Strategy(name: "linear attention, no gate", mixer: "linear_attention")
        static let gla = Strategy(name: "GLA", mixer: "gla")
        static let mamba2 = Strategy(
            name: "Mamba-2", mixer: "mamba2", options: ["head_size": .integer(32), "state_size": .integer(32)])
        static let deltaNet = Strategy(name: "DeltaNet", mixer: "delta_net")
        static let gatedDeltaNet = Strategy(name: "Gated DeltaNet", mixer: "gated_delta_net")
        static let attention = Strategy(name: "softmax attention", mixer: "attention", feedForward: .swiGLU)
    }

    private static func train(
        _ strategy: Strategy, on variant: SelectiveVariant, steps: Int, _ trial: inout Trial
    ) throws -> TaskModel {
        var model = LanguageModelConfiguration(mixer: strategy.mixer, dModel: 64, nLayers: 2)
        (model.mixerOptions, model.feedForward) = (strategy.options, strategy.feedForward)
        var training = TaskTraining(model: model)
        (training.batchSize, training.steps, training.seed) = (32, steps, trial.seed)
        training.optimizer = OptimizerConfiguration(.adamw, learningRate: 3e-3)
        training.schedule = ScheduleConfiguration(.cosine, warmupSteps: steps / 10)
        let name = "\(strategy.name), \(variant.rawValue)"
        try trial.record(name, training)
        var trainer = try TaskTrainer(variant.training(grammarSeed: trial.seed), training)
        try trainer.run { step, loss in
            try trial.progress("\(name): step \(step) of \(training.steps), loss \(Figure.text(loss))")
        }
        return trainer.model
    }

    /// What the last symbols alone tell, on the grammar of the trial.
    private static func symbolReference(order: Int, _ trial: Trial) throws -> Double {
        let grammar = try SelectiveVariant.complexity.training(grammarSeed: trial.seed).grammar()
        var generator = Generator(seed: trial.seed, stream: 5)
        let streams = try (0..<2200).map { _ in try grammar.stream(length: 64, using: &generator) }
        let gram = SelectivityNGram(order: order, grammar: grammar, streams: Array(streams.dropFirst(200)))
        let right = streams.prefix(200).reduce(0) { sum, states in
            let symbols = states.map(grammar.symbol(of:))
            return sum + states.indices.count { gram.guess($0, in: symbols) == states[$0] }
        }
        return Double(right) / Double(200 * 64)
    }

    static func firstSteps(_ trial: inout Trial) throws {
        let floor = try symbolReference(order: 1, trial)
        trial.show("the symbol alone", floor)
        let variant = SelectiveVariant.complexity
        let test = variant.test(grammarSeed: trial.seed)
        let mlp = try train(.mlp, on: variant, steps: 80, &trial).symbolAccuracy(on: test, length: 64)
        trial.check("MLP over the symbol alone", mlp - floor, .within(-0.03...0.03))
        let gla = try train(.gla, on: variant, steps: 100, &trial).symbolAccuracy(on: test, length: 64)
        trial.check("GLA over the symbol alone", gla - floor, .atLeast(0.15))
    }

    private static let strategies: [Strategy] = [
        .mlp, .linearAttention, .gla, .mamba2, .deltaNet, .gatedDeltaNet, .attention,
    ]

    /// Trains every strategy on one task and judges it at gaps of several lengths.
    private static func compare(
        on variant: SelectiveVariant, steps: Int, gaps: [Int], _ trial: inout Trial
    ) throws -> [String: [Double]] {
        var accuracy: [String: [Double]] = [:]
        for strategy in strategies {
            let model = try train(strategy, on: variant, steps: steps, &trial)
            accuracy[strategy.name] = try gaps.map { gap in
                var test = variant.test(grammarSeed: trial.seed)
                (test.minGap, test.maxGap) = (gap, gap)
                return try model.symbolAccuracy(on: test, length: 64, count: gap > 10 ? 32 : 128)
            }
        }
        trial.table(
            "Share of symbols whose state is known", ["model"] + gaps.map { "gap of \($0)" },
            strategies.map { strategy in [strategy.name] + (accuracy[strategy.name] ?? []).map(Figure.text) })
        for strategy in strategies {
            for (gap, value) in zip(gaps, accuracy[strategy.name] ?? []) {
                trial.show(gaps.count > 1 ? "\(strategy.name), gap of \(gap)" : strategy.name, value)
            }
        }
        return accuracy
    }

    static func keepingDistractorsOut(_ trial: inout Trial) throws {
        let accuracy = try compare(on: .distractors, steps: 400, gaps: [1], &trial)
        func figure(_ strategy: Strategy) -> Double { accuracy[strategy.name]?[0] ?? 0 }
        trial.check(
            "GLA or Mamba-2 over linear attention without a gate",
            max(figure(.gla), figure(.mamba2)) - figure(.linearAttention), .atLeast(0.05))
    }

    static func trackingStates(_ trial: inout Trial) throws {
        let grams = try (1...3).map { try symbolReference(order: $0, trial) }
        for (order, value) in grams.enumerated() { trial.show("\(order + 1)-gram", value) }
        let accuracy = try compare(on: .complexity, steps: 400, gaps: [1], &trial)
        func figure(_ strategy: Strategy) -> Double { accuracy[strategy.name]?[0] ?? 0 }
        trial.check("MLP over the 1-gram", figure(.mlp) - grams[0], .within(-0.03...0.03))
        for strategy in [Strategy.gla, .mamba2, .gatedDeltaNet] {
            trial.check("\(strategy.name) over the 3-gram", figure(strategy) - grams[2], .atLeast(0))
        }
    }

    static func bridgingGaps(_ trial: inout Trial) throws {
        let accuracy = try compare(on: .irregularGaps, steps: 300, gaps: [10, 20, 50], &trial)
        func figure(_ strategy: Strategy, _ place: Int) -> Double { accuracy[strategy.name]?[place] ?? 0 }
        let floor = try symbolReference(order: 1, trial)
        for strategy in [Strategy.gla, .mamba2, .gatedDeltaNet] {
            trial.check("\(strategy.name) at gaps of 10 over the 1-gram", figure(strategy, 0) - floor, .atLeast(0.05))
        }
        trial.show("gaps of 50: Gated DeltaNet over GLA", figure(.gatedDeltaNet, 2) - figure(.gla, 2))
        trial.show("gaps of 50: DeltaNet over GLA", figure(.deltaNet, 2) - figure(.gla, 2))
        trial.note("Which recurrence bears longer gaps best is shown and not judged.")
    }
}

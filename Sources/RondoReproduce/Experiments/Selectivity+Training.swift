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

    static func gatingStrategies(_ trial: inout Trial) throws {
        let strategies: [Strategy] = [.mlp, .linearAttention, .gla, .mamba2, .deltaNet, .gatedDeltaNet, .attention]
        let gaps = [10, 20, 50]
        let grams = try (1...3).map { try symbolReference(order: $0, trial) }
        var accuracy: [String: [Double]] = [:]
        for strategy in strategies {
            var figures: [Double] = []
            for variant in SelectiveVariant.allCases {
                let model = try train(strategy, on: variant, steps: 400, &trial)
                var test = variant.test(grammarSeed: trial.seed)
                figures.append(try model.symbolAccuracy(on: test, length: 64))
                guard variant == .irregularGaps else { continue }
                for gap in gaps.dropFirst() {
                    (test.minGap, test.maxGap) = (gap, gap)
                    figures.append(try model.symbolAccuracy(on: test, length: 64, count: 32))
                }
            }
            accuracy[strategy.name] = figures
        }
        trial.table(
            "Share of symbols whose state is known",
            ["model", "1: complexity", "2: gaps of 10", "4: of 20", "4: of 50", "3: distractors"],
            strategies.map { strategy in [strategy.name] + (accuracy[strategy.name] ?? []).map(Figure.text) })
        func figure(_ strategy: Strategy, _ place: Int) -> Double { accuracy[strategy.name]?[place] ?? 0 }
        for (order, value) in grams.enumerated() { trial.show("\(order + 1)-gram", value) }
        trial.check("1: MLP over the 1-gram", figure(.mlp, 0) - grams[0], .within(-0.03...0.03))
        for strategy in [Strategy.gla, .mamba2, .gatedDeltaNet] {
            trial.check("1: \(strategy.name) over the 3-gram", figure(strategy, 0) - grams[2], .atLeast(0))
        }
        trial.check(
            "3: GLA or Mamba-2 over linear attention without a gate",
            max(figure(.gla, 4), figure(.mamba2, 4)) - figure(.linearAttention, 4), .atLeast(0.05))
        trial.show("4 (gaps of 50): Gated DeltaNet over GLA", figure(.gatedDeltaNet, 3) - figure(.gla, 3))
        trial.show("4 (gaps of 50): DeltaNet over GLA", figure(.deltaNet, 3) - figure(.gla, 3))
    }
}

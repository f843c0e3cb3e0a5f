import RondoData
import RondoIO
import RondoModels
import RondoTensor
import RondoTracking
import RondoTrain

/// The parts of the experiment that train models.
extension Experiment {
    private static let strings = 8
    private static let automata = 4000

    /// A model of two layers, with or without heads of orders 1 and 2 after the first.
    private struct Candidate {
        var name: String
        var mixer: String
        var options: JSONValue?
        var hasHeads = false
        var feedForward = LanguageModelConfiguration.FeedForwardKind.none

        var configuration: LanguageModelConfiguration {
            var model = LanguageModelConfiguration(mixer: mixer, dModel: 64, nLayers: 2)
            model.feedForward = feedForward
            let own = LanguageModelConfiguration.Layer(mixer: mixer, options: options)
            let heads = [1, 2].map {
                LanguageModelConfiguration.Layer(mixer: "ngram_head", options: ["order": .integer($0)])
            }
            model.layers = [own] + (hasHeads ? heads : []) + [own]
            return model
        }
    }

    /// The reduced task.
    private static func smallLanguages(automata: Int, seed: UInt64) -> InContextLanguageTask {
        var task = InContextLanguageTask()
        (task.minStates, task.maxStates, task.minSymbols, task.maxSymbols, task.letters) = (4, 6, 4, 8, 8)
        (task.maxStringLength, task.instances, task.instanceSeed) = (20, automata, seed)
        return task
    }

    /// Fresh instances whose languages the training set does not hold.
    private static func unseen(_ count: Int, by task: InContextLanguageTask, seed: UInt64) throws -> [LanguageInstance]
    {
        let known = Set((0..<(task.instances ?? 0)).map { task.instance($0, strings: 1).automaton })
        var fresh = task
        fresh.instances = nil
        var generator = Generator(seed: seed, stream: 0x7e57)
        var instances: [LanguageInstance] = []
        while instances.count < count {
            let instance = try fresh.instance(strings: strings, using: &generator)
            if !known.contains(instance.automaton) { instances.append(instance) }
        }
        return instances
    }

    /// Trains for 12 passes over the automata and judges on unseen languages.
    private static func train(
        _ candidate: Candidate, on task: InContextLanguageTask, _ trial: inout Trial
    ) throws -> [NextSymbolScore] {
        var training = TaskTraining(model: candidate.configuration)
        training.steps = 12 * (task.instances ?? 0) / training.batchSize
        (training.minLength, training.maxLength, training.seed) = (strings, strings, trial.seed)
        training.optimizer = OptimizerConfiguration(.adamw, learningRate: 1e-3)
        let name = "\(candidate.name), \(task.instances ?? 0) automata"
        try trial.record(name, training)
        var trainer = try TaskTrainer(task, training)
        try trainer.run { step, loss in
            try trial.progress("\(name): step \(step) of \(training.steps), loss \(Figure.text(loss))")
        }
        return try trainer.model.scores(
            on: unseen(300, by: task, seed: trial.seed), separator: task.separator)
    }

    private static func total(_ scores: [NextSymbolScore]) -> NextSymbolScore {
        scores.reduce(into: NextSymbolScore()) { $0.merge($1) }
    }

    /// The in-context n-gram on the same instances, string by string.
    private static func reference(order: Int, _ task: InContextLanguageTask, seed: UInt64) throws -> NextSymbolScore {
        var score = NextSymbolScore()
        let predictor = NGramPredictor(order: order, symbolCount: task.letters)
        for instance in try unseen(300, by: task, seed: seed) {
            instance.judge(predictor, judgesEnds: true, into: &score)
        }
        return score
    }

    static func headsFixRecurrence(_ trial: inout Trial) throws {
        let task = smallLanguages(automata: automata, seed: trial.seed)
        let threeGram = try reference(order: 3, task, seed: trial.seed)
        let twoGram = try reference(order: 2, task, seed: trial.seed)
        var rows = [("in-context 2-gram", twoGram), ("in-context 3-gram", threeGram)]
        var series: [LossChart.Series] = []
        var accuracy: [String: Double] = [:]
        let gla: JSONValue = ["heads": .integer(2)]
        let candidates = [
            Candidate(name: "LSTM", mixer: "lstm"), Candidate(name: "LSTM + heads", mixer: "lstm", hasHeads: true),
            Candidate(name: "GLA", mixer: "gla", options: gla),
            Candidate(name: "GLA + heads", mixer: "gla", options: gla, hasHeads: true),
            Candidate(name: "Transformer", mixer: "attention", options: ["heads": .integer(2)], feedForward: .swiGLU),
        ]
        for candidate in candidates {
            let scores = try train(candidate, on: task, &trial)
            let sum = total(scores)
            accuracy[candidate.name] = sum.accuracy
            rows.append((candidate.name, sum))
            series.append(
                LossChart.Series(
                    name: candidate.name,
                    points: scores.enumerated().map { CurvePoint(Double($0.offset + 1), $0.element.accuracy) },
                    style: .points))
        }
        trial.table(
            "Unseen languages", ["model", "accuracy", "total variation", "KL (nats)"],
            rows.map {
                [$0.0, Figure.text($0.1.accuracy), Figure.text($0.1.totalVariation), Figure.text($0.1.kullbackLeibler)]
            })
        trial.chart(
            LossChart(title: "Accuracy by string", xLabel: "string", yLabel: "accuracy", series: series))
        trial.show("in-context 3-gram: accuracy", threeGram.accuracy)
        for name in candidates.map(\.name) { trial.show("\(name): accuracy", accuracy[name] ?? 0) }
        for name in ["LSTM", "GLA"] {
            let (plain, helped) = (accuracy[name] ?? 0, accuracy["\(name) + heads"] ?? 0)
            trial.check("\(name): accuracy gained by heads", helped - plain, .atLeast(0.05))
            trial.check("\(name) + heads: accuracy behind the 3-gram", threeGram.accuracy - helped, .atMost(0.03))
        }
        trial.check(
            "Transformer over LSTM: accuracy", (accuracy["Transformer"] ?? 0) - (accuracy["LSTM"] ?? 0), .atLeast(0))
    }

    static func sampleEfficiency(_ trial: inout Trial) throws {
        let sizes = [500, 1000, 2000]
        let gla: JSONValue = ["heads": .integer(2)]
        var curves: [[Double]] = []
        let candidates = [
            Candidate(name: "GLA", mixer: "gla", options: gla),
            Candidate(name: "GLA + heads", mixer: "gla", options: gla, hasHeads: true),
        ]
        for candidate in candidates {
            curves.append(
                try sizes.map { size in
                    try total(train(candidate, on: smallLanguages(automata: size, seed: trial.seed), &trial)).accuracy
                })
        }
        trial.table(
            "Accuracy on unseen languages after 12 passes", ["automata"] + candidates.map(\.name),
            sizes.indices.map { row in ["\(sizes[row])"] + curves.map { Figure.text($0[row]) } })
        trial.check(
            "GLA + heads with 500 automata over GLA with 2,000: accuracy", curves[1][0] - curves[0][2], .atLeast(0))
    }
}

import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain

extension Experiment {
    /// Mishra et al., 2026.
    static let m2RNN = Experiment(
        slug: "m2rnn",
        title: "M²RNN: Non-Linear RNNs with Matrix-Valued States for Scalable Language Modeling",
        source: "M. Mishra, S. Tan, I. Stoica, J. Gonzalez, T. Dao; 2026; arXiv 2603.14360",
        claim: """
            A nonlinear recurrence whose state is a matrix tracks states at any length, which linear recurrences cannot, \
            and holds far more than a GRU of equally many parameters, which is what such networks lacked for language.
            """,
        missing:
            "language models at scale, hybrids with attention, S3 learned from scratch; a calibrated margin of state-size",
        parts: [
            .quick(
                "automaton", "One row of the state runs a finite automaton without an error",
                paper:
                    "Nonlinear recurrences recognise all regular languages; S3 is solved at 4 times the training length.",
                run: constructedAutomaton),
            .full(
                "learned-parity", "Parity learned at 16 positions holds at 256, without tanh it does not",
                paper: "S3 word problem, trained at 128: above 99.5 % up to 512; linear recurrences fail or degrade.",
                run: matrixParity),
            .full(
                "state-size", "Associative recall: more than a GRU of equal parameters",
                paper: """
                    State 86,016 against 1,360 numbers a layer at 410M to 474M parameters: WikiText perplexity 22.92 \
                    against 25.80, LAMBADA 33.63 against 63.83.
                    """,
                run: matrixRecall),
        ])

    // MARK: Constructed automaton

    private static func constructedAutomaton(_ trial: inout Trial) throws {
        let automaton = AutomatonCell(PermutationAutomaton())
        var generator = trial.generator.split()
        let result = try automaton.run(steps: 1_000_000, isLinear: false, &generator) { done in
            try trial.progress("\(done) of 1000000 steps")
        }
        trial.check("wrong states in 1,000,000 random steps of S3", Double(result.errors), .equals(0))
        trial.check("smallest |h|", result.smallest, .atLeast(0.999))
        trial.check("steps until the first error without tanh", Double(try automaton.failure(&generator)), .atMost(100))
        let front = try automaton.run(steps: 20_000, isLinear: false, throughSiLU: true, &generator) { _ in }
        trial.check("wrong states in 20,000 steps with keys and values from SiLU", Double(front.errors), .equals(0))
        trial.show("columns of the state, states times symbols", Double(automaton.width))
    }

    // MARK: Learned tasks

    private static func matrixParity(_ trial: inout Trial) throws {
        for isNonlinear in [true, false] {
            var model = LanguageModelConfiguration(mixer: "m2rnn", dModel: 32, nLayers: 1)
            model.mixerOptions = [
                "heads": .integer(2), "key_size": .integer(8), "value_size": .integer(8), "conv_width": .integer(0),
                "min_decay": .integer(8), "max_decay": .integer(16), "max_time_step": .integer(1),
                "activation": .string(isNonlinear ? "tanh" : "none"),
            ]
            var training = TaskTraining(model: model)
            (training.batchSize, training.steps, training.minLength, training.maxLength) = (32, 1200, 4, 16)
            training.curriculumFraction = 0.5
            training.optimizer = OptimizerConfiguration(.adamw, learningRate: 5e-3)
            training.schedule = ScheduleConfiguration(.cosine, warmupSteps: 0)
            let name = isNonlinear ? "with tanh" : "without tanh"
            let trainer = try trial.train(name, on: ParityTask(), training)
            for length in [16, 64, 256] {
                let accuracy = try trainer.score(length: length).accuracy ?? 0
                let judgement: Criterion =
                    length < 256 ? .none : isNonlinear ? .atLeast(0.999) : .atMost(0.95)
                trial.check("\(name): accuracy at length \(length)", accuracy, judgement)
            }
        }
    }

    private static func matrixRecall(_ trial: inout Trial) throws {
        var task = AssociativeRecallTask()
        (task.pairs, task.queries) = (16, 4)
        var matrix = LanguageModelConfiguration(mixer: "m2rnn", dModel: 64, nLayers: 2)
        matrix.mixerOptions = ["heads": .integer(4), "key_size": .integer(16), "value_size": .integer(16)]
        var gru = LanguageModelConfiguration(mixer: "gru", dModel: 64, nLayers: 2)
        gru.mixerOptions = ["hidden_size": .integer(64)]
        var accuracies: [Double] = []
        for (name, model) in [("M²RNN", matrix), ("GRU", gru)] {
            var training = TaskTraining(model: model)
            (training.steps, training.minLength, training.maxLength) = (3000, 40, 40)
            training.schedule = ScheduleConfiguration(.cosine, warmupSteps: 100)
            let trainer = try trial.train(name, on: task, training)
            accuracies.append(try trainer.score(length: 40).accuracy ?? 0)
            trial.show("\(name): accuracy", accuracies.last ?? 0)
            trial.show("\(name): parameters", Double(trainer.model.parameterCount))
        }
        trial.check("accuracy of M²RNN minus GRU", accuracies[0] - accuracies[1], .atLeast(0.2))
    }
}

import RondoData
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTracking
import RondoTrain

extension Experiment {
    /// Danieli et al., 2025.
    static let paraRNN = Experiment(
        slug: "pararnn",
        title: "ParaRNN: Unlocking Parallel Training of Nonlinear RNNs for Large Language Models",
        source: "F. Danieli, P. Rodríguez, M. Sarabia, X. Suau, L. Zappella; ICLR 2026; arXiv 2510.21450",
        claim: """
            Newton's method computes all positions of a nonlinear recurrence at once: with diagonal recurrent weights \
            about three iterations, each a linear recurrence that is solved in parallel, give the states and the \
            derivatives of the loop to rounding.
            """,
        missing: "models of billions of parameters, speed on GPUs",
        parts: [
            .quick(
                "equivalence", "Three iterations give outputs and gradients of the loop",
                paper: "About three iterations reach machine precision, before and after training (appendix A).",
                run: newtonEquivalence),
            .quick(
                "finite-termination", "After k iterations the first k + 1 states are exact",
                paper: "Each iteration makes one more position exact, so it ends after at most T - 1.",
                run: newtonTermination),
            .quick(
                "linear-cells", "A cell that is linear in its state needs one iteration from any guess",
                paper: "The method linearises; for A = 0 and C = 0 there is nothing left to linearise.",
                run: newtonLinear),
            .full(
                "depth", "Work grows with the length, depth with its logarithm",
                paper: "Up to 665 times the speed of the sequential loop on a GPU.",
                run: newtonDepth),
            .full(
                "training", "Training with three iterations is training with the loop",
                paper: "Models of 7 billion parameters train with perplexities of Transformers and Mamba-2.",
                run: newtonTraining),
            .full(
                "expressivity", "Nonlinear diagonal cells learn parity at any length, linear ones do not",
                paper: "Nonlinear recurrences solve tasks of state tracking that linear ones cannot.",
                run: diagonalParity),
        ])

    // MARK: Newton's method

    private static func newtonEquivalence(_ trial: inout Trial) throws {
        for cell in DiagonalCellLoop.Cell.allCases {
            for dtype in [DType.float32, .float64] {
                let layer = try DiagonalLayer(cell, batch: 3, time: 512, dtype, &trial.generator)
                let loop = try layer.run(nil)
                var errors: [Double] = []
                var gradients = 0.0
                for iterations in 0...4 {
                    try trial.progress("\(cell.rawValue), \(dtype.rawValue): \(iterations) iterations")
                    let newton = try layer.run(.iterating(iterations))
                    errors.append(try newton.outputs.largestDifference(from: loop.outputs))
                    guard iterations == 3 else { continue }
                    for (one, other) in zip(newton.gradients, loop.gradients) {
                        gradients = max(gradients, try one.relativeDifference(from: other))
                    }
                }
                let name = "\(cell.rawValue), \(dtype.rawValue)"
                // Calibrated: 1e-9 to 3.4e-6 over six seeds, two cells and both types; 2 iterations leave 5e-5 and more.
                trial.check("\(name): outputs after 3 iterations minus loop", errors[3], .atMost(2e-5))
                let exact = dtype == .float64 ? 1e-12 : 1e-6
                trial.check("\(name): outputs after 4 iterations minus loop", errors[4], .atMost(exact))
                trial.check("\(name): gradients after 3 iterations, relative", gradients, .atMost(1e-4))
                trial.check("\(name): outputs after 1 iteration minus loop", errors[1], .atLeast(1e-2))
                trial.table(
                    "\(name): largest difference of outputs by iterations", (0...4).map(String.init),
                    [errors.map(Figure.text)])
            }
            let wild = try DiagonalLayer(cell, batch: 3, time: 40, .float64, deviation: 1, &trial.generator)
            let last = try wild.run(.iterating(39)).outputs.largestDifference(from: wild.run(nil).outputs)
            trial.check("\(cell.rawValue), A of deviation 1: outputs after T - 1 iterations", last, .atMost(1e-12))
        }
        trial.note(
            "Over six seeds and both cells, three iterations left more than 1e-6 in one draw of twelve in float32 (3.4e-6) "
                + "and more than 1e-7 in three of twelve in float64; four always reached rounding.")
    }

    private static func newtonTermination(_ trial: inout Trial) throws {
        for cell in DiagonalCellLoop.Cell.allCases {
            for deviation in [0.25, 1.0, 2.0] {
                let layer = try DiagonalLayer(
                    cell, batch: 3, time: 40, .float64, deviation: deviation, &trial.generator)
                let exact = try layer.run(nil).outputs
                var worst = 0.0
                for iterations in 0..<40 {
                    let range = 0..<iterations + 1
                    let guess = try layer.run(.iterating(iterations)).outputs.sliced(1, range)
                    worst = max(worst, try guess.largestDifference(from: exact.sliced(1, range)))
                }
                let name = "\(cell.rawValue), weights of deviation \(Figure.text(deviation))"
                // Guesses of wild cells reach 1e16: what is left of them after a correction is rounding.
                trial.check("\(name): first k + 1 states", worst, deviation < 2 ? .atMost(1e-12) : .none)
            }
        }
    }

    private static func newtonLinear(_ trial: inout Trial) throws {
        for cell in DiagonalCellLoop.Cell.allCases {
            let layer = try DiagonalLayer(cell, batch: 3, time: 512, .float64, deviation: 0, &trial.generator)
            let guess = try trial.generator.normal([3, 512, cell.stateCount, 14], deviation: 10, dtype: .float64)
            // The LSTM's h is no linear function of its new c, so only its states c are.
            let solved = try layer.solved(.iterating(cell == .gru ? 1 : 2), guess: guess)
            let difference = try solved.largestDifference(from: layer.run(nil).outputs)
            trial.check(
                "\(cell.rawValue): outputs after \(cell == .gru ? "one iteration" : "two iterations") from a random guess",
                difference, .atMost(1e-12))
        }
    }

    // MARK: Full parts

    private static func newtonDepth(_ trial: inout Trial) throws {
        let width = 256
        var rows: [[String]] = []
        var times: [Int: Double] = [:]
        var worst = 0.0
        for exponent in stride(from: 8, through: 16, by: 2) {
            let time = 1 << exponent
            try trial.progress("length \(time)")
            let layer = try DiagonalLayer(.gru, batch: 1, time: time, width: width, .float32, &trial.generator)
            let projected = try layer.projected()
            let (loop, newton) = (DiagonalCellLoop(.gru), DiagonalCellLoop(.gru, newton: .iterating(3)))
            worst = max(worst, try newton(projected)[0].largestDifference(from: loop(projected)[0]))
            let medians = try Stopwatch.medians(of: [{ _ = try loop(projected) }, { _ = try newton(projected) }])
            times[exponent] = medians[1]
            rows.append(
                ["\(time)", "\(time)", "\(3 * exponent)"] + medians.map { Figure.text($0 * 1e3) }
                    + [Figure.text(medians[1] / medians[0])])
        }
        trial.check("outputs minus loop", worst, .atMost(1e-5))
        let growth = (times[16] ?? 0) / (times[14] ?? 1)
        trial.check("time at 65536 positions as a multiple of that at 16384", growth, .within(3.2...5.5))
        trial.table(
            "ParaGRU, one sequence, width \(width), float32, \(Runtime.threadCount) threads; medians of five",
            ["positions", "steps in a row, loop", "sweeps in a row, Newton", "loop, ms", "Newton, ms", "ratio"], rows)
        trial.note(
            "The sweeps are those of a scan that doubles its reach, 3 ⌈log₂ T⌉. On a few cores the scan works in pieces "
                + "instead, two passes over each; Newton's method does several times the work of the loop, so no speed-up "
                + "is expected here.")
    }

    private static func newtonTraining(_ trial: inout Trial) throws {
        let text = MixerText()
        for mixer in ["para_gru", "para_lstm"] {
            let loop = try text.train(mixer, newtonIterations: 0, &trial)
            let newton = try text.train(mixer, newtonIterations: 3, &trial)
            let apart = zip(loop.losses, newton.losses).map { abs($0 - $1) }.max() ?? .infinity
            trial.check("\(mixer): largest difference of losses in 300 steps", apart, .atMost(5e-3))
            trial.check("\(mixer): difference in bits per byte at the end", abs(loop.bits - newton.bits), .atMost(0.01))
            trial.show("\(mixer): bits per byte of held-out text", newton.bits)
            trial.chart(
                LossChart(
                    title: "\(mixer): training by the loop and by three iterations", yLabel: "loss (nats)",
                    series: [("loop", loop.losses), ("Newton", newton.losses)].map { name, losses in
                        let points = losses.enumerated().map { CurvePoint(Double($0.offset + 1), $0.element) }
                        return LossChart.Series(name: name, points: points, style: .mean)
                    }))
        }
        trial.note("The text is the descriptions of all mixers of this program, \(text.tokens.count) bytes.")
    }

    private static func diagonalParity(_ trial: inout Trial) throws {
        for (mixer, isNonlinear) in [("para_gru", true), ("para_lstm", true), ("min_gru", false)] {
            var model = LanguageModelConfiguration(mixer: mixer, dModel: 32, nLayers: 1)
            // The cell alone: with the block's convolution over four positions, only some seeds learn it.
            if isNonlinear { model.mixerOptions = ["block": .bool(false)] }
            var training = TaskTraining(model: model)
            (training.steps, training.minLength, training.maxLength) = (3000, 4, 32)
            let score = try trial.train(mixer, on: ParityTask(), training).score(length: 256)
            trial.check(
                "\(mixer): accuracy at length 256", score.accuracy ?? 0, isNonlinear ? .atLeast(0.99) : .atMost(0.6))
        }
    }
}

/// The descriptions of all mixers as a text to learn: always at hand, the last tenth held out.
private struct MixerText {
    let tokens: [Int32]
    private let window = 128

    init() {
        let cards = MixerRegistry.builtIn.map { $0.card }
        let text = cards.map { [$0.summary, $0.equations, $0.notes].joined(separator: "\n") }.joined(separator: "\n")
        tokens = text.utf8.map { Int32($0) }
    }

    private var trainingCount: Int { tokens.count * 9 / 10 }

    private func batch(_ starts: some Sequence<Int>) throws -> TaskBatch {
        try TaskBatch(
            starts.map { start in
                TaskExample(
                    tokens: Array(tokens[start..<start + window]),
                    classes: Array(tokens[start + 1...start + window]))
            })
    }

    private func loss(_ model: LanguageModel, _ batch: TaskBatch) throws -> Tensor {
        var state = try model.initialState(batch: batch.inputs.shape[0])
        return try Loss.crossEntropy(model.logits(batch.inputs, state: &state), batch.targets)
    }

    /// Trains a model of one layer for 300 steps, with the same weights and windows for one seed.
    ///
    /// - Parameters:
    ///   - mixer: The layer's mixer.
    ///   - newtonIterations: Of Newton's method; 0 for the loop.
    ///   - trial: Gives the seed; records the settings.
    /// - Returns: The losses in nats, and the bits per byte of the held-out text at the end.
    /// - Throws: What training throws, or the request to stop.
    func train(
        _ mixer: String, newtonIterations: Int, _ trial: inout Trial
    ) throws -> (losses: [Double], bits: Double) {
        let name = "\(mixer), \(newtonIterations) iterations"
        var configuration = LanguageModelConfiguration(mixer: mixer, dModel: 128, nLayers: 1)
        configuration.mixerOptions = ["newton_iterations": .integer(UInt64(newtonIterations))]
        try trial.record(name, configuration)
        var generator = Generator(seed: trial.seed)
        var learner = try Learner(
            LanguageModel(configuration, using: &generator),
            optimizer: OptimizerConfiguration(.adamw, learningRate: 3e-3).makeOptimizer())
        var losses: [Double] = []
        while learner.step < 300 {
            let starts = (0..<16).map { _ in Int.random(in: 0..<trainingCount - window, using: &generator) }
            let batch = try batch(starts)
            let before = try learner.step { try loss($0, batch) }.loss
            losses.append(before)
            try trial.progress("\(name): step \(learner.step) of 300, loss \(Figure.text(before))")
        }
        let held = try batch(stride(from: trainingCount, to: tokens.count - window, by: window))
        let nats = try loss(learner.model, held).scalar()
        return (losses, nats / 0.693_147_180_559_945_3)
    }
}

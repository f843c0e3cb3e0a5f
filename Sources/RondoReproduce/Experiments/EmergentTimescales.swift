import RondoDiagnostics
import RondoNN
import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension Experiment {
    /// Khajehabdollahi et al., 2023.
    static let emergentTimescales = Experiment(
        slug: "emergent-timescales",
        title: "Emergent mechanisms for long timescales depend on training curriculum and affect performance in "
            + "memory tasks",
        source: """
            S. Khajehabdollahi, R. Zeraati, E. Giannakakis, T. J. Schäfer, G. Martius, A. Levina; ICLR 2024; \
            arXiv 2309.12927
            """,
        claim: """
            A leaky network that learns one task of growing length at a time makes its units slow and forgets the \
            shorter ones; one that keeps learning all lengths keeps its units fast, makes its memory by its \
            connections, learns sooner and bears damage better.
            """,
        missing: """
            growth of τ in the single curriculum, which 64 units do not show up to N = 12; 500 units; GRU and LSTM with \
            several heads
            """,
        parts: [
            .quick(
                "tasks-and-cell", "The tasks and the cell are what the paper defines",
                paper: """
                    N-parity and N-DMS; r = φ((1 - 1/τ) r + (1/τ)(W r + w S + b)). These must hold by definition.
                    """,
                run: { trial in
                    try TimescaleTrials.tasks(&trial)
                    try TimescaleTrials.cell(&trial)
                }),
            .quick(
                "estimator", "The estimator finds the timescales of known processes",
                paper: "Timescales are fitted to autocorrelations, with one or two exponentials chosen by AIC.",
                run: TimescaleTrials.estimator),
            .full(
                "curricula", "Parity up to 7: one head at a time forgets, all heads together do not",
                paper: """
                    500 units: with a single head τ grows with N and smaller N are forgotten; with all heads τ stays \
                    small, and training is faster (figures only).
                    """,
                run: TimescaleTrials.curricula),
            .full(
                "damage", "Units taken away and weights perturbed, after parity up to 5",
                paper: "Networks of the cumulative curriculum bear ablation and perturbation better (figures only).",
                run: TimescaleTrials.damage),
            .full(
                "longer", "Parity as far as a budget of updates goes: τ and τ_net against N",
                paper: "τ grows with N in the single curriculum only; τ_net, of the activity, grows in both.",
                run: TimescaleTrials.longer),
            .full(
                "delayed-match", "N-DMS up to 7, both curricula",
                paper: "The same outcome on N-DMS (figures only).",
                run: TimescaleTrials.delayedMatch),
        ])
}

/// The trials of `emergent-timescales`.
enum TimescaleTrials {
    // MARK: - Definitions

    static func tasks(_ trial: inout Trial) throws {
        let (count, time, numbers) = (10_000, 20, Array(2...7))
        let (inputs, targets) = try MemoryTask.parity.batch(numbers, time: time, batch: count, using: &trial.generator)
        let bits = try inputs.array(of: Float.self)
        let labels = try targets.array(of: Int32.self)
        var wrong = 0
        var zeros = [Int](repeating: 0, count: numbers.count)
        for row in 0..<count {
            for (column, n) in numbers.enumerated() {
                let ones = (time - n..<time).count { bits[$0 * count + row] == 1 }
                let label = Int(labels[row * numbers.count + column])
                wrong += label == ones % 2 ? 0 : 1
                zeros[column] += label == 0 ? 1 : 0
            }
        }
        trial.check("parities that are wrong, of \(count) sequences", Double(wrong), .equals(0))
        let unbalance = zip(numbers, zeros).map { n, zeros in
            abs(Double(zeros) / Double(count) - (n.isMultiple(of: 2) ? 0.5 + 0.5 / Double(n + 1) : 0.5))
        }
        trial.check(
            "largest difference of the share of even parities from its formula", unbalance.max() ?? 1, .atMost(0.02))
        trial.check("bits that N-DMS does not read as defined", Double(try delayErrors(&trial)), .equals(0))
    }

    /// Flips every bit of random sequences: the answer must change for the last bit and for that N - 1 before it alone.
    private static func delayErrors(_ trial: inout Trial) throws -> Int {
        var errors = 0
        for n in 2...7 {
            for _ in 0..<200 {
                var bits = (0..<20).map { _ in Int32.random(in: 0...1, using: &trial.generator) }
                let answer = MemoryTask.delayedMatch.answer(bits, n: n)
                for index in bits.indices {
                    bits[index] ^= 1
                    let changes = MemoryTask.delayedMatch.answer(bits, n: n) != answer
                    errors += changes == (index == bits.count - 1 || index == bits.count - n) ? 0 : 1
                    bits[index] ^= 1
                }
            }
        }
        return errors
    }

    static func cell(_ trial: inout Trial) throws {
        let (time, batch, units) = (12, 3, 7)
        var configuration = LeakyRecurrentLayer.Configuration(inputSize: 1, hiddenSize: units)
        configuration.fixedTimeConstant = 1
        let x = try trial.generator.normal([time, batch, 1], dtype: .float64)
        let start = try trial.generator.uniform([batch, units], high: 0.1, dtype: .float64)
        let plain = try LeakyRecurrentLayer(configuration, dtype: .float64, using: &trial.generator)
        var h = start
        for t in 0..<time {
            let drive =
                try x.selecting(0, t).linear(plain.weight, bias: plain.bias)
                + h.linear(plain.recurrentMatrix, bias: plain.recurrentBias)
            h = try drive.relu() - 0.01 * (-drive).relu()
        }
        let difference = try (plain(x, state: start).state - h).abs().max().scalar()
        trial.check("τ = 1 differs from a plain network with leaky ReLUs by", difference, .atMost(1e-12))
        configuration.fixedTimeConstant = nil
        let layer = try LeakyRecurrentLayer(configuration, dtype: .float64, using: &trial.generator)
        try trial.check("relative error of the derivative of τ", timeConstantError(layer, x, start), .atMost(1e-5))
        try trial.check("step response differs from 1 - (1 - 1/τ)^t by", stepResponseError(), .atMost(1e-12))
    }

    /// The derivative of a random function of the last state with respect to τ, against differences.
    private static func timeConstantError(_ layer: LeakyRecurrentLayer, _ x: Tensor, _ start: Tensor) throws -> Double {
        func loss(_ layer: LeakyRecurrentLayer) throws -> Tensor { try layer(x, state: start).state.square().sum() }
        let (_, gradients) = try layer.valueAndGradients(loss)
        guard let found = gradients["time_constant"], let values = layer.timeConstant else { return .infinity }
        let (derivatives, step) = (try found.array(of: Double.self), 1e-5)
        var worst = 0.0
        for unit in derivatives.indices {
            func moved(_ amount: Double) throws -> Double {
                var copy = layer
                var list = try values.array(of: Double.self)
                list[unit] += amount
                copy.timeConstant = try Tensor(list)
                return try loss(copy).scalar()
            }
            let expected = try (moved(step) - moved(-step)) / (2 * step)
            worst = max(worst, abs(derivatives[unit] - expected) / max(abs(expected), 1e-3))
        }
        return worst
    }

    private static func stepResponseError() throws -> Double {
        let constants = [1.0, 1.5, 4, 20]
        var configuration = LeakyRecurrentLayer.Configuration(inputSize: 1, hiddenSize: constants.count)
        configuration.activationSlope = 1
        var generator = Generator(seed: 0)
        var layer = try LeakyRecurrentLayer(configuration, dtype: .float64, using: &generator)
        try layer.forEachParameter { _, parameter in
            parameter = try Tensor.zeros(parameter.shape, dtype: .float64)
        }
        layer.weight = try Tensor.ones(layer.weight.shape, dtype: .float64)
        layer.timeConstant = try Tensor(constants)
        let steps = 30
        let zeros = try Tensor.zeros([1, constants.count], dtype: .float64)
        let output = try layer(Tensor.ones([steps, 1, 1], dtype: .float64), state: zeros).output.array(of: Double.self)
        var worst = 0.0
        for (unit, constant) in constants.enumerated() {
            var rest = 1.0
            for t in 0..<steps {
                rest *= 1 - 1 / constant
                worst = max(worst, abs(output[t * constants.count + unit] - (1 - rest)))
            }
        }
        return worst
    }

    // MARK: - Estimator

    static func estimator(_ trial: inout Trial) throws {
        let estimate = TimescaleEstimator()
        for timescale in [2.0, 5, 10, 20] {
            try trial.progress("AR(1) with timescale \(Figure.text(timescale))")
            let trials = try processes([timescale], &trial)
            let found = estimate(trials)?.timescale ?? .infinity
            trial.check(
                "timescale of AR(1) with \(Figure.text(timescale)), relative error", abs(found / timescale - 1),
                .atMost(0.15))
        }
        let trials = try processes([2, 20], &trial)
        let found = estimate(trials)?.timescale ?? .infinity
        trial.check(
            "longer timescale of a sum of AR(1) with 2 and 20, relative error", abs(found / 20 - 1), .atMost(0.25))
    }

    /// Ten trials of 10,000 steps of a sum of first-order autoregressive processes of equal variance.
    private static func processes(_ timescales: [Double], _ trial: inout Trial) throws -> [[Double]] {
        try (0..<10).map { _ in
            var sum = [Double](repeating: 0, count: 10_000)
            for timescale in timescales {
                let keep = exp(-1 / timescale)
                let innovation = (1 - keep * keep).squareRoot()
                var value = 0.0
                let noise = try trial.generator.normal([sum.count + 200], dtype: .float64).array(of: Double.self)
                for (step, draw) in noise.enumerated() {
                    value = keep * value + innovation * draw
                    if step >= 200 { sum[step - 200] += value }
                }
            }
            return sum
        }
    }
}

import RondoData
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTracking
import RondoTrain

extension Experiment {
    /// Gu, Goel and Ré, 2021.
    static let s4 = Experiment(
        slug: "s4", title: "Efficiently Modeling Long Sequences with Structured State Spaces",
        source: "A. Gu, K. Goel, C. Ré; ICLR 2022; arXiv 2111.00396",
        claim: """
            State spaces that begin as HiPPO have long memory; written as diagonal plus low rank in the eigenvectors of \
            their normal part, their convolution kernel is computed stably and in nearly linear time.
            """,
        parts: [
            .quick(
                "kernel-equivalence", "The fast kernel is the dense recurrence",
                paper: "Algorithm 1 computes the kernel C Ā^l B̄ of HiPPO exactly (theorem 3).", run: S4Parts.equivalence
            ),
            .quick(
                "stable-diagonalization", "HiPPO itself cannot be diagonalised, its normal part can",
                paper: """
                    The eigenvectors of HiPPO have entries up to 2^(4N/3) (lemma 3.2), so that naive diagonalisation is \
                    numerically impossible.
                    """, run: S4Parts.stability),
            .quick(
                "near-linear-kernel", "The kernel's time grows about linearly",
                paper: "O(N + L) up to logarithms instead of O(N² L).", run: S4Parts.speed),
            .quick(
                "both-directions", "Two kernels in one convolution read both directions",
                paper: """
                    Bidirectional tasks use two kernels of the same dynamics, one of which reads the sequence reversed \
                    (the official code; no figures of its own).
                    """, run: S4Parts.bothDirections),
            .full(
                "memory-from-hippo", "HiPPO dynamics remember what random ones forget",
                paper: """
                    Ablation of the initialisation (figure 3, sequential CIFAR): random Gaussian dynamics generalise \
                    far worse than HiPPO, by 15 points of accuracy.
                    """, run: S4Parts.memory),
        ])
}

private enum S4Parts {
    /// A bare layer in float64: a kernel for each step size.
    static func layer(steps: [Double], stateSize: Int, using generator: inout Generator) throws -> S4 {
        var configuration = S4.Configuration()
        (configuration.stateSize, configuration.mixing) = (stateSize, .none)
        var layer = try S4(configuration, dModel: steps.count, dtype: .float64, using: &generator)
        try layer.forEachParameter { path, parameter in
            if path == "dynamics.log_step" { parameter = try Tensor(steps).log() }
        }
        return layer
    }

    /// C of a layer's channels for the real states of HiPPO, `[D, N]`.
    static func denseReadout(_ layer: S4, _ form: LegSNormalForm) throws -> Tensor {
        guard let parts = layer.parameters["dynamics.readout"] else { return layer.skip }
        let real = try parts.selecting(0, 0).matmul(form.basis.real)
        return try (real - parts.selecting(0, 1).matmul(form.basis.imaginary)) * 2
    }

    static func equivalence(_ trial: inout Trial) throws {
        let (steps, stateSize, length) = ([0.001, 0.1], 64, 1024)
        let layer = try layer(steps: steps, stateSize: stateSize, using: &trial.generator)
        let readout = try denseReadout(layer, LegSNormalForm(stateSize: stateSize))
        let hippo = try ContinuousStateSpace(.legS, stateSize: stateSize)
        let fast = try layer.kernel(length: length)
        for (channel, step) in steps.enumerated() {
            let exact = try hippo.discretized(step: step).kernel(
                readout: readout.sliced(0, channel..<channel + 1), length: length)
            let error = try fast.sliced(0, channel..<channel + 1).relativeDifference(from: exact)
            trial.check("kernel against dense C Ā^l B̄, Δ = \(Figure.text(step))", error, .atMost(1e-8))
        }
        let u = try trial.generator.normal([1, length, steps.count], dtype: .float64)
        let convolved = try layer.parallel(u)
        var state = try layer.initialState(batch: 1)
        let stepped = try layer.reference(u, state: &state)
        trial.check("convolution against O(N) steps", try convolved.relativeDifference(from: stepped), .atMost(1e-8))
        var chunked = try layer.initialState(batch: 1)
        let pieces = try [0..<300, 300..<length].map { try layer.chunk(u.sliced(1, $0), state: &chunked) }
        trial.check(
            "two chunks against O(N) steps",
            try Tensor.concatenate(pieces, axis: 1).relativeDifference(from: stepped), .atMost(1e-8))
        trial.note("Relative to the largest value; float64, N = \(stateSize), length \(length).")
    }

    static func stability(_ trial: inout Trial) throws {
        let (step, length) = (0.1, 1024)
        var rows: [[String]] = []
        for stateSize in [8, 16, 32, 64] {
            let layer = try layer(steps: [step], stateSize: stateSize, using: &trial.generator)
            let readout = try denseReadout(layer, LegSNormalForm(stateSize: stateSize))
            let exact = try ContinuousStateSpace(.legS, stateSize: stateSize).discretized(step: step).kernel(
                readout: readout, length: length)
            let naive = try naiveKernel(
                readout: readout.array(of: Double.self), stateSize: stateSize, step: step, length: length)
            let errors = [
                try Tensor(naive, shape: [1, length]).relativeDifference(from: exact),
                try layer.kernel(length: length).relativeDifference(from: exact),
            ]
            rows.append(["\(stateSize)"] + errors.map(Figure.text))
            guard stateSize == 64 else { continue }
            trial.check("eigenvectors of A, N = 64", errors[0].isFinite ? errors[0] : .infinity, .atLeast(1))
            trial.check("eigenvectors of the normal part, N = 64", errors[1], .atMost(1e-8))
        }
        trial.table(
            "Relative error of the kernel, Δ = 0.1, length 1024", ["N", "A diagonalised", "normal plus low rank"], rows)
    }

    /// The kernel by way of A = V diag(-1, …, -N) V⁻¹, V lower triangular: right on paper only.
    static func naiveKernel(readout: [Double], stateSize: Int, step: Double, length: Int) throws -> [Double] {
        let hippo = try ContinuousStateSpace(.legS, stateSize: stateSize)
        let (a, b) = (try hippo.matrix.array(of: Double.self), try hippo.input.array(of: Double.self))
        // Columns of V by forward substitution.
        let vectors = (0..<stateSize).map { column in
            var v = Array(repeating: 0.0, count: stateSize)
            v[column] = 1
            for row in column + 1..<max(stateSize, column + 1) {
                let sum = (column..<row).reduce(0) { $0 + a[row * stateSize + $1] * v[$1] }
                v[row] = sum / (a[column * stateSize + column] - a[row * stateSize + row])
            }
            return v
        }
        // V⁻¹ B, by forward substitution too.
        var entry = b
        for column in 0..<stateSize {
            for row in column + 1..<max(stateSize, column + 1) { entry[row] -= vectors[column][row] * entry[column] }
        }
        var powers = (0..<stateSize).map { n in
            let half = -Double(n + 1) * step / 2
            let read = (0..<stateSize).reduce(0) { $0 + readout[$1] * vectors[n][$1] }
            return (weight: read * entry[n] * step / (1 - half), ratio: (1 + half) / (1 - half))
        }
        return (0..<length).map { _ in
            defer { for n in powers.indices { powers[n].weight *= powers[n].ratio } }
            return powers.reduce(0) { $0 + $1.weight }
        }
    }

    static func speed(_ trial: inout Trial) throws {
        let (stateSize, lengths) = (64, [1024, 4096, 16_384])
        let layer = try layer(steps: [0.01], stateSize: stateSize, using: &trial.generator)
        let readout = try denseReadout(layer, LegSNormalForm(stateSize: stateSize))
        let dense = try ContinuousStateSpace(.legS, stateSize: stateSize).discretized(step: 0.01)
        var (fast, slow, doubled) = ([Double](), [Double](), [Double]())
        for length in lengths {
            try trial.progress("length \(length)")
            fast.append(try Stopwatch.fastest(runs: 5) { _ = try layer.kernel(length: length) })
            let impulse = try Tensor([1.0] + Array(repeating: 0, count: length - 1))
            slow.append(try Stopwatch.fastest { _ = try dense.states(impulse).matmul(readout.transposed()) })
            doubled.append(try Stopwatch.fastest { _ = try dense.kernel(readout: readout, length: length) })
        }
        trial.check("time at 16384 over time at 4096", fast[2] / fast[1], .atMost(6))
        trial.check("dense recurrence over fast kernel at 16384", slow[2] / fast[2], .atLeast(10))
        trial.show("dense Krylov matrix by doubling over fast kernel at 16384", doubled[2] / fast[2])
        trial.table(
            "Milliseconds for one channel, N = 64",
            ["length", "fast kernel", "dense recurrence", "dense, by doubling"],
            lengths.indices.map { index in
                ["\(lengths[index])"] + [fast, slow, doubled].map { Figure.text($0[index] * 1000) }
            })
        trial.chart(
            LossChart(
                title: "Time of a convolution kernel", xLabel: "length", yLabel: "ms", isLogarithmic: true,
                series: zip(["fast kernel", "dense recurrence", "dense, by doubling"], [fast, slow, doubled]).map {
                    name, times in
                    LossChart.Series(
                        name: name, points: zip(lengths, times).map { CurvePoint(Double($0), $1 * 1000) },
                        style: .points)
                }))
    }

    static func bothDirections(_ trial: inout Trial) throws {
        var configuration = S4.Configuration()
        (configuration.stateSize, configuration.mixing) = (64, .none)
        let (width, length) = (4, 512)
        let layer = try BidirectionalS4(configuration, dModel: width, dtype: .float64, using: &trial.generator)
        let x = try trial.generator.normal([1, length, width], dtype: .float64)
        func recurrence(_ mixer: S4, _ x: Tensor) throws -> Tensor {
            var state = try mixer.initialState(batch: 1)
            return try mixer.reference(x, state: &state) - mixer.skip * x
        }
        // From the end, what lies behind a position is what the recurrence gave at the one before.
        let reversed = try recurrence(layer.backward, x.reversingTime(lengths: [length])).reversingTime(lengths: [
            length
        ])
        let ahead = try reversed.sliced(1, 1..<length).padded(1, before: 0, after: 1)
        let expected = try recurrence(layer.forward, x) + ahead + layer.forward.skip * x
        trial.check(
            "one convolution against O(N) steps from either end", try layer(x).relativeDifference(from: expected),
            .atMost(1e-8))

        let bits = FutureBits()
        try trial.record("both-directions", bits)
        configuration.mixing = .gatedLinear
        let causal = try bits.train("causal S4", outputs: bits.width, trial) {
            try S4(configuration, dModel: bits.width, dtype: .float32, using: &$0)
        } read: { layer, x, _ in
            try layer.parallel(x)
        }
        let both = try bits.train("S4 in both directions", outputs: bits.width, trial) {
            try BidirectionalS4(configuration, dModel: bits.width, using: &$0)
        } read: {
            try $0($1, lengths: $2)
        }
        trial.check(
            "accuracy of the bit 3 later, causal", try bits.accuracy(of: causal, seed: trial.seed),
            .within(0.47...0.53))
        trial.check("accuracy, both directions", try bits.accuracy(of: both, seed: trial.seed), .atLeast(0.999))
        trial.check(
            "accuracy, both directions, rows of 8 to 20 positions",
            try bits.accuracy(of: both, ragged: true, seed: trial.seed), .atLeast(0.999))
    }

    static func memory(_ trial: inout Trial) throws {
        let task = DelayedSignalTask()
        var errors: [String: Double] = [:]
        var series: [LossChart.Series] = []
        for initialization in [SpectrumInitialization.legS, .gaussian, .random] {
            let name = initialization.rawValue
            var model = LanguageModelConfiguration(mixer: "s4", dModel: 32, nLayers: 2)
            model.mixerOptions = ["state_size": .integer(64), "initialization": .string(name)]
            var training = TaskTraining(model: model)
            (training.steps, training.batchSize, training.seed) = (200, 8, trial.seed)
            training.optimizer.learningRate = 4e-3
            training.optimizer.weightDecay = 0
            training.schedule = ScheduleConfiguration(.cosine, warmupSteps: 20)
            var trainer = try TaskTrainer(task, training)
            try trial.record(name, training)
            var points: [CurvePoint] = []
            try trainer.run { step, loss in
                points.append(CurvePoint(Double(step), loss))
                try trial.progress("\(name): step \(step) of \(training.steps), loss \(Figure.text(loss))")
            }
            errors[name] = try trainer.score(length: 1024, count: 32).meanSquaredError ?? .infinity
            series.append(LossChart.Series(name: name, points: points, style: .smoothed))
        }
        let (hippo, gaussian) = (errors["legs"] ?? .infinity, errors["gaussian"] ?? 0)
        trial.show("squared error of HiPPO-LegS", hippo)
        trial.show("squared error of random Gaussian dynamics", gaussian)
        trial.show("squared error of random frequencies with large low-rank part", errors["random"] ?? 0)
        trial.check("HiPPO's error over the random Gaussian's", hippo / gaussian, .atMost(0.5))
        trial.chart(
            LossChart(
                title: "Repeating a signal 256 positions later", yLabel: "mean squared error", isLogarithmic: true,
                series: series))
        trial.note(
            "The signal has variance 1, so that 1 is the error of knowing nothing. All parameters are trained, with one "
                + "learning rate. Gaussian: eigenvalues in the disc of radius 1 about -1.")
    }
}

import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTracking

extension Experiment {
    /// Yang et al., 2023.
    static let gla = Experiment(
        slug: "gla", title: "Gated Linear Attention Transformers with Hardware-Efficient Training",
        source: "S. Yang, B. Wang, Y. Shen, R. Panda, Y. Kim; ICML 2024; arXiv 2312.06635",
        claim: """
            Linear attention whose state decays by a data-dependent factor for each channel of the keys can be trained in \
            chunks that are products of matrices, exactly; the gate makes it a better language model that also reads \
            far beyond the length it was trained at.
            """,
        parts: [
            .quick(
                "two-level-chunks", "Chunks of matrix products equal the recurrence, also for extreme gates",
                paper: "The two-level chunk form is exact; the naive form divides by decays that underflow.",
                run: twoLevelChunks),
            .quick(
                "gate-gradient", "The gate's gradient is a reverse sum of q dq - k dk",
                paper: "The closed form that saves keeping the states.", run: gateGradient),
            .quick(
                "throughput", "Chunks are much faster than steps",
                paper: "On a GPU the chunk form beats FlashAttention-2 even at length 1,000.", run: throughput),
            .full(
                "length-generalisation", "The gate makes a better language model that reads beyond its training length",
                paper: """
                    Trained at 2,000 tokens, usable beyond 20,000 without significant loss of perplexity (340 million and \
                    1.3 billion parameters).
                    """,
                run: lengthGeneralisation),
        ])

    // MARK: - Forms

    /// q, k, v, state and log decays of one head, `[1, time, 1, width]`; every second gate is nearly shut if asked.
    private static func operands(
        _ trial: inout Trial, time: Int, width: Int, dtype: DType, isExtreme: Bool
    ) throws -> [Tensor] {
        func draw(_ shape: Shape) throws -> Tensor { try trial.generator.normal(shape, dtype: dtype) }
        let shape: Shape = [1, time, 1, width]
        var logits = try draw(shape)
        if isExtreme {
            let mask = try Tensor((0..<width).map { $0 % 2 == 0 ? Float(1) : 0 }).cast(to: dtype)
            logits = try logits * (1 - mask) - mask * 20
        }
        return [
            try draw(shape) * (1 / Double(width).squareRoot()), try draw(shape), try draw(shape),
            try draw([1, 1, width, width]), try logits.logSigmoid() / 16,
        ]
    }

    private static func twoLevelChunks(_ trial: inout Trial) throws {
        for isExtreme in [false, true] {
            let gates = isExtreme ? "half of the gate logits at -20" : "gate logits N(0, 1)"
            for (dtype, limit) in [(DType.float32, 1e-4), (.float64, 1e-10)] {
                let inputs = try operands(&trial, time: 512, width: 32, dtype: dtype, isExtreme: isExtreme)
                let attention = LinearAttention(decay: .vector)
                let (chunks, steps) = (try attention(inputs), try attention.reference(inputs))
                trial.check(
                    "relative difference, \(gates), \(dtype.rawValue)",
                    try chunks[0].relativeDifference(from: steps[0]), .atMost(limit))
            }
        }
        let inputs = try operands(&trial, time: 512, width: 32, dtype: .float32, isExtreme: true)
        let naive = try naiveForm(inputs)
        trial.check("the naive form overflows there", try !naive.isFinite())
        trial.note("Length 512, 32 channels of keys and values, a state that is not zero at the beginning.")
    }

    /// (Q ⊙ eᵇ)(K ⊙ e⁻ᵇ)ᵀ V over the whole length, with b the sum of the log decays.
    private static func naiveForm(_ inputs: [Tensor]) throws -> Tensor {
        let b = try inputs[4].cumulativeSum(1)
        let (q, k) = (try (inputs[0] * b.exp()).squeezed(2), try (inputs[1] * (-b).exp()).squeezed(2))
        return try q.matmul(k.transposed()).matmul(inputs[2].squeezed(2))
    }

    private static func gateGradient(_ trial: inout Trial) throws {
        let inputs = try operands(&trial, time: 70, width: 8, dtype: .float64, isExtreme: false)
        let attention = LinearAttention(decay: .vector)
        let cotangents = [
            try trial.generator.normal([1, 70, 1, 8], dtype: .float64),
            try trial.generator.normal([1, 1, 8, 8], dtype: .float64),
        ]
        let (outputs, pullback) = try valuesAndPullback(of: inputs) { try attention($0) }
        let kernel = try pullback(cotangents)
        let (_, referencePullback) = try valuesAndPullback(of: inputs) { try attention.reference($0) }
        let mechanical = try referencePullback(cotangents)
        // The final state adds the rows of S ⊙ dS at every position.
        let sums = try (inputs[0] * kernel[0] - inputs[1] * kernel[1]).cumulativeSum(1, reverse: true)
        let closed = try sums + (outputs[1] * cotangents[1]).sum([3]).expanded(at: 1)
        trial.check(
            "closed form against the kernel's derivative",
            try closed.relativeDifference(from: kernel[4]), .atMost(1e-10))
        trial.check(
            "closed form against the derivative of the equations",
            try closed.relativeDifference(from: mechanical[4]), .atMost(1e-10))
    }

    // MARK: - Speed

    private static func throughput(_ trial: inout Trial) throws {
        let (time, width) = (4096, 256)
        let mixer = try GLA(.init(), dModel: width, using: &trial.generator)
        let x = try trial.generator.normal([1, time, width])
        // As long in all as the runs by steps: short runs on all cores suffer most from whatever else runs there.
        let chunk = try Stopwatch.fastest(runs: 30) {
            var state = try mixer.initialState(batch: 1)
            _ = try mixer.chunk(x, state: &state)
        }
        let step = try Stopwatch.fastest {
            var (stepper, state) = (try mixer.makeStepper(batch: 1), try mixer.initialState(batch: 1))
            for t in 0..<time { _ = try stepper(x.selecting(1, t), state: &state) }
        }
        trial.check("how many times faster the chunk form reads 4,096 positions", step / chunk, .atLeast(5))
        trial.show("positions a second in chunks", Double(time) / chunk)
        trial.show("positions a second by steps", Double(time) / step)
    }

    // MARK: - Language

    private static func lengthGeneralisation(_ trial: inout Trial) throws {
        let windows = try trial.text()
        trial.note("Text: \(windows.source). Windows of 128 bytes, each from the initial state.")
        let (gated, gatedCurve) = try losses(&trial, "gla", [:], windows)
        let (ungated, ungatedCurve) = try losses(
            &trial, "linear_attention",
            ["feature_map": .string("identity"), "normalizes_weights": .bool(false)], windows)
        trial.show("validation loss of GLA at length 128 (nats a byte)", gated.short)
        trial.check("advantage over linear attention without a gate", ungated.short - gated.short, .atLeast(0.05))
        trial.check(
            "what GLA loses at positions 512 to 1024 against length 128", gated.far - gated.short, .atMost(0.05))
        trial.check("what linear attention loses there", ungated.far - ungated.short, .atLeast(0.2))
        trial.chart(
            LossChart(
                title: "Trained at 128 bytes, read to 1,024", xLabel: "position", yLabel: "nats a byte",
                series: [
                    LossChart.Series(name: "GLA", points: gatedCurve, style: .points),
                    LossChart.Series(name: "no gate", points: ungatedCurve, style: .points),
                ]))
    }

    private static func losses(
        _ trial: inout Trial, _ mixer: String, _ options: JSONValue, _ windows: ByteWindows
    ) throws -> (loss: (short: Double, far: Double), curve: [CurvePoint]) {
        var configuration = LanguageModelConfiguration(mixer: mixer, dModel: 128, nLayers: 2)
        (configuration.mixerOptions, configuration.feedForward) = (options, .swiGLU)
        try trial.record(mixer, configuration)
        var weights = Generator(seed: trial.seed)
        let model = try trial.train(
            mixer, LanguageModel(configuration, using: &weights), on: windows, batch: 16, length: 128, steps: 1500,
            rate: 3e-3)
        let short = try loss(model, windows.validationBatch(256, length: 128), 0..<128)
        let long = try windows.validationBatch(64, length: 1024)
        let curve = try (0..<16).map { bucket in
            CurvePoint(Double(bucket * 64 + 32), try loss(model, long, bucket * 64..<bucket * 64 + 64))
        }
        return ((short, curve.suffix(8).reduce(0) { $0 + $1.value } / 8), curve)
    }

    /// The mean loss at some positions of windows.
    private static func loss(_ model: LanguageModel, _ batch: (Tensor, Tensor), _ positions: Range<Int>) throws
        -> Double
    {
        var state = try model.initialState(batch: batch.0.shape[0])
        let logits = try model.logits(batch.0, state: &state)
        return try Loss.crossEntropy(
            logits.sliced(1, positions).contiguous(), batch.1.sliced(1, positions).contiguous()
        ).scalar()
    }
}

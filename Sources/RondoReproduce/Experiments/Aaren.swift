import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTracking

extension Experiment {
    /// Feng et al., 2024.
    static let aaren = Experiment(
        slug: "aaren", title: "Attention as an RNN",
        source: "L. Feng, F. Tung, H. Hajimirsadeghi, M. O. Ahmed, Y. Bengio, G. Mori; 2024; arXiv 2405.13956",
        claim: """
            Softmax attention with a query that does not depend on the position is a recurrence with a constant state; its \
            outputs for all prefixes come from a parallel scan. Models of such layers do as well as Transformers, in \
            constant memory and linear time.
            """,
        missing: """
            reinforcement learning and the classification of time series; the paper's data sets other \
            than ETTh1
            """,
        parts: [
            .quick(
                "prefixes", "The scan gives softmax attention over every prefix",
                paper: "The operator on (maximum, weight, value) triples is associative, so any bracketing is exact.",
                run: prefixes),
            .quick(
                "extreme-scores", "Scores of ten thousand neither overflow nor vanish",
                paper: "Every combination is rescaled by its maximum.", run: extremeScores),
            .quick(
                "gradients", "Derivatives equal those of dense attention",
                paper: "Exact; the scan has a backward scan of its own.", run: gradients),
            .quick(
                "resources", "Memory stays constant and time grows linearly, unlike a Transformer's",
                paper: "Constant memory a stream and linear time in all; linear and quadratic with a cache of keys.",
                run: resources),
            .full(
                "forecasting", "Forecasts as good as a Transformer's",
                paper: "Comparable with Transformers on 38 data sets, among them ETT time series.", run: forecasting),
            .full(
                "events", "Events foreseen as well as by a Transformer",
                paper: "Comparable with the Transformer Hawkes process on eight data sets of events.", run: events),
        ])

    // MARK: - Exactness

    /// A layer whose scores are spread widely.
    private static func layer(_ trial: inout Trial, dModel: Int, heads: Int, scale: Double, dtype: DType) throws
        -> Aaren
    {
        var configuration = Aaren.Configuration()
        configuration.heads = heads
        var layer = try Aaren(configuration, dModel: dModel, dtype: dtype, using: &trial.generator)
        layer.query = try trial.generator.normal([dModel], deviation: scale, dtype: dtype)
        return layer
    }

    /// Softmax over each prefix from the layer's maps, as a masked matrix of weights, `[batch, time, dModel]`.
    private static func dense(_ layer: Aaren, _ x: Tensor) throws -> Tensor {
        let (batch, time, heads) = (x.shape[0], x.shape[1], layer.configuration.heads)
        let width = layer.dModel / heads
        let q = try layer.queryMap(layer.query.expanded(at: 0)).reshaped([heads, width])
        let parts = try layer.input(x).split(2, axis: -1).map { try $0.reshaped([batch, time, heads, width]) }
        let scores = try (parts[0] * q).sum([-1]).permuted([0, 2, 1]) * (1 / Double(width).squareRoot())
        let place = try Tensor.range(time, dtype: x.dtype)
        let future = try place.expanded(at: 0).greater(than: place.expanded(at: 1)).cast(to: x.dtype)
        let masked = try scores.expanded(at: 2).broadcast(to: [batch, heads, time, time]) - future * 1e30
        let weights = try masked.softmax()
        let values = try parts[1].permuted([0, 2, 1, 3]).contiguous()
        return try layer.output(weights.matmul(values).permuted([0, 2, 1, 3]).reshaped([batch, time, layer.dModel]))
    }

    private static func prefixes(_ trial: inout Trial) throws {
        for (dtype, limit) in [(DType.float64, 1e-12), (.float32, 1e-5)] {
            let layer = try layer(&trial, dModel: 16, heads: 2, scale: 30, dtype: dtype)
            var worst = (chunk: 0.0, pieces: 0.0, steps: 0.0)
            for time in [1, 2, 33, 1000] {
                let x = try trial.generator.normal([2, time, 16], dtype: dtype)
                let expected = try dense(layer, x)
                var state = try layer.initialState(batch: 2)
                worst.chunk = max(worst.chunk, try layer.chunk(x, state: &state).relativeDifference(from: expected))
                for size in [1, 7, 64] {
                    let pieces = try inPieces(layer, x, size)
                    worst.pieces = max(worst.pieces, try pieces.relativeDifference(from: expected))
                }
                worst.steps = max(worst.steps, try bySteps(layer, x).relativeDifference(from: expected))
            }
            trial.check("scan against dense attention, \(dtype.rawValue)", worst.chunk, .atMost(limit))
            trial.check("in pieces of 1, 7 and 64, \(dtype.rawValue)", worst.pieces, .atMost(limit))
            trial.check("by steps, \(dtype.rawValue)", worst.steps, .atMost(limit))
        }
        trial.note(
            "Lengths 1, 2, 33 and 1,000; scores with a spread of tens; differences relative to the largest output.")
    }

    private static func inPieces(_ layer: Aaren, _ x: Tensor, _ size: Int) throws -> Tensor {
        var state = try layer.initialState(batch: x.shape[0])
        let pieces = try stride(from: 0, to: x.shape[1], by: size).map {
            try layer.chunk(x.sliced(1, $0..<min($0 + size, x.shape[1])), state: &state)
        }
        return try Tensor.concatenate(pieces, axis: 1)
    }

    private static func bySteps(_ layer: Aaren, _ x: Tensor) throws -> Tensor {
        var (stepper, state) = (try layer.makeStepper(batch: x.shape[0]), try layer.initialState(batch: x.shape[0]))
        let outputs = try (0..<x.shape[1]).map { try stepper(x.selecting(1, $0), state: &state).copied() }
        return try Tensor.stack(outputs, axis: 1)
    }

    private static func extremeScores(_ trial: inout Trial) throws {
        for dtype in [DType.float32, .float64] {
            let layer = try layer(&trial, dModel: 8, heads: 1, scale: 1e4, dtype: dtype)
            let x = try trial.generator.normal([1, 500, 8], dtype: dtype)
            var state = try layer.initialState(batch: 1)
            let y = try layer.chunk(x, state: &state)
            trial.check("outputs are finite, \(dtype.rawValue)", try y.isFinite())
            trial.check(
                "the denominator is at least 1, \(dtype.rawValue)", try state["u"].min().scalar(), .atLeast(1))
            let first = try layer.output(layer.input(x.sliced(1, 0..<1)).split(2, axis: -1)[1])
            trial.check(
                "the first output is the first value, \(dtype.rawValue)",
                try y.sliced(1, 0..<1).relativeDifference(from: first), .atMost(1e-6))
        }
    }

    private static func gradients(_ trial: inout Trial) throws {
        let layer = try layer(&trial, dModel: 6, heads: 3, scale: 3, dtype: .float64)
        let x = try trial.generator.normal([2, 40, 6], dtype: .float64)
        let weights = try trial.generator.normal([2, 40, 6], dtype: .float64)
        let (_, scan) = try layer.valueAndGradients { layer in
            var state = try layer.initialState(batch: 2)
            return try (layer.chunk(x, state: &state) * weights).sum()
        }
        let (_, expected) = try layer.valueAndGradients { try (dense($0, x) * weights).sum() }
        let worst = try zip(scan.tensors, expected.tensors).map { try $0.relativeDifference(from: $1) }.max() ?? .nan
        trial.check("largest relative difference of a parameter's derivative", worst, .atMost(1e-10))
    }

    // MARK: - Resources

    private static let streamLengths = [64, 1024, 4096, 16_384, 65_536]

    private static func resources(_ trial: inout Trial) throws {
        var curves: [LossChart.Series] = []
        for (name, mixer) in [("Aaren", "aaren"), ("Transformer", "attention")] {
            var configuration = LanguageModelConfiguration(mixer: mixer, dModel: 128, nLayers: 4)
            configuration.vocabSize = 64
            configuration.mixerOptions = ["heads": .integer(2)]
            try trial.record(name, configuration)
            var weights = Generator(seed: trial.seed)
            let model = try LanguageModel(configuration, using: &weights)
            let points = try streamLengths.map { length in
                try trial.progress("\(name) at \(length) positions")
                return try measured(model, at: length, &trial)
            }
            let total = cumulativeSeconds(points.map(\.seconds))
            let slope = Numerics.log(total[4] / total[3]) / Numerics.log(4)
            let bytes = points[4].bytes / points[0].bytes
            let isRecurrent = mixer == "aaren"
            trial.check(
                "\(name): state bytes at 65,536 positions / at 64", bytes, isRecurrent ? .equals(1) : .atLeast(1000))
            trial.check(
                "\(name): growth of the time in all from 16,384 to 65,536 (exponent)", slope,
                isRecurrent ? .atMost(1.15) : .atLeast(1.6))
            trial.table(
                name, ["positions", "state bytes", "microseconds a position"],
                zip(streamLengths, points).map { length, point in
                    ["\(length)", "\(Int(point.bytes))", Figure.text((point.seconds * 1e7).rounded() / 10)]
                })
            let curve = zip(streamLengths, total).map { CurvePoint(Double($0), $1) }
            curves.append(LossChart.Series(name: name, points: curve, style: .points))
        }
        trial.note(
            "The states are filled with random keys and values, on which time does not depend. Below 16,384 positions the "
                + "fixed cost of a step hides the growth of attention here (exponent 1.5 from 4,096 on).")
        trial.chart(
            LossChart(
                title: "Time to read a stream, position by position", xLabel: "positions", yLabel: "seconds in all",
                series: curves))
    }

    /// State bytes and the time of a position after `length` positions: a low quantile of several, so that other work on
    /// the machine does not count.
    private static func measured(
        _ model: LanguageModel, at length: Int, _ trial: inout Trial
    ) throws -> (bytes: Double, seconds: Double) {
        var state = try model.initialState(batch: 1)
        for layer in state.layers.indices {
            for leaf in state.layers[layer].names.indices where state.layers[layer][leaf].shape.dropFirst().first == 0 {
                let entry = state.layers[layer][leaf].shape.dropFirst(2)
                try state.layers[layer][leaf].append(trial.generator.normal([1, length] + entry))
            }
            state.layers[layer].positions = [length]
        }
        let bytes = state.named.tensors.reduce(0) { $0 + $1.count * $1.dtype.byteCount }
        var stepper = try TokenStepper(model, batch: 1)
        let times = try (0..<64).map { index in
            try Stopwatch.seconds { _ = try stepper([Int32(index)], state: &state) }
        }
        return (Double(bytes), times.sorted()[16])
    }

    /// The time of reading up to each length, from the time of a position at each.
    private static func cumulativeSeconds(_ seconds: [Double]) -> [Double] {
        var total = Double(streamLengths[0]) * seconds[0]
        return [total]
            + streamLengths.indices.dropFirst().map { index in
                let steps = Double(streamLengths[index] - streamLengths[index - 1])
                total += steps * (seconds[index] + seconds[index - 1]) / 2
                return total
            }
    }
}

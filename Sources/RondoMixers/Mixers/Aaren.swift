public import RondoNN
public import RondoTensor

/// Attention with a learned query that is the same everywhere, which makes softmax attention a recurrence.
public struct Aaren: SequenceMixer {
    /// The shape of an Aaren layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads.
        public var heads = 4

        /// Creates the defaults.
        public init() {}

        /// Refuses heads that do not divide the width.
        public func validate(dModel: Int) throws {
            try requireValue(
                heads >= 1 && dModel % heads == 0, "heads", heads, "a divisor of d_model, which is \(dModel)")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "aaren", title: "Aaren", family: .attention,
        summary: "softmax attention with a learned constant query: attention as a recurrence",
        equations: """
            q = W_q p                            (p: a learned vector), k = W_k x, v = W_v x, all in heads of width d
            s = q · k / √d
            m = max(m⁻, s)
            w = e^{m⁻ - m} w⁻ + e^{s - m} v
            u = e^{m⁻ - m} u⁻ + e^{s - m}
            y = W_o (w / u)
            """,
        source: "Feng et al., Attention as an RNN, 2024",
        complexity: "sequence O(T D²) products and scans O(T D); step O(D²); state D + 2 heads")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("one head", dModel: 5) { $0.heads = 1 },
        MixerExample("three heads", dModel: 6) { $0.heads = 3 },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// The learned vector p, `[D]`.
    public var query: Tensor
    /// From the learned vector, `[D, D]`.
    public var queryMap: Linear
    /// To keys and values, `[2 D, D]`.
    public var input: Linear
    /// Back, `[D, D]`.
    public var output: Linear

    /// Creates a mixer; the query begins as N(0, 0.02²), which the paper does not fix.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        query = try generator.normal([dModel], deviation: 0.02, dtype: dtype)
        queryMap = try Linear(inputSize: dModel, outputSize: dModel, dtype: dtype, using: &generator)
        input = try Linear(inputSize: dModel, outputSize: 2 * dModel, dtype: dtype, using: &generator)
        output = try Linear(inputSize: dModel, outputSize: dModel, dtype: dtype, using: &generator)
    }

    /// Nothing seen: a maximum of -∞, no weight.
    public func initialState(batch: Int) throws -> MixerState {
        let (heads, dtype) = (configuration.heads, query.dtype)
        return MixerState(
            batch: batch,
            [
                "m": try Tensor.full([batch, heads], -.infinity, dtype: dtype),
                "u": try Tensor.zeros([batch, heads], dtype: dtype),
                "w": try Tensor.zeros([batch, dModel], dtype: dtype),
            ])
    }

    /// The query in heads, `[heads, width]`.
    private func queries() throws -> Tensor {
        try queryMap(query.expanded(at: 0)).reshaped([configuration.heads, dModel / configuration.heads])
    }

    /// Scores `[..., heads]` and values `[..., D]`.
    private func scored(_ x: Tensor, _ q: Tensor) throws -> (scores: Tensor, values: Tensor) {
        let parts = try input(x).split(2, axis: -1)
        let width = dModel / configuration.heads
        let keys = try parts[0].reshaped(Shape(x.shape.dropLast()) + [configuration.heads, width])
        return (try (keys * q).sum([-1]) * (1 / Double(width).squareRoot()), parts[1])
    }

    /// Repeats a number for each head over the head's channels.
    private func spread(_ x: Tensor) throws -> Tensor {
        let leading = Shape(x.shape.dropLast())
        let heads = configuration.heads
        return try x.expanded(at: -1).broadcast(to: leading + [heads, dModel / heads]).reshaped(leading + [dModel])
    }

    /// The maximum by a scan, then weights and values by scans with its differences as gates.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let time = x.shape[1]
        guard time > 0 else { return x }
        let (scores, values) = try scored(x, queries())
        let zeros = try Tensor.zeros([configuration.heads], dtype: x.dtype)
        let maxima = try MaxPlusScan()([zeros, scores, state["m"]])
        let before = try Tensor.concatenate([state["m"].expanded(at: 1), maxima[0].sliced(1, 0..<time - 1)], axis: 1)
        let (keep, weight) = (try (before - maxima[0]).exp(), try (scores - maxima[0]).exp())
        let u = try DiagonalScan()([keep, weight, state["u"]])
        let w = try DiagonalScan(channelsPerGate: dModel / configuration.heads)([
            keep, spread(weight) * values, state["w"],
        ])
        (state["m"], state["u"], state["w"]) = (maxima[1], u[1], w[1])
        state.advance(by: time)
        return try output(w[0] / spread(u[0]))
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let q = try queries()
        return try scanning(x, state: &state) { x, state in try position(x, q, state: &state) }
    }

    private func position(_ x: Tensor, _ q: Tensor, state: inout MixerState) throws -> Tensor {
        let (scores, values) = try scored(x, q)
        let m = try state["m"].maximum(scores)
        let (keep, weight) = (try (state["m"] - m).exp(), try (scores - m).exp())
        state["m"] = m
        state["u"] = try keep * state["u"] + weight
        state["w"] = try spread(keep) * state["w"] + spread(weight) * values
        return try output(state["w"] / spread(state["u"]))
    }

    /// The equations, with the query made once.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let q = try queries()
        return stepper(batch: batch) { x, state in try position(x, q, state: &state) }
    }

    /// Keys and values are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "input.weight" ? 2 : 1 }

    /// Visits `query`, `query_map`, `input` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("query", &query)
        try queryMap.forEachParameter(under: "query_map", visit)
        try input.forEachParameter(under: "input", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

import RondoNN
public import RondoTensor

/// Softmax attention over everything before: the baseline, whose state grows with every position.
public struct SoftmaxAttention: SequenceMixer {
    /// The shape of an attention layer.
    public struct Configuration: MixerConfiguration {
        /// The number of query heads.
        public var heads = 4
        /// The number of key and value heads, each shared by as many query heads; `heads` if `nil`.
        public var kvHeads: Int?
        /// The base of the rotary frequencies; 0 for no position embedding.
        public var ropeBase = 10_000.0
        /// Whether the maps have offsets.
        public var bias = false

        /// Creates the defaults.
        public init() {}

        /// Refuses heads that do not divide the width.
        public func validate(dModel: Int) throws {
            try AttentionShape(self).validate(dModel: dModel)
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "attention", title: "Softmax attention", family: .attention,
        summary: "causal softmax attention with rotary positions: the baseline, whose state grows",
        equations: """
            q, k, v = W_q x, W_k x, W_v x        (in heads of width d; q and k turned by their position)
            o = Σ_{j ≤ t} softmax_j(q · k_j / √d) v_j
            y = W_o o
            """,
        source: "Vaswani et al., Attention is all you need, 2017; Su et al., RoFormer, 2021",
        complexity: "sequence O(T² D + T D²); step O(t D + D²); state 2 D (kv_heads / heads) a position",
        stateGrowth: .linear, needsEqualPositions: true)

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two heads", dModel: 8) { $0.heads = 2 },
        MixerExample("shared keys, no positions", dModel: 12) {
            $0.kvHeads = 2
            $0.ropeBase = 0
            $0.bias = true
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var attention: AttentionMaps

    /// Creates a mixer with the weights of ``Linear``.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        attention = try AttentionMaps(AttentionShape(configuration), dModel: dModel, dtype: dtype, using: &generator)
    }

    /// No keys and values.
    public func initialState(batch: Int) throws -> MixerState {
        let empty = try attention.noKeys(batch: batch, length: 0)
        return MixerState(batch: batch, [:], growing: ["keys": empty, "values": empty])
    }

    /// The new keys and values join those before; blocks of scores are never kept.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(x, state: &state, mode: .kernel)
    }

    /// Query by query.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(x, state: &state, mode: .reference)
    }

    /// Keys and values are added in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        stepper(batch: batch) { x, state in try attention.step(x, state: &state) }
    }

    private func run(_ x: Tensor, state: inout MixerState, mode: FusedMode) throws -> Tensor {
        try requireInput(x, state: state)
        let start = try state.sharedPosition()
        let (q, k, v) = try attention.project(x, start: start)
        state["keys"] = try Tensor.concatenate([state["keys"], k], axis: 1)
        state["values"] = try Tensor.concatenate([state["values"], v], axis: 1)
        state.advance(by: x.shape[1])
        let operation = CausalAttention(scale: attention.scale)
        return try attention.output(operation([q, state["keys"], state["values"]], mode: mode)[0].joiningHeads())
    }

    /// Visits `query`, `key`, `value` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try attention.forEachParameter(visit)
    }
}

/// What attention layers of both kinds share of their configuration.
struct AttentionShape {
    var heads: Int
    var kvHeads: Int
    var ropeBase: Double
    var bias: Bool
    /// The width of a head; d_model / heads if `nil`.
    var headSize: Int?
    /// The share of a head's channels that turn.
    var ropeFraction = 1.0
    /// Whether the map back has offsets; as the others if `nil`.
    var outputBias: Bool?

    init(_ configuration: SoftmaxAttention.Configuration) {
        heads = configuration.heads
        kvHeads = configuration.kvHeads ?? configuration.heads
        ropeBase = configuration.ropeBase
        bias = configuration.bias
    }

    /// The width of a head.
    func width(dModel: Int) -> Int { headSize ?? dModel / heads }

    /// How many channels of a head turn.
    func turningWidth(dModel: Int) -> Int { Int(Double(width(dModel: dModel)) * ropeFraction) }

    func validate(dModel: Int) throws {
        if let headSize {
            try requireValue((1...1 << 16).contains(heads), "heads", heads, "from 1 to 65536")
            try requireValue((1...1 << 16).contains(headSize), "head_size", headSize, "from 1 to 65536")
        } else {
            try requireValue(
                heads >= 1 && dModel % heads == 0, "heads", heads, "a divisor of d_model, which is \(dModel)")
        }
        try requireValue(
            kvHeads >= 1 && heads % kvHeads == 0, "kv_heads", kvHeads, "a divisor of heads, which is \(heads)")
        try requireValue(ropeBase == 0 || ropeBase > 1, "rope_base", ropeBase, "0 (off) or above 1")
        try requireValue(ropeFraction > 0 && ropeFraction <= 1, "rope_fraction", ropeFraction, "above 0, at most 1")
        let turning = turningWidth(dModel: dModel)
        try requireValue(
            ropeBase == 0 || (turning >= 2 && turning % 2 == 0), "heads", heads,
            "such that an even number of a head's \(width(dModel: dModel)) channels turns for rotary positions")
    }
}

/// The maps around attention.
struct AttentionMaps: Module {
    let shape: AttentionShape
    let rotary: RotaryEmbedding?
    var query: Linear
    var key: Linear
    var value: Linear
    var output: Linear

    init(_ shape: AttentionShape, dModel: Int, dtype: DType, using generator: inout Generator) throws {
        self.shape = shape
        let width = shape.width(dModel: dModel)
        rotary =
            try shape.ropeBase == 0
            ? nil : RotaryEmbedding(width: shape.turningWidth(dModel: dModel), base: shape.ropeBase)
        func map(_ inputs: Int, _ outputs: Int, bias: Bool) throws -> Linear {
            try Linear(inputSize: inputs, outputSize: outputs, bias: bias, dtype: dtype, using: &generator)
        }
        query = try map(dModel, shape.heads * width, bias: shape.bias)
        key = try map(dModel, shape.kvHeads * width, bias: shape.bias)
        value = try map(dModel, shape.kvHeads * width, bias: shape.bias)
        output = try map(shape.heads * width, dModel, bias: shape.outputBias ?? shape.bias)
    }

    /// 1 / √d.
    var scale: Double { 1 / Double(query.weight.shape[0] / shape.heads).squareRoot() }

    /// Zeros for keys or values, `[batch, length, kvHeads, d]`.
    func noKeys(batch: Int, length: Int) throws -> Tensor {
        let width = query.weight.shape[0] / shape.heads
        return try Tensor.zeros([batch, length, shape.kvHeads, width], dtype: query.weight.dtype.computationType)
    }

    /// Queries, keys and values of positions from `start` on, `[batch, time, heads, d]`.
    func project(_ x: Tensor, start: Int) throws -> (Tensor, Tensor, Tensor) {
        let q = try query(x).splittingHeads(shape.heads)
        let k = try key(x).splittingHeads(shape.kvHeads)
        let v = try value(x).splittingHeads(shape.kvHeads)
        guard let rotary else { return (q, k, v) }
        let (turnedQ, turnedK) = try rotary(q, k, positions: [start])
        return (turnedQ, turnedK, v)
    }

    /// One position `[batch, D]` after keys and values that are the state's leaves; with a window, they stay as many.
    func step(_ x: Tensor, state: inout MixerState, window: Int? = nil) throws -> Tensor {
        let start = try state.sharedPosition()
        let (q, k, v) = try project(x.expanded(at: 1), start: start)
        try state[0].append(k)
        try state[1].append(v)
        let operation = CausalAttention(
            scale: scale, window: window, validFrom: window.map { max(0, $0 - 1 - start) } ?? 0)
        let o = try operation([q, state[0], state[1]])[0]
        for leaf in 0..<2 where window != nil {
            state[leaf] = try state[leaf].sliced(1, 1..<state[leaf].shape[1])
        }
        return try output(o.squeezed(1).joiningHeads())
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try query.forEachParameter(under: "query", visit)
        try key.forEachParameter(under: "key", visit)
        try value.forEachParameter(under: "value", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

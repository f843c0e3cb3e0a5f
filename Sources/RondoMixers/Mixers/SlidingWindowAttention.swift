import RondoNN
public import RondoTensor

/// Softmax attention over the last positions only: a bounded state.
public struct SlidingWindowAttention: SequenceMixer {
    /// The shape of a sliding-window attention layer.
    public struct Configuration: MixerConfiguration {
        /// The positions that each one sees, its own included.
        public var window = 128
        /// The number of query heads.
        public var heads = 4
        /// The number of key and value heads, each shared by as many query heads; `heads` if `nil`.
        public var kvHeads: Int?
        /// The width of a head; d_model / heads if `nil`.
        public var headSize: Int?
        /// The base of the rotary frequencies; 0 for no position embedding.
        public var ropeBase = 10_000.0
        /// The share of a head's channels that turn with the position, from the first.
        public var ropeFraction = 1.0
        /// Whether the maps have offsets.
        public var bias = false
        /// Whether the map back has offsets; as the others if `nil`.
        public var outputBias: Bool?

        /// Creates the defaults.
        public init() {}

        /// Refuses heads that do not divide the width, and empty windows.
        public func validate(dModel: Int) throws {
            try requireValue((1...1 << 20).contains(window), "window", window, "from 1 to 1048576")
            try shape.validate(dModel: dModel)
        }

        var shape: AttentionShape {
            var plain = SoftmaxAttention.Configuration()
            (plain.heads, plain.kvHeads, plain.ropeBase, plain.bias) = (heads, kvHeads, ropeBase, bias)
            var shape = AttentionShape(plain)
            (shape.headSize, shape.ropeFraction, shape.outputBias) = (headSize, ropeFraction, outputBias)
            return shape
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "sliding_window", title: "Sliding-window attention", family: .attention,
        summary: "causal softmax attention over the last positions: a bounded state",
        equations: """
            q, k, v = W_q x, W_k x, W_v x        (in heads of width d; q and k turned by their position)
            o = Σ_{t - window < j ≤ t} softmax_j(q · k_j / √d) v_j
            y = W_o o
            """,
        source: "Beltagy et al., Longformer, 2020; Jiang et al., Mistral 7B, 2023",
        complexity: "sequence O(T W D + T D²); step O(W D + D²); state 2 (W - 1) D (kv_heads / heads)",
        needsEqualPositions: true)

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("window of 4", dModel: 8) {
            $0.heads = 2
            $0.window = 4
        },
        MixerExample("window of 33, shared keys", dModel: 12) {
            $0.kvHeads = 2
            $0.window = 33
            $0.ropeBase = 0
        },
        MixerExample("window of 2", dModel: 4) {
            $0.heads = 1
            $0.window = 2
        },
        MixerExample("wide heads that turn in part", dModel: 5) {
            $0.heads = 2
            $0.kvHeads = 1
            $0.window = 3
            $0.headSize = 6
            $0.ropeFraction = 0.7
            $0.outputBias = true
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
        attention = try AttentionMaps(configuration.shape, dModel: dModel, dtype: dtype, using: &generator)
    }

    /// Zeros for the positions before the first.
    public func initialState(batch: Int) throws -> MixerState {
        let empty = try attention.noKeys(batch: batch, length: configuration.window - 1)
        return MixerState(batch: batch, ["keys": empty, "values": empty])
    }

    /// The last keys and values stand before the new ones.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(x, state: &state, mode: .kernel)
    }

    /// Query by query.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(x, state: &state, mode: .reference)
    }

    /// Keys and values are added in place, and the first ones left behind.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        stepper(batch: batch) { x, state in
            try attention.step(x, state: &state, window: configuration.window)
        }
    }

    private func run(_ x: Tensor, state: inout MixerState, mode: FusedMode) throws -> Tensor {
        try requireInput(x, state: state)
        let (start, kept) = (try state.sharedPosition(), configuration.window - 1)
        let (q, k, v) = try attention.project(x, start: start)
        let keys = try Tensor.concatenate([state["keys"], k], axis: 1)
        let values = try Tensor.concatenate([state["values"], v], axis: 1)
        let length = keys.shape[1]
        state["keys"] = try keys.sliced(1, length - kept..<length).contiguous()
        state["values"] = try values.sliced(1, length - kept..<length).contiguous()
        state.advance(by: x.shape[1])
        let operation = CausalAttention(
            scale: attention.scale, window: configuration.window, validFrom: max(0, kept - start))
        return try attention.output(operation([q, keys, values], mode: mode)[0].joiningHeads())
    }

    /// Visits `query`, `key`, `value` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try attention.forEachParameter(visit)
    }
}

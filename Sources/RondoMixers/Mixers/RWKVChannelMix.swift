public import RondoNN
public import RondoTensor

/// The channel mixing of RWKV: a feed-forward part that also sees the position before, which makes it a recurrence.
public struct RWKVChannelMix: SequenceMixer {
    /// The shape of a channel-mixing layer.
    public struct Configuration: MixerConfiguration {
        /// The width inside; 4 times the model's if `nil`.
        public var hiddenSize: Int?
        /// Whether the output is gated (RWKV-4 to 6) or not (RWKV-7).
        public var receptance = true

        /// Creates the defaults.
        public init() {}

        /// Refuses widths that cannot be built.
        public func validate(dModel: Int) throws {
            guard let hiddenSize else { return }
            try requireValue((1...1 << 24).contains(hiddenSize), "hidden_size", hiddenSize, "from 1 to 16777216")
        }

        func width(_ dModel: Int) -> Int { hiddenSize ?? 4 * dModel }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "rwkv_channel_mix", title: "RWKV channel mixing", family: .vectorState,
        summary: "the feed-forward part of RWKV, which also sees the position before",
        equations: """
            x_c = x + μ_c ⊙ (x⁻ - x)                  for c in k, r  (x⁻: the position before)
            y = σ(W_r x_r) ⊙ W_v max(0, W_k x_k)²     (without σ(W_r x_r) unless receptance)
            """,
        source:
            "Peng et al., RWKV: Reinventing RNNs for the transformer era, 2023 (equations 17 and 18); Peng et al., RWKV-7 Goose with expressive dynamic state evolution, 2025",
        complexity: "sequence O(T D hidden_size); step O(D hidden_size); state D",
        notes: "Layers of RWKV alternate: rwkv4,rwkv_channel_mix or rwkv7,rwkv_channel_mix.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("gated", dModel: 3),
        MixerExample("not gated", dModel: 5) {
            $0.receptance = false
            $0.hiddenSize = 7
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// μ of k and, if there is one, of r, `[1 or 2, D]`.
    public var mix: Tensor
    /// W_k `[hiddenSize, D]`.
    public var key: Linear
    /// W_v `[D, hiddenSize]`.
    public var value: Linear
    /// W_r `[D, D]`, if the output is gated.
    public var receptance: Linear?

    /// Creates a mixer with the weights of ``Linear``.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let width = configuration.width(dModel)
        mix = try generator.uniform([configuration.receptance ? 2 : 1, dModel], low: 0, high: 1, dtype: dtype)
        key = try Linear(inputSize: dModel, outputSize: width, bias: false, dtype: dtype, using: &generator)
        value = try Linear(inputSize: width, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
        receptance =
            try configuration.receptance
            ? Linear(inputSize: dModel, outputSize: dModel, bias: false, dtype: dtype, using: &generator) : nil
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        MixerState(batch: batch, ["shift": try Tensor.zeros([batch, dModel], dtype: mix.dtype)])
    }

    /// Positions `[..., D]` with those before them.
    private func outputs(_ x: Tensor, before: Tensor) throws -> Tensor {
        let difference = try before - x
        func mixed(_ index: Int) throws -> Tensor { try x + difference * mix.selecting(0, index) }
        let y = try value(key(mixed(0)).relu().square())
        return try receptance.map { try $0(mixed(1)).sigmoid() * y } ?? y
    }

    /// All positions at once.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        guard x.shape[1] > 0 else { return x }
        let y = try outputs(x, before: x.delayed(after: state["shift"]))
        state["shift"] = try x.selecting(1, -1).contiguous()
        state.advance(by: x.shape[1])
        return y
    }

    /// One position, without laying out a sequence.
    public func step(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x.expanded(at: 1), state: state)
        let y = try outputs(x, before: state["shift"])
        state["shift"] = x
        state.advance(by: 1)
        return y
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let y = try outputs(x, before: state["shift"])
            state["shift"] = x
            return y
        }
    }

    /// Visits `mix`, `key`, `value` and `receptance`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("mix", &mix)
        try key.forEachParameter(under: "key", visit)
        try value.forEachParameter(under: "value", visit)
        try receptance.forEachParameter(under: "receptance", visit)
    }
}

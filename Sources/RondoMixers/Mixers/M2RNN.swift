public import RondoNN
public import RondoTensor

/// M²RNN: a nonlinear recurrence whose state is a matrix for each head.
public struct M2RNN: SequenceMixer {
    /// The shape of an M²RNN layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads, N; 21/16 of the model's width in values, as in the paper, if `nil`.
        public var heads: Int?
        /// Rows of each state, K.
        public var keySize = 64
        /// Columns of each state, V.
        public var valueSize = 16
        /// Heads of queries, each shared by as many of the state's.
        public var queryHeads = 1
        /// Heads of keys, each shared by as many of the state's.
        public var keyHeads = 1
        /// Taps of the convolution over queries, keys and values; 0 for none.
        public var convWidth = 4
        /// Decay speeds begin uniform between this and `max_decay`; 8 suits state tracking over short distances.
        public var minDecay = 1e-4
        /// The largest decay speed at the beginning.
        public var maxDecay = 16.0
        /// Step sizes begin between 0.001 and this; 1 suits state tracking over short distances.
        public var maxTimeStep = 0.1
        /// The deviation of the maps at the beginning; in a narrow model, 0.02 leaves the state unseen beside the direct
        /// path for long.
        public var initializerRange = 0.02
        /// What acts on the new state.
        public var activation = Activation.tanh

        /// What acts on the new state.
        public enum Activation: String, Codable, Sendable, CaseIterable {
            /// The hyperbolic tangent.
            case tanh
            /// Nothing, an ablation: the recurrence is linear, tracks no state at lengths beyond those of training, and
            /// grows without bound where W does.
            case none
        }

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            try requireValue((1...65_536).contains(keySize), "key_size", keySize, "from 1 to 65536")
            try requireValue((1...4096).contains(valueSize), "value_size", valueSize, "from 1 to 4096")
            let heads = headCount(dModel)
            try requireValue((1...1 << 20).contains(heads), "heads", heads, "from 1 to 1048576")
            for (key, count) in [("query_heads", queryHeads), ("key_heads", keyHeads)] {
                try requireValue(count >= 1 && heads % count == 0, key, count, "a divisor of heads, which is \(heads)")
            }
            try requireValue((0...1024).contains(convWidth), "conv_width", convWidth, "from 0 (none) to 1024")
            try requireValue(minDecay > 0 && minDecay < maxDecay, "min_decay", minDecay, "above 0 and below max_decay")
            try requireValue(maxDecay <= 1e6, "max_decay", maxDecay, "at most 1e6")
            try requireValue((0.0011...100).contains(maxTimeStep), "max_time_step", maxTimeStep, "from 0.0011 to 100")
            try requireValue(
                (1e-6...10).contains(initializerRange), "initializer_range", initializerRange, "from 1e-6 to 10")
        }

        func headCount(_ dModel: Int) -> Int {
            heads ?? max(1, Int((1.3125 * Double(dModel) / Double(valueSize)).rounded()))
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "m2rnn", title: "M²RNN", family: .nonlinear,
        summary: "nonlinear recurrence of matrix-valued states, written by outer products",
        equations: """
            q, k, v, φ, g = W_in x;  q, k, v = SiLU(conv(q, k, v))     q and k shared by heads; φ one for each head
            f = exp(-exp(A_log) softplus(φ + b))
            Z = tanh(H⁻ W + k vᵀ)                                      H: K x V and W: V x V for each head; tanh
                                                                       is left out if activation is none
            H = f H⁻ + (1 - f) Z
            o = Hᵀ q + D ⊙ v
            y = W_out RMSNorm(o ⊙ SiLU(g))
            """,
        source: "Mishra et al., M²RNN: Non-linear RNNs with matrix-valued states for scalable language modeling, 2026",
        complexity: "sequence O(T (D E + N K V²)) sequential in T, E = N V; step O(D E + N K V²); "
            + "state N K V + conv_width - 1 rows",
        notes: "The authors clip the derivative of the state elementwise at every position; here derivatives are exact."
    )

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("shared queries and keys", dModel: 5) {
            $0.heads = 3
            $0.keySize = 5
            $0.valueSize = 3
        },
        MixerExample("own keys, fast gates", dModel: 4) {
            $0.heads = 4
            $0.keySize = 3
            $0.valueSize = 2
            $0.queryHeads = 2
            $0.keyHeads = 4
            $0.minDecay = 8
            $0.maxTimeStep = 1
        },
        MixerExample("no convolution", dModel: 6) {
            $0.keySize = 1
            $0.valueSize = 4
            $0.convWidth = 0
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To queries, keys, values `N V`, φ `N` and the gate `N V`.
    public var input: Linear
    /// Over queries, keys and values.
    public var conv: ShortConvolution?
    /// W, `[N, V, V]`: multiplied from the right.
    public var transition: Tensor
    /// Logarithm of the decay speeds, `[N]`.
    public var aLog: Tensor
    /// b, `[N]`.
    public var timeStepBias: Tensor
    /// The direct path D, `[N, V]`.
    public var skip: Tensor
    /// Before the output, over all heads.
    public var norm: RMSNorm
    /// Back, `[D, N V]`.
    public var output: Linear

    /// Creates a mixer as the authors do: W the identity, maps normal with deviation `initializer_range`.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (heads, values) = (configuration.headCount(dModel), configuration.valueSize)
        let inner = heads * values
        let mixed = (configuration.queryHeads + configuration.keyHeads) * configuration.keySize + inner
        func map(_ inputs: Int, _ outputs: Int) throws -> Linear {
            var map = try Linear(inputSize: inputs, outputSize: outputs, bias: false, dtype: dtype, using: &generator)
            let deviation = configuration.initializerRange
            map.weight = try generator.normal([outputs, inputs], deviation: deviation, dtype: dtype)
            return map
        }
        input = try map(dModel, mixed + heads + inner)
        conv =
            try configuration.convWidth == 0
            ? nil : ShortConvolution(channels: mixed, width: configuration.convWidth, dtype: dtype, using: &generator)
        transition = try Tensor.identity(values, dtype: dtype).broadcast(to: [heads, values, values]).contiguous()
        aLog = try generator.uniform(
            [heads], low: configuration.minDecay, high: configuration.maxDecay, dtype: .float64
        ).log().cast(to: dtype)
        timeStepBias = try TimeStep.bias(heads, max: configuration.maxTimeStep, dtype: dtype, using: &generator)
        skip = try Tensor.ones([heads, values], dtype: dtype)
        norm = try RMSNorm(size: inner, dtype: dtype)
        output = try map(inner, dModel)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let (heads, values) = (skip.shape[0], skip.shape[1])
        let zeros = try Tensor.zeros([batch, heads, configuration.keySize, values], dtype: skip.dtype)
        guard let conv else { return MixerState(batch: batch, ["h": zeros]) }
        return MixerState(batch: batch, ["h": zeros, "conv": try conv.initialHistory(batch: batch)])
    }

    /// What the recurrence reads, `[..., heads, width]`, the forget gate `[..., N]` and the output gate.
    private struct Parts {
        var q: Tensor
        var k: Tensor
        var v: Tensor
        var forget: Tensor
        var gate: Tensor
    }

    private func parts(_ x: Tensor, convolve: (Tensor) throws -> Tensor) throws -> Parts {
        let (heads, inner) = (skip.shape[0], skip.count)
        let queries = configuration.queryHeads * configuration.keySize
        let keys = configuration.keyHeads * configuration.keySize
        let mixed = queries + keys + inner
        let all = try input(x)
        let own = try convolve(all.channels(0..<mixed)).silu()
        let steps = try (all.channels(mixed..<mixed + heads) + timeStepBias).softplus()
        return Parts(
            q: try own.channels(0..<queries).splittingHeads(configuration.queryHeads),
            k: try own.channels(queries..<queries + keys).splittingHeads(configuration.keyHeads),
            v: try own.channels(queries + keys..<mixed).splittingHeads(heads),
            forget: try (-(steps * aLog.exp())).exp(),
            gate: try all.channels(mixed + heads..<mixed + heads + inner).silu())
    }

    private func outputs(_ read: Tensor, _ parts: Parts) throws -> Tensor {
        try output(norm((read + skip * parts.v).joiningHeads() * parts.gate))
    }

    /// Products for all positions, then the loop, heads side by side.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        guard x.shape[1] > 0 else { return x }
        let parts = try parts(x) { try conv?($0, history: &state["conv"]) ?? $0 }
        state.advance(by: x.shape[1])
        return try run(parts, state: &state)
    }

    private func run(_ parts: Parts, state: inout MixerState) throws -> Tensor {
        let result = try MatrixStateCell(isLinear: configuration.activation == .none)([
            parts.q, parts.k, parts.v, parts.forget, transition, state["h"],
        ])
        state["h"] = result[1]
        return try outputs(result[0], parts)
    }

    /// The history of the convolution moves on in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let conv = try conv?.makeStepper()
        return stepper(batch: batch) { x, state in
            let parts = try parts(x.expanded(at: 1)) {
                try conv?($0.squeezed(1), history: &state["conv"]).expanded(at: 1) ?? $0
            }
            return try run(parts, state: &state).squeezed(1)
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let heads = skip.shape[0]
        return try scanning(x, state: &state) { x, state in
            let parts = try parts(x) { try conv?.reference($0, history: &state["conv"]) ?? $0 }
            let q = try parts.q.repeatingHeads(heads / configuration.queryHeads)
            let k = try parts.k.repeatingHeads(heads / configuration.keyHeads)
            let before = state["h"]
            let sum = try before.matmul(transition) + k.expanded(at: 3) * parts.v.expanded(at: 2)
            let z = try configuration.activation == .tanh ? sum.tanh() : sum
            let f = try parts.forget.expanded(at: 2).expanded(at: 3)
            state["h"] = try f * before + (1 - f) * z
            return try outputs((state["h"] * q.expanded(at: 3)).sum([2]), parts)
        }
    }

    /// Visits `input`, `conv`, `transition.weight`, `a_log`, `time_step_bias`, `skip`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try conv.forEachParameter(under: "conv", visit)
        try visit("transition.weight", &transition)
        try visit("a_log", &aLog)
        try visit("time_step_bias", &timeStepBias)
        try visit("skip", &skip)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

public import RondoNN
public import RondoTensor

/// Gated linear attention: every channel of the keys has a decay of its own that depends on the input.
public struct GLA: TransitionReporting {
    /// The shape of a GLA layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads.
        public var heads = 4
        /// The width of keys and queries as a share of the model's.
        public var expandKey = 0.5
        /// The width of values as a multiple of the model's.
        public var expandValue = 1.0
        /// The rank of the decays' map.
        public var gateRank = 16
        /// The decays' logarithms are divided by this.
        public var gateNormalizer = 16.0
        /// Added to the mean square of a head's output.
        public var normEpsilon = 1e-5

        /// Creates the defaults.
        public init() {}

        /// Refuses widths that cannot be built.
        public func validate(dModel: Int) throws {
            try requireValue(heads >= 1, "heads", heads, "at least 1")
            let (key, value) = (keyWidth(dModel), valueWidth(dModel))
            try requireValue(key >= 1 && key % heads == 0, "expand_key", expandKey, "such that heads divide the width")
            try requireValue(
                value >= 1 && value % heads == 0, "expand_value", expandValue, "such that heads divide the width")
            try requireValue((1...1 << 20).contains(gateRank), "gate_rank", gateRank, "from 1 to 1048576")
            try requireValue(gateNormalizer > 0, "gate_normalizer", gateNormalizer, "above 0")
            try requireValue(normEpsilon > 0 && normEpsilon < 1, "norm_epsilon", normEpsilon, "above 0 and below 1")
        }

        func keyWidth(_ dModel: Int) -> Int { scaledWidth(dModel, by: expandKey) }
        func valueWidth(_ dModel: Int) -> Int { scaledWidth(dModel, by: expandValue) }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "gla", title: "GLA", family: .matrixState,
        summary: "gated linear attention: every key channel decays by a factor that depends on the input",
        equations: """
            q, k, v = W_q x, W_k x, W_v x            (in heads)
            α = σ(W₂ W₁ x + b)^(1/16)                (one for each key channel)
            S = Diag(α) S⁻ + k vᵀ
            o = Sᵀ q / √d
            y = W_o (SiLU(W_g x) ⊙ RMSNorm_head(o))
            """,
        source: "Yang et al., Gated linear attention transformers with hardware-efficient training, 2024",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state expand_key expand_value D²/H")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two heads", dModel: 8) {
            $0.heads = 2
            $0.gateRank = 3
        },
        MixerExample("strong decay", dModel: 6) {
            $0.heads = 3
            $0.expandKey = 1
            $0.gateNormalizer = 0.5
            $0.gateRank = 2
            $0.normEpsilon = 1e-3
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To queries, keys, values and the output gate.
    public var input: Linear
    var decay: LowRank
    var norm: HeadNorm
    /// Back.
    public var output: Linear

    /// Creates a mixer with the weights of ``Linear``.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (key, value) = (configuration.keyWidth(dModel), configuration.valueWidth(dModel))
        input = try Linear(
            inputSize: dModel, outputSize: 2 * (key + value), bias: false, dtype: dtype, using: &generator)
        decay = try LowRank(
            inputSize: dModel, rank: configuration.gateRank, outputSize: key, bias: true, dtype: dtype,
            using: &generator)
        norm = try HeadNorm(
            .rms, heads: configuration.heads, width: value / configuration.heads, isShared: true,
            epsilon: configuration.normEpsilon, dtype: dtype)
        output = try Linear(inputSize: value, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let heads = configuration.heads
        let shape: Shape = [
            batch, heads, configuration.keyWidth(dModel) / heads, configuration.valueWidth(dModel) / heads,
        ]
        return MixerState(batch: batch, ["s": try Tensor.zeros(shape, dtype: input.weight.dtype.computationType)])
    }

    private struct Parts {
        var q: Tensor
        var k: Tensor
        var v: Tensor
        var logDecay: Tensor
        var gate: Tensor
    }

    private func projected(_ x: Tensor) throws -> Parts {
        let (all, heads) = (try input(x), configuration.heads)
        let (key, value) = (configuration.keyWidth(dModel), configuration.valueWidth(dModel))
        let scale = 1 / Double(key / heads).squareRoot()
        return Parts(
            q: try (all.channels(0..<key) * scale).splittingHeads(heads),
            k: try all.channels(key..<2 * key).splittingHeads(heads),
            v: try all.channels(2 * key..<2 * key + value).splittingHeads(heads),
            logDecay: try (decay(x).logSigmoid() / configuration.gateNormalizer).splittingHeads(heads),
            gate: try all.channels(2 * key + value..<2 * (key + value)).silu())
    }

    /// Chunk by chunk as products of matrices.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let parts = try projected(x)
        let result = try LinearAttention(decay: .vector, keepsIntermediates: parts.v.requiresGradient)([
            parts.q, parts.k, parts.v, state["s"], parts.logDecay,
        ])
        state["s"] = result[1]
        state.advance(by: x.shape[1])
        return try output(norm(result[0]).joiningHeads() * parts.gate)
    }

    /// One pass over S in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        stepper(batch: batch) { x, state in
            let parts = try projected(x)
            let o = try LinearAttention(decay: .vector).step(
                q: parts.q, k: parts.k, v: parts.v, g: parts.logDecay, state: &state["s"])
            return try output(norm(o).joiningHeads() * parts.gate)
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let parts = try projected(x)
            let o = try LinearAttentionEquations.step(
                q: parts.q, k: parts.k, v: parts.v, decay: parts.logDecay.exp(), state: &state["s"])
            return try output(norm(o).joiningHeads() * parts.gate)
        }
    }

    /// α, one for each key channel.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try requireInput(x, state: state)
        return try ComplexTensor(real: projected(x).logDecay.exp().joiningHeads())
    }

    /// Visits `input`, `decay`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try decay.forEachParameter(under: "decay", visit)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

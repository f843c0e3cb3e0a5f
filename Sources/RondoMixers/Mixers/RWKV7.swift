public import RondoNN
public import RondoTensor

/// The time mixing of RWKV-7: a generalised delta rule with a decay and a learning rate for every channel.
public struct RWKV7: ValueSharingMixer {
    /// What a layer does with values of layers below.
    public enum ValueMixing: String, Codable, Sendable, CaseIterable {
        /// It has its own and gives them to nobody.
        case none
        /// It gives its own to the layers above: the lowest layer of a model.
        case first
        /// It mixes its own with those of the first layer; without a layer below it is like `first`.
        case upper
    }

    /// The shape of an RWKV-7 time-mixing layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads.
        public var heads = 4
        /// The rank of the decays' map.
        public var decayRank = 32
        /// The rank of the learning rates' map.
        public var rateRank = 32
        /// The rank of the output gate's map.
        public var gateRank = 64
        /// What the layer does with values of layers below.
        public var valueMixing = ValueMixing.none
        /// The rank of the map that says how much of the first layer's values an upper layer takes.
        public var valueRank = 32
        /// Added to the variance of a head's output.
        public var normEpsilon = 64e-5
        /// Added to the squared length that κ is divided by.
        public var keyEpsilon = 1e-6

        /// Creates the defaults.
        public init() {}

        /// Refuses heads that do not divide the width, and empty ranks.
        public func validate(dModel: Int) throws {
            try requireValue(
                heads >= 1 && dModel % heads == 0, "heads", heads, "a divisor of d_model, which is \(dModel)")
            for (key, rank) in [
                ("decay_rank", decayRank), ("rate_rank", rateRank), ("gate_rank", gateRank), ("value_rank", valueRank),
            ] {
                try requireValue((1...1 << 20).contains(rank), key, rank, "from 1 to 1048576")
            }
            try requireValue(normEpsilon > 0 && normEpsilon < 1, "norm_epsilon", normEpsilon, "above 0 and below 1")
            try requireValue(keyEpsilon > 0 && keyEpsilon < 1, "key_epsilon", keyEpsilon, "above 0 and below 1")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "rwkv7", title: "RWKV-7", family: .matrixState,
        summary: "time mixing of RWKV-7: a delta rule with a decay and a learning rate for every channel",
        equations: """
            x_c = x + μ_c ⊙ (x⁻ - x)                  for c in r, w, k, v, a, g
            r, k, v = W_r x_r, W_k x_k, W_v x_v       (in heads)
            w = exp(-e^(-1/2) σ(b_w + B_w tanh(A_w x_w)))
            a = σ(b_a + B_a A_a x_a),  g = B_g σ(A_g x_g)
            v ← v + σ(b_v + B_v A_v x_v) ⊙ (v₁ - v)   (v₁: the first layer's; only if value_mixing is upper)
            κ = (k ⊙ ξ) / |k ⊙ ξ|,  k̃ = k ⊙ (1 + (a - 1) ⊙ α)
            S = Diag(w) S⁻ - (κ ⊙ a) (κᵀ S⁻) + k̃ vᵀ
            o = LN_head(Sᵀ r) + (r · (ρ ⊙ k̃)) v
            y = W_o (g ⊙ o)
            """,
        source: "Peng et al., RWKV-7 Goose with expressive dynamic state evolution, 2025",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state D²/H + D",
        notes:
            "The paper mixes the values of upper layers with those of the first one: in a model, value_mixing is first "
            + "in the lowest layer and upper in the others. Alone, every layer is the first.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two heads", dModel: 6) {
            $0.heads = 2
            ($0.decayRank, $0.rateRank, $0.gateRank) = (2, 3, 4)
        },
        MixerExample("one head", dModel: 5) {
            $0.heads = 1
            ($0.decayRank, $0.rateRank, $0.gateRank) = (3, 2, 1)
            $0.valueMixing = .first
            ($0.normEpsilon, $0.keyEpsilon) = (1e-3, 1e-12)
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// μ of r, w, k, v, a and g, `[6, D]`.
    public var mix: Tensor
    /// W_r, W_k, W_v.
    public var maps: [Linear]
    var decay: LowRank
    var rate: LowRank
    var gate: LowRank
    /// How much of the first layer's values an upper one takes.
    var valueShare: LowRank?
    /// ξ, then α, `[2, D]`.
    public var keyScales: Tensor
    /// ρ `[H, d]`.
    public var bonus: Tensor
    var norm: HeadNorm
    /// Back, `[D, D]`.
    public var output: Linear

    /// Creates a mixer with the weights of ``Linear``; decays begin spread over the channels.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let heads = configuration.heads
        mix = try generator.uniform([6, dModel], low: 0, high: 1, dtype: dtype)
        maps = try (0..<3).map { _ in
            try Linear(inputSize: dModel, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
        }
        func lowRank(_ rank: Int, bias: Bool) throws -> LowRank {
            try LowRank(
                inputSize: dModel, rank: rank, outputSize: dModel, bias: bias, dtype: dtype, using: &generator)
        }
        decay = try lowRank(configuration.decayRank, bias: true)
        decay.up.bias = try Tensor((0..<dModel).map { -6 + 6 * Double($0) / Double(max(1, dModel - 1)) }).cast(
            to: dtype)
        rate = try lowRank(configuration.rateRank, bias: true)
        gate = try lowRank(configuration.gateRank, bias: false)
        valueShare = try configuration.valueMixing == .upper ? lowRank(configuration.valueRank, bias: true) : nil
        keyScales = try Tensor.concatenate([
            Tensor.full([1, dModel], 0.85, dtype: dtype), Tensor.ones([1, dModel], dtype: dtype),
        ])
        bonus = try generator.normal([heads, dModel / heads], deviation: 0.1, dtype: dtype)
        norm = try HeadNorm(
            .layer, heads: heads, width: dModel / heads, bias: true, epsilon: configuration.normEpsilon, dtype: dtype)
        output = try Linear(inputSize: dModel, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let (width, dtype) = (dModel / configuration.heads, mix.dtype)
        return MixerState(
            batch: batch,
            [
                "s": try Tensor.zeros([batch, configuration.heads, width, width], dtype: dtype),
                "shift": try Tensor.zeros([batch, dModel], dtype: dtype),
            ])
    }

    /// What the recurrence reads, each `[..., H, d]`, and the gate `[..., D]`.
    private struct Parts {
        var r: Tensor
        var k: Tensor
        var v: Tensor
        var a: Tensor
        var b: Tensor
        var logDecay: Tensor
        var gate: Tensor
    }

    /// The values of some positions, from what is mapped to them, with those of the first layer.
    private func values(_ mixed: Tensor, shared: inout SharedValues) throws -> Tensor {
        let own = try maps[2](mixed)
        guard configuration.valueMixing != .none else { return own }
        guard let valueShare, let first = shared.first else {
            shared.first = own
            return own
        }
        return try own + valueShare(mixed).sigmoid() * (first - own)
    }

    private func parts(_ x: Tensor, before: Tensor, shared: inout SharedValues) throws -> Parts {
        let difference = try before - x
        let all = try difference.mixed(x, mix)
        func mixed(_ index: Int) throws -> Tensor { try all.selecting(0, index) }
        let heads = configuration.heads
        let keys = try maps[1](mixed(2))
        let rates = try rate(mixed(4)).sigmoid()
        let unit = try (keys * keyScales.selecting(0, 0)).splittingHeads(heads)
            .unitVectors(epsilon: configuration.keyEpsilon)
        let kept = try keys * (1 + (rates - 1) * keyScales.selecting(0, 1))
        return Parts(
            r: try maps[0](mixed(0)).splittingHeads(heads), k: try kept.splittingHeads(heads),
            v: try values(mixed(3), shared: &shared).splittingHeads(heads),
            a: try unit * rates.splittingHeads(heads), b: try -unit,
            logDecay: try (decay(mixed(1)) { try $0.tanh() }.sigmoid() * -0.606_530_659_712_633_4).splittingHeads(
                heads),
            gate: try gate(mixed(5)) { try $0.sigmoid() })
    }

    private func outputs(_ o: Tensor, _ parts: Parts) throws -> Tensor {
        let present = try (parts.r * bonus * parts.k).sum([-1], keepingAxes: true) * parts.v
        return try output((norm(o) + present).joiningHeads() * parts.gate)
    }

    /// The general delta rule, chunk by chunk.
    public func chunk(_ x: Tensor, state: inout MixerState, shared: inout SharedValues) throws -> Tensor {
        try requireInput(x, state: state)
        let time = x.shape[1]
        guard time > 0 else { return x }
        let parts = try parts(x, before: x.delayed(after: state["shift"]), shared: &shared)
        let result = try DeltaRule.general(
            q: parts.r, k: parts.k, v: parts.v, a: parts.a, b: parts.b, logDecay: parts.logDecay, state: state["s"])
        (state["s"], state["shift"]) = (result.state, try x.selecting(1, -1).contiguous())
        state.advance(by: time)
        return try outputs(result.output, parts)
    }

    /// One pass over S in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        sharingStepper(batch: batch) { x, state, shared in
            let parts = try parts(x, before: state["shift"], shared: &shared)
            state["shift"] = try x.copied()
            let o = try DeltaRule.generalStep(
                q: parts.r, k: parts.k, v: parts.v, a: parts.a, b: parts.b, logDecay: parts.logDecay,
                state: &state["s"])
            return try outputs(o, parts)
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            var alone = SharedValues()
            let parts = try parts(x, before: state["shift"], shared: &alone)
            state["shift"] = x
            let s = state["s"]
            let read = try (s * parts.b.expanded(at: 3)).sum([2])
            let decayed = try parts.logDecay.exp().expanded(at: 3) * s
            let written = try parts.a.expanded(at: 3) * read.expanded(at: 2)
            state["s"] = try decayed + written + parts.k.expanded(at: 3) * parts.v.expanded(at: 2)
            return try outputs(DeltaRuleEquations.read(parts.r, state["s"]), parts)
        }
    }

    /// Visits `mix`, `maps`, `decay`, `rate`, `gate`, `value_share`, `key_scales`, `bonus`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("mix", &mix)
        try maps.forEachParameter(under: "maps", visit)
        try decay.forEachParameter(under: "decay", visit)
        try rate.forEachParameter(under: "rate", visit)
        try gate.forEachParameter(under: "gate", visit)
        try valueShare.forEachParameter(under: "value_share", visit)
        try visit("key_scales", &keyScales)
        try visit("bonus", &bonus)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

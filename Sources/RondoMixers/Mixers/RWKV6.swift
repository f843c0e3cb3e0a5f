public import RondoNN
public import RondoTensor

/// The time mixing of RWKV-6: token shift and decays that depend on the input, and a bonus for the present position.
public struct RWKV6: SequenceMixer {
    /// The shape of an RWKV-6 time-mixing layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads.
        public var heads = 4
        /// The rank of the maps that mix with the position before.
        public var mixRank = 32
        /// The rank of the decays' map.
        public var decayRank = 64

        /// Creates the defaults.
        public init() {}

        /// Refuses heads that do not divide the width, and empty ranks.
        public func validate(dModel: Int) throws {
            try requireValue(
                heads >= 1 && dModel % heads == 0, "heads", heads, "a divisor of d_model, which is \(dModel)")
            try requireValue((1...1 << 20).contains(mixRank), "mix_rank", mixRank, "from 1 to 1048576")
            try requireValue((1...1 << 20).contains(decayRank), "decay_rank", decayRank, "from 1 to 1048576")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "rwkv6", title: "RWKV-6", family: .matrixState,
        summary: "time mixing of RWKV-6: shifts and decays that depend on the input, a bonus for the present",
        equations: """
            d = x⁻ - x                                (the position before, minus this one)
            x_c = x + d ⊙ (μ_c + B_c tanh(A_c (x + d ⊙ μ)))    for c in r, k, v, g, w
            r, k, v = W_r x_r, W_k x_k, W_v x_v       (in heads);  w = exp(-exp(ω + B tanh(A x_w)))
            o = (S⁻ + Diag(u) k vᵀ)ᵀ r
            S = Diag(w) S⁻ + k vᵀ
            y = W_o (LN_head(o) ⊙ SiLU(W_g x_g))
            """,
        source: "Peng et al., Eagle and Finch: RWKV with matrix-valued states and dynamic recurrence, 2024",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state D²/H + D")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two heads", dModel: 6) {
            $0.heads = 2
            $0.mixRank = 2
            $0.decayRank = 3
        },
        MixerExample("one head", dModel: 5) {
            $0.heads = 1
            $0.mixRank = 3
            $0.decayRank = 2
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// μ `[D]`, then μ of r, k, v, g and w, `[6, D]`.
    public var mix: Tensor
    /// A of all five, `[5 rank, D]`.
    public var mixDown: Linear
    /// B of each, `[5, D, rank]`.
    public var mixUp: Tensor
    /// W_r, W_k, W_v, W_g.
    public var maps: [Linear]
    var decay: LowRank
    /// u `[H, d]`.
    public var bonus: Tensor
    var norm: HeadNorm
    /// Back, `[D, D]`.
    public var output: Linear

    /// Creates a mixer with the weights of ``Linear``; decays begin spread over the channels, from long to short.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (heads, rank) = (configuration.heads, configuration.mixRank)
        mix = try generator.uniform([6, dModel], low: 0, high: 1, dtype: dtype)
        mixDown = try Linear(inputSize: dModel, outputSize: 5 * rank, bias: false, dtype: dtype, using: &generator)
        mixUp = try generator.uniform([5, dModel, rank], low: -0.01, high: 0.01, dtype: dtype)
        maps = try (0..<4).map { _ in
            try Linear(inputSize: dModel, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
        }
        decay = try LowRank(
            inputSize: dModel, rank: configuration.decayRank, outputSize: dModel, bias: true, dtype: dtype,
            using: &generator)
        let speeds = (0..<dModel).map { channel in
            let place = Double(channel % (dModel / heads)) / Double(max(1, dModel / heads - 1))
            return -6 + 5 * place
        }
        decay.up.bias = try Tensor(speeds).cast(to: dtype)
        bonus = try generator.uniform([heads, dModel / heads], low: 0, high: 1, dtype: dtype)
        norm = try HeadNorm(.layer, heads: heads, width: dModel / heads, bias: true, epsilon: 64e-5, dtype: dtype)
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

    private struct Parts {
        var r: Tensor
        var k: Tensor
        var v: Tensor
        var gate: Tensor
        var logDecay: Tensor
    }

    /// What the recurrence reads, from `[..., D]` and the positions before.
    private func parts(_ x: Tensor, before: Tensor) throws -> Parts {
        let difference = try before - x
        let rank = configuration.mixRank
        let inner = try mixDown(x + difference * mix.selecting(0, 0)).tanh()
        let low = try inner.reshaped([-1, 5, rank]).transposed(0, 1)
        let amounts = try low.matmul(mixUp.transposed()).reshaped([5] + x.shape)
        let mixed = try difference.mixed(x, mix.sliced(0, 1..<6), amounts)
        func projected(_ index: Int) throws -> Tensor { try maps[index](mixed.selecting(0, index)) }
        let heads = configuration.heads
        let logDecay = try -(decay(mixed.selecting(0, 4)) { try $0.tanh() }.exp())
        return Parts(
            r: try projected(0).splittingHeads(heads), k: try projected(1).splittingHeads(heads),
            v: try projected(2).splittingHeads(heads), gate: try projected(3).silu(),
            logDecay: try logDecay.splittingHeads(heads))
    }

    /// Chunk by chunk as products of matrices.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let time = x.shape[1]
        guard time > 0 else { return x }
        let parts = try parts(x, before: x.delayed(after: state["shift"]))
        let result = try LinearAttention(
            decay: .vector, hasBonus: true, keepsIntermediates: parts.v.requiresGradient)([
                parts.r, parts.k, parts.v, state["s"], parts.logDecay, bonus,
            ])
        (state["s"], state["shift"]) = (result[1], try x.selecting(1, -1).contiguous())
        state.advance(by: time)
        return try output(norm(result[0]).joiningHeads() * parts.gate)
    }

    /// One pass over S in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        stepper(batch: batch) { x, state in
            let parts = try parts(x, before: state["shift"])
            state["shift"] = try x.copied()
            let o = try LinearAttention(decay: .vector, hasBonus: true).step(
                q: parts.r, k: parts.k, v: parts.v, g: parts.logDecay, bonus: bonus, state: &state["s"])
            return try output(norm(o).joiningHeads() * parts.gate)
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let parts = try parts(x, before: state["shift"])
            state["shift"] = x
            let o = try LinearAttentionEquations.step(
                q: parts.r, k: parts.k, v: parts.v, decay: parts.logDecay.exp(), bonus: bonus, state: &state["s"])
            return try output(norm(o).joiningHeads() * parts.gate)
        }
    }

    /// Visits `mix`, `mix_down`, `mix_up.weight`, `maps`, `decay`, `bonus`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("mix", &mix)
        try mixDown.forEachParameter(under: "mix_down", visit)
        try visit("mix_up.weight", &mixUp)
        try maps.forEachParameter(under: "maps", visit)
        try decay.forEachParameter(under: "decay", visit)
        try visit("bonus", &bonus)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

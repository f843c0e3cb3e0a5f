public import RondoNN
public import RondoTensor

/// Multi-scale retention: linear attention with a fixed decay for each head and rotary positions.
public struct RetNet: TransitionReporting {
    /// The shape of a retention layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads.
        public var heads = 4
        /// The width of values as a multiple of that of keys.
        public var expandValue = 2
        /// The base of the rotary frequencies; 0 for no position embedding.
        public var ropeBase = 10_000.0

        /// Creates the defaults.
        public init() {}

        /// Refuses heads that do not divide the width.
        public func validate(dModel: Int) throws {
            try requireValue(
                heads >= 1 && dModel % heads == 0, "heads", heads, "a divisor of d_model, which is \(dModel)")
            try requireValue((1...64).contains(expandValue), "expand_value", expandValue, "from 1 to 64")
            try requireValue(ropeBase == 0 || ropeBase > 1, "rope_base", ropeBase, "0 (off) or above 1")
            try requireValue(
                ropeBase == 0 || (dModel / heads) % 2 == 0, "heads", heads,
                "such that d_model / heads is even, for rotary positions")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "retnet", title: "RetNet", family: .matrixState,
        summary: "multi-scale retention: a fixed decay for each head, rotary positions",
        equations: """
            q, k, v = W_q x, W_k x, W_v x            (in heads; q and k turned by their position)
            S = γ S⁻ + k vᵀ                          γ = 1 - 2^(-5 - head)
            o = Sᵀ q / √d
            y = W_o (SiLU(W_g x) ⊙ RMSNorm_head(o))
            """,
        source: "Sun et al., Retentive network: A successor to transformer, 2023",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state expand_value D²/H")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two heads", dModel: 8) { $0.heads = 2 },
        MixerExample("no positions", dModel: 6) {
            $0.heads = 2
            $0.expandValue = 1
            $0.ropeBase = 0
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    private let rotary: RotaryEmbedding?
    /// log γ, `[H]`: not trained.
    private let logDecay: FixedTensor
    /// To queries and keys `D` each, values and gate `expand D` each.
    public var input: Linear
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
        let (heads, inner) = (configuration.heads, configuration.expandValue * dModel)
        rotary =
            try configuration.ropeBase == 0 ? nil : RotaryEmbedding(width: dModel / heads, base: configuration.ropeBase)
        let exponents = try Tensor.range(heads, dtype: .float64) * -1 - 5
        let decay = try -Tensor.full([], 2, dtype: .float64).power(exponents)
        logDecay = FixedTensor(try decay.unary(.log1p).cast(to: dtype))
        input = try Linear(
            inputSize: dModel, outputSize: 2 * (dModel + inner), bias: false, dtype: dtype, using: &generator)
        norm = try HeadNorm(.rms, heads: heads, width: inner / heads, isShared: true, dtype: dtype)
        output = try Linear(inputSize: inner, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let width = dModel / configuration.heads
        let shape: Shape = [batch, configuration.heads, width, width * configuration.expandValue]
        return MixerState(batch: batch, ["s": try Tensor.zeros(shape, dtype: input.weight.dtype.computationType)])
    }

    /// Queries, keys and values of `[batch, time, D]`, and the gate.
    private func projected(_ x: Tensor, _ positions: [Int]) throws -> (q: Tensor, k: Tensor, v: Tensor, gate: Tensor) {
        let (all, heads) = (try input(x), configuration.heads)
        let inner = configuration.expandValue * dModel
        // Queries and keys turn together.
        let both = try all.channels(0..<2 * dModel).splittingHeads(2 * heads)
        let turned = try rotary?(both, positions: positions) ?? both
        let (q, k) = (try turned.sliced(-2, 0..<heads), try turned.sliced(-2, heads..<2 * heads))
        let v = try all.channels(2 * dModel..<2 * dModel + inner).splittingHeads(heads)
        let gate = try all.channels(2 * dModel + inner..<2 * (dModel + inner)).silu()
        return (try q * (1 / Double(dModel / heads).squareRoot()), k, v, gate)
    }

    /// Chunk by chunk as products of matrices.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let (q, k, v, gate) = try projected(x, state.positions)
        let g = try logDecay.tensor.broadcast(to: Shape(v.shape.dropLast()))
        let result = try LinearAttention(decay: .scalar, keepsIntermediates: v.requiresGradient)([
            q, k, v, state["s"], g,
        ])
        state["s"] = result[1]
        state.advance(by: x.shape[1])
        return try output(norm(result[0]).joiningHeads() * gate)
    }

    /// One pass over S in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let g = try logDecay.tensor.broadcast(to: [batch, configuration.heads]).contiguous()
        return stepper(batch: batch) { x, state in
            let (q, k, v, gate) = try projected(x.expanded(at: 1), state.positions)
            let o = try LinearAttention(decay: .scalar).step(
                q: q.squeezed(1), k: k.squeezed(1), v: v.squeezed(1), g: g, state: &state["s"])
            return try output(norm(o).joiningHeads() * gate.squeezed(1))
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let decay = try logDecay.tensor.exp().reshaped([1, -1, 1])
        return try scanning(x, state: &state) { x, state in
            let (q, k, v, gate) = try projected(x.expanded(at: 1), state.positions)
            let o = try LinearAttentionEquations.step(
                q: q.squeezed(1), k: k.squeezed(1), v: v.squeezed(1), decay: decay, state: &state["s"])
            return try output(norm(o).joiningHeads() * gate.squeezed(1))
        }
    }

    /// γ, one for each head.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try ComplexTensor(real: logDecay.tensor.exp()).everywhere()
    }

    /// Visits `input`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

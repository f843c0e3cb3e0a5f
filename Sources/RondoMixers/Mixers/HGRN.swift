public import RondoNN
public import RondoTensor

/// The hierarchically gated recurrent network: forget gates with a lower bound, real or complex states, an output gate.
public struct HGRN: LowerBoundedMixer, TransitionReporting {
    /// The shape of an HGRN layer.
    public struct Configuration: MixerConfiguration {
        /// The least value of every forget gate, in 0..<1: upper layers remember longer with larger ones.
        public var lowerBound = 0.0
        /// Whether the layers of a model that have this learn their lower bounds together.
        public var learnedBounds = false
        /// Whether states are complex and turn by a learned angle at every position.
        public var complex = false

        /// Creates the defaults.
        public init() {}

        /// Refuses bounds outside 0..<1, and those that are fixed and learned.
        public func validate(dModel: Int) throws {
            try LowerBound.validate(fixed: lowerBound, isLearned: learnedBounds)
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "hgrn", title: "HGRN", family: .vectorState,
        summary: "hierarchically gated recurrence: forget gates with a lower bound for each layer",
        equations: """
            λ = γ + (1 - γ) σ(W_f x + b_f)      γ: lower_bound, or learned_bounds:
                                                 γ = P_2 + … + P_k in layer k, P = softmax(Γ) over layers
            c = SiLU(W_c x + b_c)                (complex: a pair)
            h = λ e^{iθ} ⊙ h⁻ + (1 - λ) ⊙ c     (θ = 0 unless complex)
            y = W_o LN(SiLU(W_g x + b_g) ⊙ [Re h, Im h])
            """,
        source: "Qin, Yang and Zhong, Hierarchically gated recurrent neural network, 2023",
        complexity: "sequence O(T D²) products and a scan O(T D); step O(D²); state D (complex 2 D)",
        notes:
            "In the paper all layers have learned_bounds: upper layers remember longer. Each holds its row of Γ; the "
            + "lowest layer's bound is 0, also that of a layer alone. A list of layers can give each a fixed one "
            + "instead.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("real", dModel: 5),
        MixerExample("bounded", dModel: 3) { $0.lowerBound = 0.9 },
        MixerExample("complex", dModel: 4) { $0.complex = true },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To the forget gate, the candidate (two parts if complex) and the output gate (likewise).
    public var input: Linear
    /// The angles θ `[D]`, if states are complex.
    public var angle: Tensor?
    /// This layer's row of Γ, `[D]`, if bounds are learned.
    public var boundLogits: Tensor?
    /// Before the output.
    public var norm: LayerNorm
    /// Back.
    public var output: Linear

    /// Creates a mixer with the weights of ``Linear`` and angles as in rotary embeddings.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let parts = configuration.complex ? 2 : 1
        input = try Linear(inputSize: dModel, outputSize: (1 + 2 * parts) * dModel, dtype: dtype, using: &generator)
        angle =
            try configuration.complex
            ? (Tensor.range(dModel, dtype: dtype) * (-9.21 / Double(dModel))).exp() : nil
        boundLogits = try configuration.learnedBounds ? Tensor.zeros([dModel], dtype: dtype) : nil
        norm = try LayerNorm(size: parts * dModel, dtype: dtype)
        output = try Linear(
            inputSize: parts * dModel, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// γ if it is fixed.
    public var fixedBound: Double { configuration.lowerBound }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let zeros = try Tensor.zeros([batch, dModel], dtype: norm.weight.dtype)
        return configuration.complex
            ? MixerState(batch: batch, ["real": zeros, "imaginary": zeros]) : MixerState(batch: batch, ["h": zeros])
    }

    /// Forget gate, what is added (one or two parts), output gate.
    private func gates(_ x: Tensor, _ bound: LowerBound) throws -> (forget: Tensor, add: [Tensor], gate: Tensor) {
        let parts = configuration.complex ? 2 : 1
        let all = try input(x)
        let forget = try bound.gate(all.sliced(-1, 0..<dModel))
        let candidates = try all.sliced(-1, dModel..<(1 + parts) * dModel).silu().split(parts, axis: -1)
        let gate = try all.sliced(-1, (1 + parts) * dModel..<(1 + 2 * parts) * dModel).silu()
        return (forget, try candidates.map { try (1 - forget) * $0 }, gate)
    }

    /// Products for all positions, then a scan.
    public func chunk(_ x: Tensor, state: inout MixerState, shared: inout SharedValues) throws -> Tensor {
        try requireInput(x, state: state)
        let (forget, add, gate) = try gates(x, bound(from: &shared))
        var hidden: Tensor
        if let angle {
            let factors = [try forget * angle.unary(.cos), try forget * angle.unary(.sin)]
            let scanned = try ComplexDiagonalScan()(factors + add + [state[0], state[1]])
            (state[0], state[1]) = (scanned[2], scanned[3])
            hidden = try Tensor.concatenate(Array(scanned[0..<2]), axis: -1)
        } else {
            let scanned = try DiagonalScan()([forget, add[0], state[0]])
            state[0] = scanned[1]
            hidden = scanned[0]
        }
        state.advance(by: x.shape[1])
        return try output(norm(gate * hidden))
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let (forget, add, gate) = try gates(x, boundAlone)
            guard let angle else {
                state[0] = try forget * state[0] + add[0]
                return try output(norm(gate * state[0]))
            }
            let turn = try ComplexTensor(modulus: forget, angle: angle.broadcast(to: forget.shape))
            let h = try turn * ComplexTensor(state[0], state[1]) + ComplexTensor(add[0], add[1])
            (state[0], state[1]) = (h.real, h.imaginary)
            return try output(norm(gate * Tensor.concatenate([h.real, h.imaginary], axis: -1)))
        }
    }

    /// λ, turned by θ if complex.
    public func transitionEigenvalues(
        _ x: Tensor, state: MixerState, passing shared: SharedValues
    ) throws -> ComplexTensor {
        try requireInput(x, state: state)
        var shared = shared
        let forget = try gates(x, bound(from: &shared)).forget
        guard let angle else { return try ComplexTensor(real: forget) }
        return try ComplexTensor(modulus: forget, angle: angle)
    }

    /// Visits `input`, `angle`, `bound_logits`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try angle.visit("angle", visit)
        try boundLogits.visit("bound_logits", visit)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

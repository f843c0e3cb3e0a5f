public import RondoNN
public import RondoTensor

/// HGRN2: gated linear attention whose keys are what the forget gates let in.
public struct HGRN2: LowerBoundedMixer, TransitionReporting {
    /// The shape of an HGRN2 layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads; each channel's state is as wide as a head.
        public var heads = 4
        /// The least value of every forget gate, in 0..<1.
        public var lowerBound = 0.0
        /// Whether the layers of a model that have this learn their lower bounds together.
        public var learnedBounds = false

        /// Creates the defaults.
        public init() {}

        /// Refuses heads that do not divide the width, bounds outside 0..<1, and those that are fixed and learned.
        public func validate(dModel: Int) throws {
            try requireValue(
                heads >= 1 && dModel % heads == 0, "heads", heads, "a divisor of d_model, which is \(dModel)")
            try LowerBound.validate(fixed: lowerBound, isLearned: learnedBounds)
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "hgrn2", title: "HGRN2", family: .matrixState,
        summary: "gated recurrence with a state expanded by outer products; keys are tied to the forget gates",
        equations: """
            f = γ + (1 - γ) σ(W_f x)                 γ: lower_bound, or learned_bounds:
                                                      γ = P_2 + … + P_k in layer k, P = softmax(Γ) over layers
            q = SiLU(W_q x), v = W_v x
            S = Diag(f) S⁻ + (1 - f) vᵀ
            y = W_o RMSNorm(Sᵀ q)
            """,
        source: "Qin et al., HGRN2: Gated linear RNNs with state expansion, 2024",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state D²/H",
        notes:
            "In the paper all layers have learned_bounds. Each holds its row of Γ; the lowest layer's bound is 0, also "
            + "that of a layer alone. Layers of HGRN and HGRN2 learn theirs together.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two heads", dModel: 6) { $0.heads = 2 },
        MixerExample("bounded", dModel: 5) {
            $0.heads = 1
            $0.lowerBound = 0.8
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To queries, forget gates and values, `[3 D, D]`.
    public var input: Linear
    /// This layer's row of Γ, `[D]`, if bounds are learned.
    public var boundLogits: Tensor?
    /// Before the output.
    public var norm: RMSNorm
    /// Back, `[D, D]`.
    public var output: Linear

    /// Creates a mixer with the weights of ``Linear``.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        input = try Linear(inputSize: dModel, outputSize: 3 * dModel, bias: false, dtype: dtype, using: &generator)
        boundLogits = try configuration.learnedBounds ? Tensor.zeros([dModel], dtype: dtype) : nil
        norm = try RMSNorm(size: dModel, dtype: dtype)
        output = try Linear(inputSize: dModel, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// γ if it is fixed.
    public var fixedBound: Double { configuration.lowerBound }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let width = dModel / configuration.heads
        let shape: Shape = [batch, configuration.heads, width, width]
        return MixerState(batch: batch, ["s": try Tensor.zeros(shape, dtype: input.weight.dtype.computationType)])
    }

    private func projected(
        _ x: Tensor, _ bound: LowerBound
    ) throws -> (q: Tensor, k: Tensor, v: Tensor, logDecay: Tensor) {
        let parts = try input(x).split(3, axis: -1)
        let heads = configuration.heads
        return (
            try parts[0].silu().splittingHeads(heads), try bound.entry(parts[1]).splittingHeads(heads),
            try parts[2].splittingHeads(heads), try bound.logGate(parts[1]).splittingHeads(heads)
        )
    }

    /// Chunk by chunk as products of matrices.
    public func chunk(_ x: Tensor, state: inout MixerState, shared: inout SharedValues) throws -> Tensor {
        try requireInput(x, state: state)
        let (q, k, v, logDecay) = try projected(x, bound(from: &shared))
        // Bounds may be trained alone.
        let isRecorded = v.requiresGradient || logDecay.requiresGradient
        let result = try LinearAttention(decay: .vector, keepsIntermediates: isRecorded)([
            q, k, v, state["s"], logDecay,
        ])
        state["s"] = result[1]
        state.advance(by: x.shape[1])
        return try output(norm(result[0].joiningHeads()))
    }

    /// One pass over S in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        sharingStepper(batch: batch) { x, state, shared in
            let (q, k, v, logDecay) = try projected(x, bound(from: &shared))
            let o = try LinearAttention(decay: .vector).step(q: q, k: k, v: v, g: logDecay, state: &state["s"])
            return try output(norm(o.joiningHeads()))
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let (q, k, v, logDecay) = try projected(x, boundAlone)
            let o = try LinearAttentionEquations.step(q: q, k: k, v: v, decay: logDecay.exp(), state: &state["s"])
            return try output(norm(o.joiningHeads()))
        }
    }

    /// Queries, gates and values are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "input.weight" ? 3 : 1 }

    /// f, one for each key channel.
    public func transitionEigenvalues(
        _ x: Tensor, state: MixerState, passing shared: SharedValues
    ) throws -> ComplexTensor {
        try requireInput(x, state: state)
        var shared = shared
        return try ComplexTensor(real: projected(x, bound(from: &shared)).logDecay.exp().joiningHeads())
    }

    /// Visits `input`, `bound_logits`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try boundLogits.visit("bound_logits", visit)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

public import RondoNN
public import RondoTensor

/// Mamba-2: a state-space model with one decay for each head, which makes it a linear attention.
public struct Mamba2: SequenceMixer {
    /// The shape of a Mamba-2 layer.
    public struct Configuration: MixerConfiguration {
        /// States of each channel, N.
        public var stateSize = 64
        /// The inner width as a multiple of the model's.
        public var expand = 2
        /// Channels of each head, P; all inner channels if they are fewer.
        public var headSize = 64
        /// Groups of heads that share B and C.
        public var groups = 1
        /// Taps of the convolution before the recurrence.
        public var convWidth = 4
        /// Whether the convolution has offsets.
        public var convBias = true
        /// Whether the input and output maps have offsets.
        public var bias = false
        /// The least step size after its softplus.
        public var timeStepMin = 0.0
        /// The largest step size after its softplus; no limit if `nil`.
        public var timeStepMax: Double?
        /// Whether the gate multiplies before the norm (as the authors do) rather than after it.
        public var gateBeforeNorm = true
        /// Added to the mean square in the norm before the output.
        public var normEpsilon = 1e-5

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            try requireValue((1...65_536).contains(stateSize), "state_size", stateSize, "from 1 to 65536")
            try requireValue((1...64).contains(expand), "expand", expand, "from 1 to 64")
            let inner = expand * dModel
            try requireValue((1...1024).contains(convWidth), "conv_width", convWidth, "from 1 to 1024")
            try requireValue(
                headSize >= 1 && inner % min(headSize, inner) == 0, "head_size", headSize,
                "a divisor of expand * d_model, which is \(inner)")
            try requireValue(
                groups >= 1 && heads(dModel) % groups == 0, "groups", groups,
                "a divisor of the number of heads, which is \(heads(dModel))")
            try requireValue(normEpsilon > 0 && normEpsilon < 1, "norm_epsilon", normEpsilon, "above 0 and below 1")
            try requireValue(timeStepMin >= 0, "time_step_min", timeStepMin, "at least 0")
            if let timeStepMax {
                try requireValue(timeStepMax > timeStepMin, "time_step_max", timeStepMax, "above time_step_min")
            }
        }

        func heads(_ dModel: Int) -> Int { expand * dModel / min(headSize, expand * dModel) }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "mamba2", title: "Mamba-2", family: .matrixState,
        summary: "state-space duality: one decay for each head, trained by matrix products",
        equations: """
            z, u, B, C, δ = W_in x;  (u, B, C) = SiLU(conv(u, B, C))
            Δ = softplus(δ + b_Δ), a = exp(-Δ exp(A_log))        one number for each head
            S = a S⁻ + Δ B uᵀ                                    S: N x P for each head
            o = Sᵀ C + D u
            y = W_out RMSNorm(o ⊙ SiLU(z))                       normalised in each group of heads
            """,
        source: "Dao and Gu, Transformers are SSMs, 2024, section 7",
        complexity: "sequence O(T E (D + N + chunk)); step O(E (D + N)); state E N + conv_width - 1 rows, E = expand D")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("default", dModel: 6) { $0.stateSize = 5 },
        MixerExample("four heads in two groups", dModel: 8) {
            $0.headSize = 4
            $0.groups = 2
            $0.stateSize = 3
            $0.gateBeforeNorm = false
            $0.bias = true
            $0.convBias = false
        },
        MixerExample("limited step sizes", dModel: 4) {
            $0.headSize = 8
            $0.stateSize = 7
            $0.timeStepMin = 0.01
            $0.timeStepMax = 0.3
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To z `E`, u `E`, B `G N`, C `G N` and δ `H`.
    public var input: Linear
    /// Before the recurrence, over u, B and C.
    public var conv: ShortConvolution
    /// b_Δ, `[H]`.
    public var timeStepBias: Tensor
    /// log(-A), `[H]`.
    public var aLog: Tensor
    /// The direct path D, `[H]`.
    public var skip: Tensor
    /// Before the output.
    public var norm: RMSNorm
    /// Back, `[D, E]`.
    public var output: Linear

    /// Creates a mixer as the authors do: A uniform in -16..-1, step sizes between 0.001 and 0.1.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (inner, heads) = (configuration.expand * dModel, configuration.heads(dModel))
        let shared = 2 * configuration.groups * configuration.stateSize
        input = try Linear(
            inputSize: dModel, outputSize: 2 * inner + shared + heads, bias: configuration.bias, dtype: dtype,
            using: &generator)
        conv = try ShortConvolution(
            channels: inner + shared, width: configuration.convWidth, bias: configuration.convBias, dtype: dtype,
            using: &generator)
        timeStepBias = try TimeStep.bias(heads, dtype: dtype, using: &generator)
        aLog = try generator.uniform([heads], low: 1, high: 16, dtype: dtype).log()
        skip = try Tensor.ones([heads], dtype: dtype)
        norm = try RMSNorm(size: inner, epsilon: configuration.normEpsilon, dtype: dtype)
        output = try Linear(
            inputSize: inner, outputSize: dModel, bias: configuration.bias, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let (heads, inner) = (aLog.shape[0], norm.weight.shape[0])
        let shape = [batch, heads, configuration.stateSize, inner / heads]
        return MixerState(
            batch: batch,
            ["ssm": try Tensor.zeros(shape, dtype: aLog.dtype), "conv": try conv.initialHistory(batch: batch)])
    }

    /// What the recurrence reads: C, B `[..., G, N]`, u `[..., H, P]`, Δ and log a `[..., H]`.
    private struct Parts {
        var c: Tensor
        var b: Tensor
        var u: Tensor
        var dt: Tensor
        var logDecay: Tensor
    }

    /// z, what enters the convolution, and δ.
    private func projected(_ x: Tensor) throws -> (z: Tensor, mixed: Tensor, dt: Tensor) {
        let (inner, heads) = (norm.weight.shape[0], aLog.shape[0])
        let all = try input(x)
        let width = all.shape[all.rank - 1]
        return (
            try all.channels(0..<inner), try all.channels(inner..<width - heads),
            try all.channels(width - heads..<width)
        )
    }

    private func parts(_ convolved: Tensor, _ dt: Tensor) throws -> Parts {
        let (inner, heads) = (norm.weight.shape[0], aLog.shape[0])
        let shared = configuration.groups * configuration.stateSize
        let mixed = try convolved.silu()
        var steps = try (dt + timeStepBias).softplus()
        if configuration.timeStepMin > 0 || configuration.timeStepMax != nil {
            steps = try steps.clamped(configuration.timeStepMin, configuration.timeStepMax ?? .infinity)
        }
        return Parts(
            c: try mixed.channels(inner + shared..<inner + 2 * shared).splittingHeads(configuration.groups),
            b: try mixed.channels(inner..<inner + shared).splittingHeads(configuration.groups),
            u: try mixed.channels(0..<inner).splittingHeads(heads), dt: steps, logDecay: try -(steps * aLog.exp()))
    }

    private func outputs(_ o: Tensor, _ parts: Parts, z: Tensor) throws -> Tensor {
        let read = try (o + skip.expanded(at: 1) * parts.u).joiningHeads()
        let gate = try z.silu()
        return try output(configuration.gateBeforeNorm ? normalized(read * gate) : normalized(read) * gate)
    }

    /// The norm of each group of heads.
    private func normalized(_ x: Tensor) throws -> Tensor {
        guard configuration.groups > 1 else { return try norm(x) }
        let groups = try x.splittingHeads(configuration.groups)
        return try Normalization(.rms, epsilon: norm.epsilon)([groups])[0].joiningHeads() * norm.weight
    }

    /// Products for all positions, then linear attention with a scalar decay, chunk by chunk.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let (z, mixed, dt) = try projected(x)
        let parts = try parts(conv(mixed, history: &state["conv"]), dt)
        let v = try parts.u * parts.dt.expanded(at: -1)
        let result = try LinearAttention(decay: .scalar, keepsIntermediates: v.requiresGradient)([
            parts.c, parts.b, v, state["ssm"], parts.logDecay,
        ])
        state["ssm"] = result[1]
        state.advance(by: x.shape[1])
        return try outputs(result[0], parts, z: z)
    }

    /// One pass over S in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        stepper(batch: batch) { x, state in
            let (z, mixed, dt) = try projected(x)
            let parts = try parts(conv.step(mixed, history: &state["conv"]), dt)
            let o = try LinearAttention(decay: .scalar).step(
                q: parts.c, k: parts.b, v: parts.u * parts.dt.expanded(at: -1), g: parts.logDecay, state: &state["ssm"])
            return try outputs(o, parts, z: z)
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let shared = aLog.shape[0] / configuration.groups
        return try scanning(x, state: &state) { x, state in
            let (z, mixed, dt) = try projected(x)
            let parts = try parts(conv.reference(mixed, history: &state["conv"]), dt)
            let (b, c) = (try parts.b.repeatingHeads(shared), try parts.c.repeatingHeads(shared))
            let add = try b.expanded(at: 3) * (parts.u * parts.dt.expanded(at: -1)).expanded(at: 2)
            state["ssm"] = try parts.logDecay.exp().reshaped([-1, aLog.shape[0], 1, 1]) * state["ssm"] + add
            return try outputs((state["ssm"] * c.expanded(at: 3)).sum([2]), parts, z: z)
        }
    }

    /// Visits `input`, `conv`, `time_step_bias`, `a_log`, `skip`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try conv.forEachParameter(under: "conv", visit)
        try visit("time_step_bias", &timeStepBias)
        try visit("a_log", &aLog)
        try visit("skip", &skip)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

public import RondoNN
public import RondoTensor

/// Mamba-2: a state-space model with one decay for each head, which makes it a linear attention.
public struct Mamba2: TransitionReporting {
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
        /// Multiplies the step sizes: what is kept and what is written, of a model that has not learned to forget.
        public var timeStepScale = 1.0
        /// Multiplies log a; above 1 it forgets more.
        public var decayScale = 1.0
        /// Multiplies a, above 0 and at most 1; below 1 it forgets more.
        public var retention = 1.0
        /// Multiplies B; below 1 it writes less.
        public var writeScale = 1.0
        /// The largest norm of a head's state, to which larger ones are scaled; no limit if `nil`.
        ///
        /// Such a state can only be computed position by position.
        public var maxStateNorm: Double?
        /// How many positions a state holds, older ones being taken off exactly; all if `nil`.
        public var stateWindow: Int?

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
            try validateForgetting()
        }

        private func validateForgetting() throws {
            let scales = [
                ("time_step_scale", timeStepScale), ("decay_scale", decayScale), ("write_scale", writeScale),
            ]
            for (name, scale) in scales {
                try requireValue(scale > 0 && scale.isFinite, name, scale, "above 0")
            }
            try requireValue(retention > 0 && retention <= 1, "retention", retention, "above 0 and at most 1")
            if let maxStateNorm {
                try requireValue(
                    maxStateNorm > 0 && maxStateNorm.isFinite, "max_state_norm", maxStateNorm, "above 0")
                try requireValue(
                    stateWindow == nil, "max_state_norm", maxStateNorm,
                    "absent with state_window: a state that was scaled is no sum any more")
            }
            if let stateWindow {
                try requireValue((1...1 << 20).contains(stateWindow), "state_window", stateWindow, "from 1 to 1048576")
            }
        }

        /// Whether the recurrence is another than the authors'.
        var changesRecurrence: Bool {
            stateWindow != nil || maxStateNorm != nil || retention != 1 || timeStepScale != 1 || decayScale != 1
                || writeScale != 1
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
        complexity: "sequence O(T E (D + N + chunk)); step O(E (D + N)); state E N + conv_width - 1 rows, E = expand D",
        notes: """
            A model that was trained on texts too short for its state does not forget, and its state overflows in longer \
            ones (Chen et al., Stuffed Mamba, 2024). Without further training, decay_scale, retention and write_scale make \
            it forget more or write less, max_state_norm bounds a head's state, and state_window keeps what the last r \
            positions wrote: S - (a of these positions) S⁻ʳ, at twice the cost and r rows of memory.
            """)

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
        MixerExample("a window of the state", dModel: 4) {
            $0.headSize = 2
            $0.groups = 2
            $0.stateSize = 3
            $0.stateWindow = 3
            $0.retention = 0.9
        },
        MixerExample("a bounded state", dModel: 3) {
            $0.headSize = 3
            $0.stateSize = 4
            $0.maxStateNorm = 0.02
            $0.timeStepScale = 2
            $0.decayScale = 1.5
            $0.writeScale = 0.8
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
        let zeros = try Tensor.zeros([batch, heads, configuration.stateSize, inner / heads], dtype: aLog.dtype)
        let history = try conv.initialHistory(batch: batch)
        guard let window = configuration.stateWindow else {
            return MixerState(batch: batch, ["ssm": zeros, "conv": history])
        }
        let width = configuration.groups * configuration.stateSize + inner + heads
        let writes = try Tensor.zeros([batch, window, width], dtype: aLog.dtype)
        return MixerState(batch: batch, ["ssm": zeros, "conv": history, "old": zeros, "writes": writes])
    }

    /// What the recurrence reads: C, B `[..., G, N]`, u and Δ u `[..., H, P]`, log a `[..., H]`.
    struct Parts {
        var c: Tensor
        var b: Tensor
        var u: Tensor
        var v: Tensor
        var logDecay: Tensor
    }

    /// z, what enters the convolution, and δ.
    private func projected(_ x: Tensor) throws -> (z: Tensor, mixed: Tensor, dt: Tensor) { try divided(input(x)) }

    private func divided(_ all: Tensor) throws -> (z: Tensor, mixed: Tensor, dt: Tensor) {
        let (inner, heads) = (norm.weight.shape[0], aLog.shape[0])
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
        if configuration.timeStepScale != 1 { steps = try steps * configuration.timeStepScale }
        let b = try mixed.channels(inner..<inner + shared).splittingHeads(configuration.groups)
        let u = try mixed.channels(0..<inner).splittingHeads(heads)
        return Parts(
            c: try mixed.channels(inner + shared..<inner + 2 * shared).splittingHeads(configuration.groups),
            b: configuration.writeScale == 1 ? b : try b * configuration.writeScale,
            u: u, v: try u * steps.expanded(at: -1), logDecay: try logDecay(steps))
    }

    private func logDecay(_ steps: Tensor) throws -> Tensor {
        let own = try -(steps * aLog.exp())
        guard configuration.decayScale != 1 || configuration.retention != 1 else { return own }
        let extra = try Tensor.full([], configuration.retention, dtype: .float64).log().scalar()
        return try own.affine(configuration.decayScale, extra)
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
        return try Normalization(.rms, epsilon: norm.epsilon)(groups).joiningHeads() * norm.weight
    }

    /// Products for all positions, then linear attention with a scalar decay, chunk by chunk; with a bounded state,
    /// position by position.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        guard configuration.maxStateNorm == nil else { return try reference(x, state: &state) }
        try requireInput(x, state: state)
        let (z, mixed, dt) = try projected(x)
        let parts = try parts(conv(mixed, history: &state["conv"]), dt)
        let result = try LinearAttention(decay: .scalar, keepsIntermediates: parts.v.requiresGradient)([
            parts.c, parts.b, parts.v, state["ssm"], parts.logDecay,
        ])
        state["ssm"] = result[1]
        let o = try configuration.stateWindow.map { try withoutOld(result[0], parts, window: $0, state: &state) }
        state.advance(by: x.shape[1])
        return try outputs(o ?? result[0], parts, z: z)
    }

    /// One pass over S in place; a window or a bound of the state by the equations.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        guard configuration.changesRecurrence else { return try Stepper(self, batch: batch) }
        let isPlain = configuration.stateWindow == nil && configuration.maxStateNorm == nil
        let conv = try conv.makeStepper()
        return stepper(batch: batch) { x, state in
            let (z, mixed, dt) = try projected(x)
            let parts = try parts(conv(mixed, history: &state["conv"]), dt)
            guard isPlain else { return try outputs(position(parts, state: &state), parts, z: z) }
            let o = try LinearAttention(decay: .scalar).step(
                q: parts.c, k: parts.b, v: parts.v, g: parts.logDecay, state: &state["ssm"])
            return try outputs(o, parts, z: z)
        }
    }

    private struct Stepper: MixerStepper {
        let mixer: Mamba2
        var input: RowProduct
        let conv: CausalConvolutionStep
        var convolved = Tensor.empty
        var recurrence: StateSpaceDualStep
        var norm: RowNormalization?
        var output: RowProduct

        init(_ mixer: Mamba2, batch: Int) throws {
            self.mixer = mixer
            let configuration = mixer.configuration
            input = try mixer.input.makeStepper(rows: batch)
            conv = try mixer.conv.makeStepper()
            recurrence = try StateSpaceDualStep(
                a: -mixer.aLog.exp(), d: mixer.skip, timeStepBias: mixer.timeStepBias,
                timeStepLimits: configuration.timeStepMin...(configuration.timeStepMax ?? .infinity),
                groups: configuration.groups, stateSize: configuration.stateSize,
                headSize: mixer.norm.weight.shape[0] / mixer.aLog.shape[0], batch: batch)
            let isWhole = configuration.groups == 1 && configuration.gateBeforeNorm
            norm = try isWhole ? mixer.norm.makeStepper(rows: batch) : nil
            output = try mixer.output.makeStepper(rows: batch)
        }

        mutating func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
            try input(x)
            let (z, mixed, dt) = try mixer.divided(input.output)
            try conv(mixed, history: &state["conv"], into: &convolved)
            try convolved.update(.silu)
            let (inner, shared) = (z.shape[1], (mixed.shape[1] - z.shape[1]) / 2)
            let isGatedFirst = mixer.configuration.gateBeforeNorm
            try recurrence(
                x: convolved.channels(0..<inner), dt: dt, b: convolved.channels(inner..<inner + shared),
                c: convolved.channels(inner + shared..<inner + 2 * shared), gate: isGatedFirst ? z : nil,
                state: &state["ssm"])
            state.advance(by: 1)
            try norm?(recurrence.output)
            if let normalized = norm?.output {
                try output(normalized)
            } else {
                let normalized = try mixer.normalized(recurrence.output)
                try output(isGatedFirst ? normalized : normalized * z.silu())
            }
            return output.output
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let (z, mixed, dt) = try projected(x)
            let parts = try parts(conv.reference(mixed, history: &state["conv"]), dt)
            return try outputs(position(parts, state: &state), parts, z: z)
        }
    }

    /// exp(Δ A), one for each head; a bound of the state does not count.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try requireInput(x, state: state)
        let (_, mixed, dt) = try projected(x)
        var history = state["conv"]
        return try ComplexTensor(real: parts(conv(mixed, history: &history), dt).logDecay.exp())
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

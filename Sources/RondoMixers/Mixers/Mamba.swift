public import RondoNN
public import RondoTensor

/// Mamba: a selective state-space model, whose step size, input and output vectors depend on the position.
public struct Mamba: TransitionReporting {
    /// The shape of a Mamba layer.
    public struct Configuration: MixerConfiguration {
        /// States of each channel, N.
        public var stateSize = 16
        /// The inner width as a multiple of the model's.
        public var expand = 2
        /// Taps of the convolution before the scan.
        public var convWidth = 4
        /// The rank of the step size's map; a sixteenth of the model's width, rounded up, if `nil`.
        public var timeStepRank: Int?
        /// The range of the transition's eigenvalues.
        public var eigenvalues = EigenvalueRange.positive
        /// Whether the convolution has offsets.
        public var convBias = true
        /// Whether the input and output maps have offsets.
        public var bias = false
        /// Whether step size, B and C are normalised (root mean square), as in Falcon-Mamba.
        public var normalizesParameters = false
        /// Added to the mean square where they are normalised.
        public var parameterNormEpsilon = 1e-6

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            try requireValue((1...65_536).contains(stateSize), "state_size", stateSize, "from 1 to 65536")
            try requireValue((1...64).contains(expand), "expand", expand, "from 1 to 64")
            try requireValue((1...1024).contains(convWidth), "conv_width", convWidth, "from 1 to 1024")
            try requireValue(
                (1...1 << 20).contains(rank(dModel)), "time_step_rank", rank(dModel), "from 1 to 1048576")
            try requireValue(
                parameterNormEpsilon > 0 && parameterNormEpsilon < 1, "parameter_norm_epsilon", parameterNormEpsilon,
                "above 0 and below 1")
        }

        func rank(_ dModel: Int) -> Int { timeStepRank ?? (dModel + 15) / 16 }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "mamba", title: "Mamba", family: .vectorState,
        summary: "selective state space: step size, input and output vectors depend on the position",
        equations: """
            u, z = W_in x;  u = SiLU(conv(u))
            δ, B, C = W_x u;  Δ = softplus(W_Δ δ + b_Δ);  A = -exp(A_log)
            a[d, n] = exp(Δ[d] A[d, n])              (2 exp(Δ A) - 1 if eigenvalues are symmetric)
            h[d, n] = a[d, n] h⁻[d, n] + Δ[d] B[n] u[d]
            o[d] = Σ_n C[n] h[d, n] + D[d] u[d]
            y = W_out (o ⊙ SiLU(z))
            """,
        source: "Gu and Dao, Mamba: Linear-time sequence modeling with selective state spaces, 2023, algorithm 2",
        complexity: "sequence O(T E (D + N)); step O(E (D + N)); state E (N + conv_width - 1), E = expand D")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("default", dModel: 6),
        MixerExample("3 states, normalised", dModel: 5) {
            $0.stateSize = 3
            $0.timeStepRank = 2
            $0.convBias = false
            $0.bias = true
            $0.normalizesParameters = true
        },
        MixerExample("negative eigenvalues", dModel: 4) {
            $0.stateSize = 5
            $0.eigenvalues = .symmetric
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To u and z, `[2 E, D]`.
    public var input: Linear
    /// Before the scan.
    public var conv: ShortConvolution
    /// To δ, B and C, `[rank + 2 N, E]`.
    public var parameterMap: Linear
    /// To the step size, `[E, rank]` with offsets.
    public var timeStep: Linear
    /// log(-A), `[E, N]`.
    public var aLog: Tensor
    /// The direct path D, `[E]`.
    public var skip: Tensor
    /// Back, `[D, E]`.
    public var output: Linear

    /// Creates a mixer as the authors do: A from -1 to -N, step sizes between 0.001 and 0.1.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (inner, states, rank) = (configuration.expand * dModel, configuration.stateSize, configuration.rank(dModel))
        input = try Linear(
            inputSize: dModel, outputSize: 2 * inner, bias: configuration.bias, dtype: dtype, using: &generator)
        conv = try ShortConvolution(
            channels: inner, width: configuration.convWidth, bias: configuration.convBias, dtype: dtype,
            using: &generator)
        parameterMap = try Linear(
            inputSize: inner, outputSize: rank + 2 * states, bias: false, dtype: dtype, using: &generator)
        timeStep = try Linear(inputSize: rank, outputSize: inner, dtype: dtype, using: &generator)
        timeStep.bias = try TimeStep.bias(inner, dtype: dtype, using: &generator)
        let rows = try (Tensor.range(states, dtype: dtype) + 1).log()
        aLog = try rows.broadcast(to: [inner, states]).contiguous()
        skip = try Tensor.ones([inner], dtype: dtype)
        output = try Linear(
            inputSize: inner, outputSize: dModel, bias: configuration.bias, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let shape: Shape = [batch, aLog.shape[0], aLog.shape[1]]
        return MixerState(
            batch: batch,
            ["ssm": try Tensor.zeros(shape, dtype: aLog.dtype), "conv": try conv.initialHistory(batch: batch)])
    }

    private var isSymmetric: Bool { configuration.eigenvalues == .symmetric }

    /// Δ, B and C from u.
    private func parameters(_ u: Tensor) throws -> (dt: Tensor, b: Tensor, c: Tensor) {
        let (step, b, c) = try divided(parameterMap(u))
        return (try timeStep(step).softplus(), b, c)
    }

    /// δ, B and C, normalised if they are.
    private func divided(_ all: Tensor) throws -> (step: Tensor, b: Tensor, c: Tensor) {
        let (rank, states) = (timeStep.weight.shape[1], aLog.shape[1])
        func part(_ range: Range<Int>) throws -> Tensor {
            let part = try all.channels(range)
            guard configuration.normalizesParameters else { return part }
            return try Normalization(.rms, epsilon: configuration.parameterNormEpsilon)(part)
        }
        return try (part(0..<rank), part(rank..<rank + states), part(rank + states..<rank + 2 * states))
    }

    /// Products for all positions, then the scan.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let parts = try input(x).split(2, axis: -1)
        let u = try conv(parts[0], history: &state["conv"]).silu()
        let (dt, b, c) = try parameters(u)
        let scanned = try SelectiveScan(isSymmetric: isSymmetric)([u, dt, -aLog.exp(), b, c, skip, state["ssm"]])
        state["ssm"] = scanned[1]
        state.advance(by: x.shape[1])
        return try output(scanned[0] * parts[1].silu())
    }

    /// One pass over the states in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper { try Stepper(self, batch: batch) }

    private struct Stepper: MixerStepper {
        let mixer: Mamba
        var input: RowProduct
        let conv: CausalConvolutionStep
        var convolved = Tensor.empty
        var parameterMap: RowProduct
        var timeStep: RowProduct
        var scan: SelectiveScanStep
        var output: RowProduct

        init(_ mixer: Mamba, batch: Int) throws {
            self.mixer = mixer
            input = try mixer.input.makeStepper(rows: batch)
            conv = try mixer.conv.makeStepper()
            parameterMap = try mixer.parameterMap.makeStepper(rows: batch)
            timeStep = try mixer.timeStep.makeStepper(rows: batch)
            scan = try SelectiveScanStep(
                a: -mixer.aLog.exp(), d: mixer.skip, batch: batch, isSymmetric: mixer.isSymmetric,
                appliesSoftplus: true)
            output = try mixer.output.makeStepper(rows: batch)
        }

        mutating func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
            try input(x)
            let channels = mixer.skip.shape[0]
            try conv(input.output.channels(0..<channels), history: &state["conv"], into: &convolved)
            try convolved.update(.silu)
            try parameterMap(convolved)
            let (step, b, c) = try mixer.divided(parameterMap.output)
            try timeStep(step)
            try scan(
                x: convolved, dt: timeStep.output, b: b, c: c, gate: input.output.channels(channels..<2 * channels),
                state: &state["ssm"])
            state.advance(by: 1)
            try output(scan.output)
            return output.output
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let a = try -aLog.exp()
        return try scanning(x, state: &state) { x, state in
            let parts = try input(x).split(2, axis: -1)
            let u = try conv.reference(parts[0], history: &state["conv"]).silu()
            let (dt, b, c) = try parameters(u)
            let add = try (dt * u).expanded(at: 2) * b.expanded(at: 1)
            let positive = try (dt.expanded(at: 2) * a).exp()
            state["ssm"] = try (isSymmetric ? positive * 2 - 1 : positive) * state["ssm"] + add
            let o = try (state["ssm"] * c.expanded(at: 1)).sum([2]) + skip * u
            return try output(o * parts[1].silu())
        }
    }

    /// Both halves of the input map are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "input.weight" ? 2 : 1 }

    /// exp(Δ A), one for each channel and state.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try requireInput(x, state: state)
        var history = state["conv"]
        let u = try conv(input(x).split(2, axis: -1)[0], history: &history).silu()
        let decay = try (parameters(u).dt.expanded(at: 3) * -aLog.exp()).exp()
        return try ComplexTensor(real: decay.reshaped([x.shape[0], x.shape[1], -1]))
    }

    /// Visits `input`, `conv`, `parameters`, `time_step`, `a_log`, `skip` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try conv.forEachParameter(under: "conv", visit)
        try parameterMap.forEachParameter(under: "parameters", visit)
        try timeStep.forEachParameter(under: "time_step", visit)
        try visit("a_log", &aLog)
        try visit("skip", &skip)
        try output.forEachParameter(under: "output", visit)
    }
}

public import RondoNN
public import RondoTensor

/// The gated state space: a narrow diagonal state space inside a gated unit.
public struct GSS: SequenceMixer {
    /// The shape of a GSS layer.
    public struct Configuration: MixerConfiguration {
        /// Complex states of each channel, N.
        public var stateSize = 128
        /// The width E of the state space; a quarter of the model's, rounded up, if `nil`.
        public var stateWidth: Int?
        /// The width F of the gate as a multiple of the model's.
        public var gateExpansion = 4

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            try requireValue((1...65_536).contains(stateSize), "state_size", stateSize, "from 1 to 65536")
            let width = width(dModel)
            try requireValue((1...1 << 20).contains(width), "state_width", width, "from 1 to 1048576")
            try requireValue((1...64).contains(gateExpansion), "gate_expansion", gateExpansion, "from 1 to 64")
        }

        func width(_ dModel: Int) -> Int { stateWidth ?? (dModel + 3) / 4 }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "gss", title: "GSS", family: .vectorState,
        summary: "gated state space: a narrow diagonal state space inside a gated unit",
        equations: """
            u = GELU(W₁ x), v = GELU(W₂ x)
            Λ = -exp(ρ) + i exp(ω)                 complex, N states that all channels share; step size 1
            s = exp(Λ) ⊙ s⁻ + u                    for each of E channels
            z = Re(Σ_n C (exp(Λ) - 1) / Λ ⊙ s) + d ⊙ u
            y = W₄ ((W₃ z) ⊙ v)
            """,
        source: "Mehta, Gupta, Cutkosky and Neyshabur, Long range language modeling via gated state spaces, 2022",
        complexity: "sequence O(T D (E + F) + T E (N + 32)); step O(D F + E N); state 2 E N",
        notes:
            "The state space is the exponential form of DSS (Gupta et al., 2022) with step size 1 and random eigenvalues; "
            + "a state does not stand for its conjugate, so there is no factor 2.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("default width", dModel: 5) { $0.stateSize = 6 },
        MixerExample("wide state, narrow gate", dModel: 3) {
            $0.stateSize = 3
            $0.stateWidth = 4
            $0.gateExpansion = 1
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// W₁ above W₂, `[E + F, D]`.
    public var input: Linear
    /// ln(-Re Λ), `[N]`.
    public var logDecay: Tensor
    /// ln Im Λ, `[N]`.
    public var logFrequency: Tensor
    /// C, `[2, E, N]`.
    public var readout: Tensor
    /// The direct path d, `[E]`.
    public var skip: Tensor
    /// W₃, `[F, E]`.
    public var up: Linear
    /// W₄, `[D, F]`.
    public var output: Linear

    /// Creates a mixer with random eigenvalues.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (size, width) = (configuration.stateSize, configuration.width(dModel))
        let gateWidth = configuration.gateExpansion * dModel
        input = try Linear(
            inputSize: dModel, outputSize: width + gateWidth, bias: false, dtype: dtype, using: &generator)
        logDecay = try generator.normal([size], dtype: dtype)
        logFrequency = try generator.normal([size], dtype: dtype)
        readout = try generator.normal([2, width, size], deviation: 1 / Double(size).squareRoot(), dtype: dtype)
        skip = try generator.normal([width], dtype: dtype)
        up = try Linear(inputSize: width, outputSize: gateWidth, bias: false, dtype: dtype, using: &generator)
        output = try Linear(inputSize: gateWidth, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let zeros = try Tensor.zeros([batch, skip.shape[0], logDecay.shape[0]], dtype: skip.dtype)
        return MixerState(batch: batch, ["real": zeros, "imaginary": zeros])
    }

    /// The recurrence of every channel.
    private func system() throws -> DiagonalSystem {
        let eigenvalues = ComplexTensor(try -logDecay.exp(), try logFrequency.exp())
        let shape: Shape = [skip.shape[0], logDecay.shape[0]]
        let lambda = try eigenvalues.exp().mapped { try $0.broadcast(to: shape).contiguous() }
        let one = try Tensor.ones(shape, dtype: skip.dtype)
        return DiagonalSystem(
            lambda: lambda, input: ComplexTensor(one, try Tensor.zeros(shape, dtype: skip.dtype)),
            readout: try ComplexTensor(parts: readout) * (eigenvalues.expMinusOne() / eigenvalues), factor: 1)
    }

    /// What the state space reads, and the gate.
    private func branches(_ x: Tensor) throws -> (inner: Tensor, gate: Tensor) {
        let all = try input(x).gelu()
        let width = skip.shape[0]
        return (try all.channels(0..<width), try all.channels(width..<input.weight.shape[0]))
    }

    /// Blocks of the convolution, joined by their states.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let (u, gate) = try branches(x)
        var states = ComplexTensor(state[0], state[1])
        let z = try system()(u.contiguous(), state: &states) + skip * u
        (state[0], state[1]) = (states.real, states.imaginary)
        state.advance(by: x.shape[1])
        return try output(up(z) * gate)
    }

    /// Steps with the dynamics made discrete once.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let system = try system()
        let space = try DiagonalSpaceStep(lambda: system.lambda, input: nil, readout: system.readout, skip: skip)
        return stepper(batch: batch) { x, state in
            let (u, gate) = try branches(x)
            return try output(up(state.updatingLeaves { try space(u, states: &$0) }) * gate)
        }
    }

    /// The recurrence, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let system = try system()
        return try scanning(x, state: &state) { x, state in
            let (u, gate) = try branches(x)
            let turned = try system.lambda * ComplexTensor(state[0], state[1])
            let s = ComplexTensor(try turned.real + u.expanded(at: 2), turned.imaginary)
            (state[0], state[1]) = (s.real, s.imaginary)
            return try output(up((system.readout * s).real.sum([-1]) + skip * u) * gate)
        }
    }

    /// Visits `input`, `log_decay`, `log_frequency`, `readout`, `skip`, `up` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try visit("log_decay", &logDecay)
        try visit("log_frequency", &logFrequency)
        try visit("readout", &readout)
        try visit("skip", &skip)
        try up.forEachParameter(under: "up", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

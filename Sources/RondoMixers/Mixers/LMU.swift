public import RondoNN
public import RondoTensor

/// The parallel Legendre memory unit: a fixed memory of one signal over a sliding window.
public struct LMU: SequenceMixer {
    /// The shape of an LMU layer.
    public struct Configuration: MixerConfiguration {
        /// The order of the memory: how many Legendre coefficients are kept; the model's width if `nil`.
        public var memorySize: Int?
        /// The window θ in positions.
        public var theta = 128.0
        /// What the signal passes through before it is remembered.
        public var signalActivation = LMUActivation.relu
        /// What the output passes through.
        public var hiddenActivation = LMUActivation.relu
        /// Whether signal, memory and output pass through spiking neurons instead.
        public var spiking = false

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built, and activations of a spiking layer.
        public func validate(dModel: Int) throws {
            let size = memorySize ?? dModel
            try requireValue((1...1024).contains(size), "memory_size", size, "from 1 to 1024")
            try requireValue(theta >= 1 && theta <= 1e7, "theta", theta, "from 1 to 1e7")
            for (key, activation) in [("signal_activation", signalActivation), ("hidden_activation", hiddenActivation)]
            where spiking {
                try requireValue(
                    activation == .relu, key, activation.rawValue, "left as it is with spiking, which replaces it")
            }
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "lmu", title: "LMU", family: .vectorState,
        summary:
            "Legendre memory unit without feedback: the coefficients of a sliding window of one signal; also spiking",
        equations: """
            u = f_u(w_u · x + b_u)                 one number
            m = Ā m⁻ + B̄ u                         Ā = exp(A), B̄ = A⁻¹ (Ā - I) B, fixed
            y = f_h(W_h [m; x] + b_h)
            A_ij = (2 i + 1) / θ (-1 if i < j, else (-1)^(i - j + 1)),  B_i = (2 i + 1) (-1)^i / θ
            spiking: u = LIF(w_u · x + b_u),  n = LIF(α ⊙ m + β),  y = LIF(W_h [n; x] + b_h)
            LIF(z): h = v⁻ + (z - v⁻) / 2, s = [h ≥ 1], v = (1 - s) h; ds/dh := 4 σ'(4 (h - 1)), resets constant
            """,
        source:
            "Chilkuri and Eliasmith, Parallelizing Legendre memory unit training, 2021; Liu et al., LMUFormer, 2024",
        complexity:
            "sequence O(T d (d + D)); step O(d (d + D)); state d, the memory's order (spiking: 2 d + D + 1)",
        notes:
            "u(t - r θ) is about Σ_i P_i(2 r - 1) m_i. Voelker's LMU of 2019 also feeds memory and output back. The "
            + "batch norms of spiking LMUFormer are in the form of inference, so that rows do not see each other: those "
            + "of u and y are part of w_u and W_h, that of m is α and β, which begin as for spikes at random, one in 16 "
            + "positions. The official step form of its spiking cell leaves out the neurons of m; here all forms are "
            + "the equations. Derivatives are those of the surrogate.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("default", dModel: 5) { $0.theta = 12 },
        MixerExample("memory of 7, tanh", dModel: 3) {
            $0.memorySize = 7
            $0.theta = 40.5
            $0.signalActivation = .linear
            $0.hiddenActivation = .tanh
        },
        MixerExample("one coefficient, gelu", dModel: 2) {
            $0.memorySize = 1
            $0.signalActivation = .tanh
            $0.hiddenActivation = .gelu
        },
        MixerExample("spiking", dModel: 5) {
            $0.memorySize = 3
            $0.theta = 12
            $0.spiking = true
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// Ā, `[1, d, d]`.
    public let matrix: FixedTensor
    /// B̄, `[1, d]`.
    public let entry: FixedTensor
    /// To the signal, `[1, D]`.
    public var signal: Linear
    /// To the output, `[D, d + D]`.
    public var hidden: Linear
    /// α, then β, what the neurons of the memory read of it, `[2, d]`, if they spike.
    public var memoryNorm: Tensor?

    /// Creates a mixer with the weights of ``Linear``.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let size = configuration.memorySize ?? dModel
        let known = generator.isOutline ? 0 : size
        let (a, b) = HiPPO.legT(known, isBalanced: false)
        // One exponential gives both: exp [[A, B], [0, 0]] = [[Ā, B̄], [0, 1]].
        let both = DoubleMatrix(known + 1, known + 1) { i, j in
            i == known ? 0 : (j == known ? b[i, 0] : a[i, j]) / configuration.theta
        }.exponential()
        matrix = FixedTensor(try DoubleMatrix(known, known) { both[$0, $1] }.tensor(dtype).expanded(at: 0))
        entry = FixedTensor(try DoubleMatrix(1, known) { both[$1, known] }.tensor(dtype))
        signal = try Linear(inputSize: dModel, outputSize: 1, dtype: dtype, using: &generator)
        hidden = try Linear(inputSize: size + dModel, outputSize: dModel, dtype: dtype, using: &generator)
        if configuration.spiking { try beginSpiking(size, dtype) }
    }

    /// What normalises what neurons read, for inputs of variance 1 and spikes of rate 1/16.
    ///
    /// The coefficient i of signals without memory and of variance p (1 - p), about p, has the variance
    /// (2 i + 1) / θ · p; the mean of the first is p, that of the others 0.
    private mutating func beginSpiking(_ size: Int, _ dtype: DType) throws {
        let rate = 1.0 / 16
        let scales = (0..<size).map { (configuration.theta / (rate * Double(2 * $0 + 1))).squareRoot() }
        let shifts = (0..<size).map { $0 == 0 ? -rate * scales[0] : 0 }
        memoryNorm = try Tensor(scales + shifts, shape: [2, size]).cast(to: dtype)
        // Those of `Linear` have a variance of a third over the inputs.
        signal.weight = try signal.weight * 3.0.squareRoot()
        hidden.weight = try hidden.weight * 3.0.squareRoot()
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let dtype = entry.tensor.dtype
        let memory = try Tensor.zeros([batch, entry.tensor.shape[1]], dtype: dtype)
        guard configuration.spiking else { return MixerState(batch: batch, ["m": memory]) }
        return MixerState(
            batch: batch,
            [
                "m": memory, "signal_potential": try Tensor.zeros([batch, 1], dtype: dtype),
                "memory_potential": memory, "hidden_potential": try Tensor.zeros([batch, dModel], dtype: dtype),
            ])
    }

    /// Outputs jump where potentials reach the threshold.
    public var hasThresholds: Bool { configuration.spiking }

    /// The memory as one system whose outputs are its states.
    private func system() throws -> DenseSystem {
        let identity = try Tensor.identity(entry.tensor.shape[1], dtype: entry.tensor.dtype)
        return DenseSystem(matrix: matrix.tensor, input: entry.tensor, readout: try identity.expanded(at: 0))
    }

    /// Spikes of neurons that read z, `[batch, time, n]` or one position `[batch, n]`, and whose potentials are a leaf.
    private func spikes(
        _ z: Tensor, _ leaf: String, _ state: inout MixerState, _ mode: FusedMode
    ) throws -> Tensor {
        let isPosition = z.rank == 2
        let fired = try LeakyIntegrateAndFire()([isPosition ? z.expanded(at: 1) : z, state[leaf]], mode: mode)
        state[leaf] = fired[1]
        return try isPosition ? fired[0].squeezed(1) : fired[0]
    }

    /// u.
    private func signal(_ x: Tensor, _ state: inout MixerState, _ mode: FusedMode = .kernel) throws -> Tensor {
        let z = try signal(x)
        return try configuration.spiking
            ? spikes(z, "signal_potential", &state, mode) : configuration.signalActivation(z)
    }

    /// y.
    private func output(
        _ memory: Tensor, _ x: Tensor, _ state: inout MixerState, _ mode: FusedMode = .kernel
    ) throws -> Tensor {
        guard let memoryNorm else {
            return try configuration.hiddenActivation(hidden(Tensor.concatenate([memory, x], axis: -1)))
        }
        let normed = try memory * memoryNorm.selecting(0, 0) + memoryNorm.selecting(0, 1)
        let seen = try spikes(normed, "memory_potential", &state, mode)
        return try spikes(hidden(Tensor.concatenate([seen, x], axis: -1)), "hidden_potential", &state, mode)
    }

    /// Blocks of the convolution, joined by their states.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let u = try signal(x, &state)
        var memory = try state[0].expanded(at: 1)
        let memories = try system()(u, state: &memory).squeezed(2)
        state[0] = try memory.squeezed(1)
        state.advance(by: x.shape[1])
        return try output(memories, x, &state)
    }

    /// One product with Ā.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let transition = try matrix.tensor.squeezed(0).transposed().contiguous()
        return stepper(batch: batch) { x, state in
            let u = try signal(x, &state)
            state[0] = try state[0].matmul(transition) + u * entry.tensor
            return try output(state[0], x, &state)
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let transition = try matrix.tensor.squeezed(0).transposed()
        return try scanning(x, state: &state) { x, state in
            let u = try signal(x, &state, .reference)
            state[0] = try state[0].matmul(transition) + u * entry.tensor
            return try output(state[0], x, &state, .reference)
        }
    }

    /// Visits `signal`, `hidden` and `memory_norm`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try signal.forEachParameter(under: "signal", visit)
        try hidden.forEachParameter(under: "hidden", visit)
        try memoryNorm.visit("memory_norm", visit)
    }
}

/// What the signal or the output of a Legendre memory unit passes through.
public enum LMUActivation: String, Codable, Sendable, CaseIterable {
    /// Nothing.
    case linear
    /// The positive part.
    case relu
    /// The hyperbolic tangent.
    case tanh
    /// The Gaussian error linear unit.
    case gelu

    /// Applies it.
    func callAsFunction(_ x: Tensor) throws -> Tensor {
        switch self {
        case .linear: x
        case .relu: try x.relu()
        case .tanh: try x.tanh()
        case .gelu: try x.gelu()
        }
    }
}

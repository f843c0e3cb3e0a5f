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

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            let size = memorySize ?? dModel
            try requireValue((1...1024).contains(size), "memory_size", size, "from 1 to 1024")
            try requireValue(theta >= 1 && theta <= 1e7, "theta", theta, "from 1 to 1e7")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "lmu", title: "LMU", family: .vectorState,
        summary: "Legendre memory unit without feedback: the coefficients of a sliding window of one signal",
        equations: """
            u = f_u(w_u · x + b_u)                 one number
            m = Ā m⁻ + B̄ u                         Ā = exp(A), B̄ = A⁻¹ (Ā - I) B, fixed
            y = f_h(W_h [m; x] + b_h)
            A_ij = (2 i + 1) / θ (-1 if i < j, else (-1)^(i - j + 1)),  B_i = (2 i + 1) (-1)^i / θ
            """,
        source:
            "Chilkuri and Eliasmith, Parallelizing Legendre memory unit training, 2021; Liu et al., LMUFormer, 2024",
        complexity: "sequence O(T d (d + D)); step O(d (d + D)); state d, the memory's order",
        notes: "u(t - r θ) is about Σ_i P_i(2 r - 1) m_i. Voelker's LMU of 2019 also feeds memory and output back.")

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
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        MixerState(batch: batch, ["m": try Tensor.zeros([batch, entry.tensor.shape[1]], dtype: entry.tensor.dtype)])
    }

    /// The memory as one system whose outputs are its states.
    private func system() throws -> DenseSystem {
        let identity = try Tensor.identity(entry.tensor.shape[1], dtype: entry.tensor.dtype)
        return DenseSystem(matrix: matrix.tensor, input: entry.tensor, readout: try identity.expanded(at: 0))
    }

    private func output(_ memory: Tensor, _ x: Tensor) throws -> Tensor {
        try configuration.hiddenActivation(hidden(Tensor.concatenate([memory, x], axis: -1)))
    }

    /// Blocks of the convolution, joined by their states.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let u = try configuration.signalActivation(signal(x))
        var memory = try state[0].expanded(at: 1)
        let memories = try system()(u, state: &memory).squeezed(2)
        state[0] = try memory.squeezed(1)
        state.advance(by: x.shape[1])
        return try output(memories, x)
    }

    /// One product with Ā.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let transition = try matrix.tensor.squeezed(0).transposed().contiguous()
        return stepper(batch: batch) { x, state in
            let u = try configuration.signalActivation(signal(x))
            state[0] = try state[0].matmul(transition) + u * entry.tensor
            return try output(state[0], x)
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let transition = try matrix.tensor.squeezed(0).transposed()
        return try scanning(x, state: &state) { x, state in
            let u = try configuration.signalActivation(signal(x))
            state[0] = try state[0].matmul(transition) + u * entry.tensor
            return try output(state[0], x)
        }
    }

    /// Visits `signal` and `hidden`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try signal.forEachParameter(under: "signal", visit)
        try hidden.forEachParameter(under: "hidden", visit)
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

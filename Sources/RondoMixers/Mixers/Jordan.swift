public import RondoNN
public import RondoTensor

/// The Jordan network: its own output, not its hidden layer, is fed back.
public struct Jordan: SequenceMixer {
    /// The shape of a Jordan layer.
    public struct Configuration: MixerConfiguration {
        /// A nonlinearity.
        public enum Activation: String, Codable, Sendable, CaseIterable {
            /// Between 0 and 1, as in the original.
            case sigmoid
            /// Between -1 and 1.
            case tanh
            /// Max(x, 0).
            case relu
            /// None.
            case identity

            func callAsFunction(_ x: Tensor) throws -> Tensor {
                switch self {
                case .sigmoid: try x.sigmoid()
                case .tanh: try x.tanh()
                case .relu: try x.relu()
                case .identity: x
                }
            }
        }

        /// The width of the hidden layer, the model's if `nil`.
        public var hiddenSize: Int?
        /// How much of the context units stays from one position to the next, α.
        public var decay = 0.0
        /// The nonlinearity of the hidden layer.
        public var activation = Activation.sigmoid
        /// The nonlinearity of the output, g; what is fed back is the output after it, so a bounded one keeps the loop
        /// bounded.
        public var outputActivation = Activation.tanh

        /// Creates the defaults.
        public init() {}

        /// Refuses widths and decays that cannot be built.
        public func validate(dModel: Int) throws {
            let width = hiddenSize ?? dModel
            try requireValue((1...1 << 20).contains(width), "hidden_size", width, "from 1 to 1048576")
            try requireValue((0..<1).contains(decay), "decay", decay, "from 0 to below 1")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "jordan", title: "Jordan", family: .nonlinear,
        summary: "Jordan network: context units are fed by the output",
        equations: """
            u = α u⁻ + y⁻                   (context units)
            h = σ(W x + U u + b)
            y = g(V h + c)
            """,
        source: "Jordan, Serial order: a parallel distributed processing approach, 1986",
        complexity: "sequence O(T D²) sequential in T; step O(D²); state D",
        notes: "As a layer of a model, what is fed back is the layer's own output y, before the residual connection. "
            + "The state holds α u + y, which is the context of the next position.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("plain", dModel: 5),
        MixerExample("leaky context, wider", dModel: 3) {
            $0.decay = 0.7
            $0.hiddenSize = 7
            $0.activation = .tanh
        },
        MixerExample("relu, linear output", dModel: 4) {
            $0.activation = .relu
            $0.outputActivation = .identity
            $0.decay = 0.25
        },
        MixerExample("sigmoid output", dModel: 4) {
            $0.activation = .identity
            $0.outputActivation = .sigmoid
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// W and b, `[hidden, D]`.
    public var input: Linear
    /// U, `[hidden, D]`.
    public var context: Linear
    /// V and c, `[D, hidden]`.
    public var output: Linear

    /// Creates a mixer with maps from U(±1/√inputs).
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let width = configuration.hiddenSize ?? dModel
        input = try Linear(inputSize: dModel, outputSize: width, dtype: dtype, using: &generator)
        context = try Linear(inputSize: dModel, outputSize: width, bias: false, dtype: dtype, using: &generator)
        output = try Linear(inputSize: width, outputSize: dModel, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let dtype = input.weight.dtype.computationType
        return MixerState(batch: batch, ["context": try Tensor.zeros([batch, dModel], dtype: dtype)])
    }

    /// One product for all inputs, then position by position.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        guard x.shape[1] > 0 else { return x }
        let projected = try input(x)
        let outputs = try (0..<x.shape[1]).map { time in
            try advance(projected.selecting(1, time), &state)
        }
        state.advance(by: x.shape[1])
        return try Tensor.stack(outputs, axis: 1)
    }

    /// The equations.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let u = state["context"]
            let h = try configuration.activation(input(x) + context(u))
            let y = try configuration.outputActivation(output(h))
            state["context"] = try u * configuration.decay + y
            return y
        }
    }

    /// One position whose input has been projected.
    private func advance(_ projected: Tensor, _ state: inout MixerState) throws -> Tensor {
        let hidden = try configuration.activation(projected + context(state["context"]))
        let y = try configuration.outputActivation(output(hidden))
        state["context"] = try configuration.decay == 0 ? y : state["context"] * configuration.decay + y
        return y
    }

    /// Reads a piece with teacher forcing: the context is fed by the targets instead of the outputs.
    ///
    /// Positions no longer wait for each other, so all are computed at once, and no derivative flows through time.
    /// With its own outputs as targets this is ``chunk(_:state:)``.
    ///
    /// - Parameters:
    ///   - x: `[batch, time, dModel]`.
    ///   - targets: What the outputs should have been, `[batch, time, dModel]`.
    ///   - state: The state before; becomes the one after, also fed by the targets.
    /// - Returns: The outputs, `[batch, time, dModel]`.
    /// - Throws: `RondoError` when shapes do not fit.
    public func teacherForced(_ x: Tensor, targets: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        guard targets.shape == x.shape else {
            throw RondoError(
                .shapeMismatch, "jordan: targets need the shape of the input, \(x.shape); got \(targets.shape)")
        }
        guard x.shape[1] > 0 else { return x }
        let decay = try Tensor.full([dModel], configuration.decay, dtype: targets.dtype)
        let scanned = try DiagonalScan()([decay, targets, state["context"]])
        let before = try Tensor.concatenate(
            [state["context"].expanded(at: 1), scanned[0].sliced(1, 0..<x.shape[1] - 1)], axis: 1)
        state["context"] = scanned[1]
        state.advance(by: x.shape[1])
        return try configuration.outputActivation(output(configuration.activation(input(x) + context(before))))
    }

    /// Visits `input`, `context` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try context.forEachParameter(under: "context", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

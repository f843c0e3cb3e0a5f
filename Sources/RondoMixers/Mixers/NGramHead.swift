public import RondoNN
public import RondoTensor

/// An n-gram head: attends to what followed earlier occurrences of the last tokens.
public struct NGramHead: ValueSharingMixer {
    /// The shape of an n-gram head.
    public struct Configuration: MixerConfiguration {
        /// The number of last tokens that must occur again.
        public var order = 1

        /// Creates the defaults.
        public init() {}

        /// Refuses orders that make no sense.
        public func validate(dModel: Int) throws {
            try requireValue((1...64).contains(order), "order", order, "from 1 to 64")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "ngram_head", title: "N-gram head", family: .attention,
        summary: "the mean of what followed earlier occurrences of the last tokens: attention without parameters",
        equations: """
            M = { j < t : s_{j-1-k} = s_{t-k} for k = 0 ... order - 1 }     (s: the tokens)
            o = 1/|M| Σ_{j ∈ M} x_j                                        (0 if M is empty)
            y = W_0 o + b_0 + W_1 x + b_1
            """,
        source: "Akyürek et al., In-Context Language Learning, 2024",
        complexity: "sequence O(T D²) products and sums O(T D); step O(t + |M| D + D²); state D + 1 a position",
        stateGrowth: .linear, needsEqualPositions: true,
        notes:
            "In a language model s are its tokens. Where no tokens are known, as alone, s is the number of the largest "
            + "channel of x. Matches reach over the borders of strings that separators mark. The state holds all inputs "
            + "and tokens, so that it is exact for any vocabulary and order.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("last token", dModel: 5),
        MixerExample("last two tokens", dModel: 3) { $0.order = 2 },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// W_0, b_0: of what followed, `[D, D]`.
    public var following: Linear
    /// W_1, b_1: of the present, `[D, D]`.
    public var present: Linear

    /// Creates a mixer with the weights of ``Linear``.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        following = try Linear(inputSize: dModel, outputSize: dModel, dtype: dtype, using: &generator)
        present = try Linear(inputSize: dModel, outputSize: dModel, dtype: dtype, using: &generator)
    }

    /// Nothing read.
    public func initialState(batch: Int) throws -> MixerState {
        let dtype = following.weight.dtype.computationType
        return MixerState(
            batch: batch, [:],
            growing: [
                "values": try Tensor.zeros([batch, 0, dModel], dtype: dtype),
                "symbols": try Tensor.zeros([batch, 0], dtype: dtype),
            ])
    }

    /// Running sums for every n-gram.
    public func chunk(_ x: Tensor, state: inout MixerState, shared: inout SharedValues) throws -> Tensor {
        try run(x, state: &state, tokens: shared.tokens, mode: .kernel)
    }

    /// Position by position, with the places that match.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(x, state: &state, tokens: nil, mode: .reference)
    }

    private func run(
        _ x: Tensor, state: inout MixerState, tokens: Tensor?, mode: FusedMode
    ) throws -> Tensor {
        try requireInput(x, state: state)
        _ = try state.sharedPosition()
        state["values"] = try Tensor.concatenate([state["values"], x], axis: 1)
        state["symbols"] = try Tensor.concatenate([state["symbols"], symbols(x, tokens)], axis: 1)
        state.advance(by: x.shape[1])
        return try mix(x, state, time: x.shape[1], mode: mode)
    }

    /// The tokens, or the numbers of the largest channels.
    private func symbols(_ x: Tensor, _ tokens: Tensor?) throws -> Tensor {
        try (tokens ?? x.detached().argmax()).cast(to: x.dtype)
    }

    private func mix(_ x: Tensor, _ state: MixerState, time: Int, mode: FusedMode = .kernel) throws -> Tensor {
        let operation = NGramMean(order: configuration.order, time: time)
        let means = try operation([state["values"], state["symbols"]], mode: mode)[0]
        return try following(means.reshaped(x.shape)) + present(x)
    }

    /// Inputs and tokens are added in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        sharingStepper(batch: batch) { x, state, shared in
            _ = try state.sharedPosition()
            try state["values"].append(x.expanded(at: 1))
            try state["symbols"].append(symbols(x, shared.tokens).expanded(at: 1))
            return try mix(x, state, time: 1)
        }
    }

    /// Visits `following` and `present`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try following.forEachParameter(under: "following", visit)
        try present.forEachParameter(under: "present", visit)
    }
}

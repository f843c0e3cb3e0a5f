public import RondoNN
public import RondoTensor

/// The minimal LSTM: two gates, made to add up to one, that see the input alone, so that the recurrence is a scan.
public struct MinLSTM: SequenceMixer {
    /// The shape of a minimal LSTM.
    public struct Configuration: MixerConfiguration {
        /// The width of the state as a multiple of the model's.
        public var expansion = 1.0
        /// What the candidate passes through.
        public var candidate = CandidateActivation.linear

        /// Creates the defaults.
        public init() {}

        /// Refuses widths that cannot be built.
        public func validate(dModel: Int) throws {
            try requireValue(expansion > 0 && expansion <= 64, "expansion", expansion, "above 0 and at most 64")
        }

        func width(_ dModel: Int) -> Int { max(1, Int((expansion * Double(dModel)).rounded())) }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "min_lstm", title: "minLSTM", family: .vectorState,
        summary: "minimal LSTM: forget and input gate see the input alone and add up to one",
        equations: """
            f = σ(W_f x + b_f), i = σ(W_i x + b_i)
            h̃ = φ(W_h x + b_h)        φ: identity, or x + 1/2 for x ≥ 0 and σ(x) below (positive)
            h = f / (f + i) ⊙ h⁻ + i / (f + i) ⊙ h̃
            y = W_o h
            """,
        source: "Feng et al., Were RNNs all we needed?, 2024, section 3.2",
        complexity: "sequence O(T D²) products and a scan O(T D); step O(D²); state E D")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("identity", dModel: 5),
        MixerExample("positive, wider", dModel: 3) {
            $0.candidate = .positive
            $0.expansion = 2
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To the gates f and i and the candidate, `[3 E D, D]`.
    public var input: Linear
    /// Back, `[D, E D]`.
    public var output: Linear

    /// Creates a mixer with the weights of ``Linear``.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let width = configuration.width(dModel)
        input = try Linear(inputSize: dModel, outputSize: 3 * width, dtype: dtype, using: &generator)
        output = try Linear(inputSize: width, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        MixerState(batch: batch, ["h": try Tensor.zeros([batch, output.weight.shape[1]], dtype: output.weight.dtype)])
    }

    /// What stays of the state, and what is added.
    private func gates(_ x: Tensor) throws -> (keep: Tensor, add: Tensor) {
        let parts = try input(x).split(3, axis: -1)
        let keep = try (parts[0].logSigmoid() - parts[1].logSigmoid()).sigmoid()  // f / (f + i), also where both vanish
        return (keep, try (1 - keep) * configuration.candidate(parts[2]))
    }

    /// One product for all positions, then a scan.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let (keep, add) = try gates(x)
        let scanned = try DiagonalScan()([keep, add, state["h"]])
        state["h"] = scanned[1]
        state.advance(by: x.shape[1])
        return try output(scanned[0])
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let (keep, add) = try gates(x)
            state["h"] = try keep * state["h"] + add
            return try output(state["h"])
        }
    }

    /// Gates and candidate are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "input.weight" ? 3 : 1 }

    /// Visits `input` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

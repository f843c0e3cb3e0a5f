public import RondoNN
public import RondoTensor

/// Linear attention: a feature map instead of the softmax, so that keys and values add up to a matrix.
public struct LinearAttentionMixer: SequenceMixer {
    /// What queries and keys pass through.
    public enum FeatureMap: String, Codable, Sendable, CaseIterable {
        /// ELU plus 1: positive.
        case elu
        /// ReLU.
        case relu
        /// Nothing.
        case identity
    }

    /// The shape of a linear attention layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads.
        public var heads = 4
        /// What queries and keys pass through.
        public var featureMap = FeatureMap.elu
        /// Whether outputs are divided by the sum of weights, as softmax attention does; else each head is normalised
        /// (root mean square).
        public var normalizesWeights = true

        /// Creates the defaults.
        public init() {}

        /// Refuses heads that do not divide the width.
        public func validate(dModel: Int) throws {
            try requireValue(
                heads >= 1 && dModel % heads == 0, "heads", heads, "a divisor of d_model, which is \(dModel)")
            try requireValue(
                !normalizesWeights || featureMap != .identity, "feature_map", "identity",
                "elu or relu with normalizes_weights, which needs positive weights")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "linear_attention", title: "Linear attention", family: .matrixState,
        summary: "attention without softmax: keys and values add up to a matrix",
        equations: """
            q, k, v = φ(W_q x), φ(W_k x), W_v x      (in heads; φ: elu + 1, relu or nothing)
            S = S⁻ + k vᵀ,  z = z⁻ + k
            o = Sᵀ q / max(z · q, ε)                 (or RMSNorm(Sᵀ q / √d))
            y = W_o o
            """,
        source: "Katharopoulos et al., Transformers are RNNs, 2020",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state D²/H (+ D)")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("elu", dModel: 6) { $0.heads = 2 },
        MixerExample("relu, one head", dModel: 5) {
            $0.heads = 1
            $0.featureMap = .relu
        },
        MixerExample("identity, head norms", dModel: 6) {
            $0.heads = 3
            $0.featureMap = .identity
            $0.normalizesWeights = false
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To queries, keys and values, `[3 D, D]`.
    public var input: Linear
    var norm: HeadNorm?
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
        norm =
            try configuration.normalizesWeights
            ? nil : HeadNorm(.rms, heads: configuration.heads, width: dModel / configuration.heads, dtype: dtype)
        output = try Linear(inputSize: dModel, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// Zeros; the sum of keys z is a last column of S.
    public func initialState(batch: Int) throws -> MixerState {
        let width = dModel / configuration.heads
        let shape: Shape = [batch, configuration.heads, width, width + (configuration.normalizesWeights ? 1 : 0)]
        return MixerState(batch: batch, ["s": try Tensor.zeros(shape, dtype: input.weight.dtype.computationType)])
    }

    /// Queries, keys and values `[..., H, width]`; values with a column of ones if weights are normalised.
    private func projected(_ x: Tensor) throws -> (q: Tensor, k: Tensor, v: Tensor) {
        let parts = try input(x).split(3, axis: -1).map { try $0.splittingHeads(configuration.heads) }
        let scale = 1 / Double(dModel / configuration.heads).squareRoot()
        let (q, k) = (try feature(parts[0]) * scale, try feature(parts[1]))
        guard configuration.normalizesWeights else { return (q, k, parts[2]) }
        let ones = try Tensor.ones(Shape(parts[2].shape.dropLast()) + [1], dtype: x.dtype)
        return (q, k, try Tensor.concatenate([parts[2], ones], axis: -1))
    }

    private func feature(_ x: Tensor) throws -> Tensor {
        switch configuration.featureMap {
        case .elu: try x.relu() + x.clamped(-.infinity, 0).exp()
        case .relu: try x.relu()
        case .identity: x
        }
    }

    private func outputs(_ o: Tensor) throws -> Tensor {
        if let norm { return try output(norm(o).joiningHeads()) }
        let width = dModel / configuration.heads
        let weights = try o.channels(width..<width + 1).maximum(Tensor.full([], 1e-6, dtype: o.dtype))
        return try output((o.channels(0..<width) / weights).joiningHeads())
    }

    /// Chunk by chunk as products of matrices.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let (q, k, v) = try projected(x)
        let result = try LinearAttention(keepsIntermediates: v.requiresGradient)([q, k, v, state["s"]])
        state["s"] = result[1]
        state.advance(by: x.shape[1])
        return try outputs(result[0])
    }

    /// One pass over S in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        stepper(batch: batch) { x, state in
            let (q, k, v) = try projected(x)
            return try outputs(LinearAttention().step(q: q, k: k, v: v, state: &state["s"]))
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let (q, k, v) = try projected(x)
            return try outputs(LinearAttentionEquations.step(q: q, k: k, v: v, state: &state["s"]))
        }
    }

    /// Queries, keys and values are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "input.weight" ? 3 : 1 }

    /// Visits `input`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

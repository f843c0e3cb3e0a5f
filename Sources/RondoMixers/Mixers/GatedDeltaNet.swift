import RondoNN
public import RondoTensor

/// Gated DeltaNet: the delta rule with a decay for each head.
public struct GatedDeltaNet: DeltaRuleMixer {
    /// The shape of a Gated DeltaNet layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads.
        public var heads = 4
        /// The width of queries and keys as a share of the model's.
        public var expandKey = 0.75
        /// The width of values as a multiple of the model's.
        public var expandValue = 1.5
        /// Taps of the convolutions over queries, keys and values; 0 for none.
        public var convWidth = 4
        /// The range of the transition's eigenvalues.
        public var eigenvalues = EigenvalueRange.positive
        /// The number of heads of values, groups of which share queries and keys; as many as ``heads`` if `nil`.
        public var valueHeads: Int?
        /// Whether the output is gated.
        public var outputGate = true
        /// Added to the mean square of a head's output.
        public var normEpsilon = 1e-5

        /// Creates the defaults.
        public init() {}

        /// Refuses widths that cannot be built.
        public func validate(dModel: Int) throws { try shape(dModel).validate(dModel: dModel) }

        func shape(_ dModel: Int) -> DeltaRuleShape {
            DeltaRuleShape(
                heads: heads, keyWidth: scaledWidth(dModel, by: expandKey),
                valueWidth: scaledWidth(dModel, by: expandValue), convWidth: convWidth, range: eigenvalues,
                steps: 1, isGated: true, hasOutputGate: outputGate, sharingHeads: valueHeads, normEpsilon: normEpsilon)
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "gated_delta_net", title: "Gated DeltaNet", family: .matrixState,
        summary: "delta rule with a decay for each head that depends on the input",
        equations: """
            q, k, v = SiLU(conv(W_q x)), SiLU(conv(W_k x)), SiLU(conv(W_v x))    (in heads; q and k of length 1)
            β = σ(W_β x)                                  (2 σ if eigenvalues are symmetric)
            α = exp(-exp(A_log) softplus(W_α x + b_α))   (one for each head)
            S = α (I - β k kᵀ) S⁻ + β k vᵀ
            y = W_o (RMSNorm_head(Sᵀ q / √d) ⊙ SiLU(W_g x))    (no SiLU(W_g x) without an output gate)
            """,
        source: "Yang et al., Gated delta networks: Improving Mamba2 with delta rule, 2025",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state expand_key expand_value D²/H + conv_width - 1 rows")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two heads", dModel: 8) {
            $0.heads = 2
        },
        MixerExample("negative eigenvalues", dModel: 4) {
            $0.heads = 1
            $0.convWidth = 2
            $0.eigenvalues = .symmetric
        },
        MixerExample("shared keys, no output gate", dModel: 4) {
            $0.heads = 1
            $0.valueHeads = 3
            $0.outputGate = false
            $0.normEpsilon = 1e-3
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var layer: DeltaRuleLayer

    /// Creates a mixer with the weights of `Linear`.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        self.configuration = configuration
        self.dModel = dModel
        layer = try DeltaRuleLayer(configuration.shape(dModel), dModel: dModel, dtype: dtype, using: &generator)
    }
}

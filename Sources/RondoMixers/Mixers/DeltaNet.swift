import RondoNN
public import RondoTensor

/// DeltaNet: linear attention that replaces what a key held before, by the delta rule.
public struct DeltaNet: DeltaRuleMixer {
    /// The shape of a DeltaNet layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads.
        public var heads = 4
        /// The width of queries and keys as a share of the model's.
        public var expandKey = 1.0
        /// The width of values as a multiple of the model's.
        public var expandValue = 1.0
        /// Taps of the convolutions over queries, keys and values; 0 for none.
        public var convWidth = 4
        /// The range of the transition's eigenvalues.
        public var eigenvalues = EigenvalueRange.positive
        /// Whether the output is gated.
        public var outputGate = false
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
                steps: 1, isGated: false, hasOutputGate: outputGate, normEpsilon: normEpsilon)
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "delta_net", title: "DeltaNet", family: .matrixState,
        summary: "linear attention by the delta rule: a key's old value is replaced, not added to",
        equations: """
            q, k, v = SiLU(conv(W_q x)), SiLU(conv(W_k x)), SiLU(conv(W_v x))    (in heads; q and k of length 1)
            β = σ(W_β x)                                  (2 σ if eigenvalues are symmetric)
            S = (I - β k kᵀ) S⁻ + β k vᵀ
            y = W_o RMSNorm_head(Sᵀ q / √d)               (⊙ SiLU(W_g x) if there is an output gate)
            """,
        source:
            "Schlag et al., Linear transformers are secretly fast weight programmers, 2021; Yang et al., Parallelizing linear transformers with the delta rule, 2024",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state expand_key expand_value D²/H + conv_width - 1 rows")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two heads", dModel: 6) {
            $0.heads = 2
        },
        MixerExample("negative eigenvalues, no convolution", dModel: 5) {
            $0.heads = 1
            $0.convWidth = 0
            $0.eigenvalues = .symmetric
            $0.outputGate = true
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

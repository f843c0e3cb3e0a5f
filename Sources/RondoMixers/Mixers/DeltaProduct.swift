import RondoNN
public import RondoTensor

/// DeltaProduct: several delta-rule updates at each position, whose product can turn and permute.
public struct DeltaProduct: DeltaRuleMixer {
    /// The shape of a DeltaProduct layer.
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
        /// Updates of the state at each position: the rank of what a transition can change.
        public var steps = 2
        /// Whether the state decays, by a factor for each head that depends on the input.
        public var gated = false

        /// Creates the defaults.
        public init() {}

        /// Refuses widths that cannot be built.
        public func validate(dModel: Int) throws { try shape(dModel).validate(dModel: dModel) }

        func shape(_ dModel: Int) -> DeltaRuleShape {
            DeltaRuleShape(
                heads: heads, keyWidth: scaledWidth(dModel, by: expandKey),
                valueWidth: scaledWidth(dModel, by: expandValue), convWidth: convWidth, range: eigenvalues,
                steps: steps, isGated: gated, hasOutputGate: false)
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "delta_product", title: "DeltaProduct", family: .matrixState,
        summary: "several delta-rule updates a position: products of reflections, for state tracking",
        equations: """
            q, k_i, v_i = SiLU(conv(W x))                 for i in 1...steps  (in heads; q and k_i of length 1)
            β_i = σ(W_β x)                                (2 σ if eigenvalues are symmetric)
            S_0 = α S⁻                                    (α = 1 unless gated)
            S_i = (I - β_i k_i k_iᵀ) S_{i-1} + β_i k_i v_iᵀ
            y = W_o RMSNorm_head(S_stepsᵀ q / √d)
            """,
        source: "Siems et al., DeltaProduct: Improving state-tracking in linear RNNs via Householder products, 2025",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state expand_key expand_value D²/H + conv_width - 1 rows")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two steps", dModel: 6) {
            $0.heads = 2
        },
        MixerExample("three steps, gated, negative eigenvalues", dModel: 4) {
            $0.heads = 1
            $0.steps = 3
            $0.gated = true
            $0.convWidth = 0
            $0.eigenvalues = .symmetric
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

import RondoNN
import RondoTensor

/// Long short-term memory: gates around a cell that adds.
public struct LSTM: RecurrentCellMixer {
    /// The shape of an LSTM layer.
    public struct Configuration: RecurrentCellConfiguration {
        /// What the gates see.
        public enum Variant: String, Codable, Sendable, CaseIterable {
            /// Input and h⁻.
            case standard
            /// The cell too: i and f see c⁻, o sees c (Gers and Schmidhuber, 2000).
            case peephole
            /// Normalised recurrent products and cell (Ba et al., 2016).
            case layerNorm = "layer_norm"
        }

        /// What the gates see.
        public var variant = Variant.standard
        /// The width of the state, the model's if `nil`.
        ///
        /// Another width adds a projection back.
        public var hiddenSize: Int?
        /// Blocks on the diagonal of the recurrent matrices; 1 is dense.
        public var heads = 1

        /// Creates the defaults.
        public init() {}

        var cell: RecurrentCell {
            switch variant {
            case .standard: .lstm
            case .peephole: .lstmPeephole
            case .layerNorm: .lstmLayerNorm
            }
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "lstm", title: "LSTM", family: .nonlinear,
        summary: "LSTM: input, forget and output gates around an additive cell",
        equations: """
            i, f, o = σ(W x + R h⁻ + b)   (input, forget and output gate)
            z = tanh(W x + R h⁻ + b)
            c = f ⊙ c⁻ + i ⊙ z
            h = o ⊙ tanh(c)
            y = h
            """,
        source: "Hochreiter and Schmidhuber, Long short-term memory, 1997; Gers et al., Learning to forget, 2000",
        complexity: "sequence O(T D²) sequential in T; step O(D²); state 2 D")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("standard", dModel: 5),
        MixerExample("peephole, three heads", dModel: 6) {
            $0.variant = .peephole
            $0.heads = 3
        },
        MixerExample("layer norm", dModel: 4) {
            $0.variant = .layerNorm
        },
        MixerExample("narrower", dModel: 6) {
            $0.hiddenSize = 3
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var layer: RecurrentLayer
    var output: Linear?
}

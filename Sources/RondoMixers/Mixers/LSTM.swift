public import RondoNN
import RondoTensor

/// Long short-term memory: gates around a cell that adds.
public struct LSTM: RecurrentCellMixer {
    /// The shape of an LSTM layer.
    public struct Configuration: RecurrentCellConfiguration {
        /// What the gates see and what the cell does with it.
        public enum Variant: String, Codable, Sendable, CaseIterable {
            /// Input and h⁻.
            case standard
            /// The cell too: i and f see c⁻, o sees c (Gers and Schmidhuber, 2000).
            case peephole
            /// Normalised recurrent products and cell (Ba et al., 2016).
            case layerNorm = "layer_norm"
            /// No forget gate: c = c⁻ + i ⊙ z (Hochreiter and Schmidhuber, 1997).
            case noForget = "no_forget"
            /// No forget gate and the squashing functions of 1997: z = 4 σ(·) - 2, h = o ⊙ (2 σ(c) - 1).
            case original1997 = "original_1997"
        }

        /// What the gates see and what the cell does with it.
        public var variant = Variant.standard
        /// The width of the state, the model's if `nil`.
        ///
        /// Another width adds a projection back.
        public var hiddenSize: Int?
        /// Blocks on the diagonal of the recurrent matrices; 1 is dense.
        public var heads = 1
        /// The offset with which the forget gate begins (Jozefowicz et al., 2015: 1).
        public var forgetBias = 1.0
        /// How W and R begin.
        public var initialization = RecurrentInitialization.uniform

        /// Creates the defaults.
        public init() {}

        var cell: RecurrentCell {
            switch variant {
            case .standard: .lstm
            case .peephole: .lstmPeephole
            case .layerNorm: .lstmLayerNorm
            case .noForget: .lstmNoForget
            case .original1997: .lstm1997
            }
        }

        var keepBias: Double? { forgetBias }
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
            no_forget: f = 1; original_1997: also 4 σ(·) - 2 for the tanh of z and 2 σ(c) - 1 for that of c
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
        MixerExample("no forget gate", dModel: 5) {
            $0.variant = .noForget
            $0.initialization = .glorotOrthogonal
        },
        MixerExample("1997, two heads", dModel: 4) {
            $0.variant = .original1997
            $0.heads = 2
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

public import RondoNN
import RondoTensor

/// The gated recurrent unit: a reset and an update gate.
public struct GRU: RecurrentCellMixer {
    /// The shape of a GRU layer.
    public struct Configuration: RecurrentCellConfiguration {
        /// Where the reset gate acts.
        public enum Reset: String, Codable, Sendable, CaseIterable {
            /// After the product, as PyTorch and cuDNN.
            case after
            /// Before the product, as the paper.
            case before
        }

        /// Where the reset gate acts.
        public var reset = Reset.after
        /// The width of the state, the model's if `nil`.
        ///
        /// Another width adds a projection back.
        public var hiddenSize: Int?
        /// Blocks on the diagonal of the recurrent matrices; 1 is dense.
        public var heads = 1
        /// The offset with which z begins, which keeps the old state: 3 makes a unit remember about twenty positions.
        public var updateBias = 0.0
        /// How W and R begin.
        public var initialization = RecurrentInitialization.uniform

        /// Creates the defaults.
        public init() {}

        var cell: RecurrentCell {
            switch reset {
            case .after: .gru
            case .before: .gruResetBefore
            }
        }

        var keepBias: Double? { updateBias }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "gru", title: "GRU", family: .nonlinear,
        summary: "GRU: two gates and no separate cell",
        equations: """
            r, z = σ(W x + R h⁻ + b)
            n = tanh(W x + b + r ⊙ (R h⁻ + b_g))   (reset after)
            n = tanh(W x + b + R (r ⊙ h⁻))         (reset before)
            h = z ⊙ h⁻ + (1 - z) ⊙ n
            y = h
            """,
        source: "Cho et al., Learning phrase representations using RNN encoder-decoder, 2014",
        complexity: "sequence O(T D²) sequential in T; step O(D²); state D")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("reset after", dModel: 5),
        MixerExample("reset before, two heads", dModel: 6) {
            $0.reset = .before
            $0.heads = 2
        },
        MixerExample("wider, keeping", dModel: 3) {
            $0.hiddenSize = 5
            $0.updateBias = 3
            $0.initialization = .glorotOrthogonal
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var layer: RecurrentLayer
    var output: Linear?
}

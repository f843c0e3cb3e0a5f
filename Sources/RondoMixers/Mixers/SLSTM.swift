import RondoNN
import RondoTensor

/// The sLSTM of xLSTM: an LSTM with an exponential input gate, a normaliser and a stabiliser.
public struct SLSTM: RecurrentCellMixer {
    /// The shape of an sLSTM layer.
    public struct Configuration: RecurrentCellConfiguration {
        /// The width of the state, the model's if `nil`.
        ///
        /// Another width adds a projection back.
        public var hiddenSize: Int?
        /// Blocks on the diagonal of the recurrent matrices; 1 is dense.
        public var heads = 1

        /// Creates the defaults.
        public init() {}

        var cell: RecurrentCell {
            .slstm
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "slstm", title: "sLSTM", family: .nonlinear,
        summary: "sLSTM: exponential gates, kept in range by a stabiliser state",
        equations: """
            i, f, o, z = W x + R h⁻ + b
            m = max(log σ(f) + m⁻, i)           (stabiliser)
            i' = exp(i - m), f' = exp(log σ(f) + m⁻ - m)
            c = f' ⊙ c⁻ + i' ⊙ tanh(z)
            n = f' ⊙ n⁻ + i'
            h = σ(o) ⊙ c / n
            y = h
            """,
        source: "Beck et al., xLSTM: Extended long short-term memory, 2024, equations 8 to 18",
        complexity: "sequence O(T D²) sequential in T; step O(D²); state 4 D")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("dense", dModel: 5),
        MixerExample("two heads", dModel: 6) {
            $0.heads = 2
        },
        MixerExample("wider", dModel: 3) {
            $0.hiddenSize = 5
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var layer: RecurrentLayer
    var output: Linear?
}

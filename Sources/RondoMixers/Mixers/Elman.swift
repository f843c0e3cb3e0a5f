import RondoNN
import RondoTensor

/// The Elman network: h = φ(W x + R h⁻ + b).
public struct Elman: RecurrentCellMixer {
    /// The shape of an Elman layer.
    public struct Configuration: RecurrentCellConfiguration {
        /// The nonlinearity.
        public enum Activation: String, Codable, Sendable, CaseIterable {
            /// Bounded.
            case tanh
            /// Unbounded, for identity-like matrices.
            case relu
        }

        /// The nonlinearity.
        public var activation = Activation.tanh
        /// The width of the state, the model's if `nil`.
        ///
        /// Another width adds a projection back.
        public var hiddenSize: Int?
        /// Blocks on the diagonal of the recurrent matrices; 1 is dense.
        public var heads = 1

        /// Creates the defaults.
        public init() {}

        var cell: RecurrentCell {
            switch activation {
            case .tanh: .elmanTanh
            case .relu: .elmanReLU
            }
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "elman", title: "Elman", family: .nonlinear,
        summary: "Elman network: the plain nonlinear recurrence",
        equations: """
            h = φ(W x + R h⁻ + b)
            y = h
            """,
        source: "Elman, Finding structure in time, 1990; FlashRNN, 2024",
        complexity: "sequence O(T D²) sequential in T; step O(D²); state D")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("tanh", dModel: 5),
        MixerExample("relu, two heads", dModel: 6) {
            $0.activation = .relu
            $0.heads = 2
        },
        MixerExample("wider", dModel: 3) {
            $0.hiddenSize = 7
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var layer: RecurrentLayer
    var output: Linear?
}

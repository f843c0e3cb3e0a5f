public import RondoNN
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
            /// Between 0 and 1, as in the original.
            case sigmoid
            /// None: the network is linear.
            case identity
        }

        /// The nonlinearity.
        public var activation = Activation.tanh
        /// The width of the state, the model's if `nil`.
        ///
        /// Another width adds a projection back.
        public var hiddenSize: Int?
        /// Blocks on the diagonal of the recurrent matrices; 1 is dense.
        public var heads = 1
        /// How W and R begin.
        ///
        /// `identity` with `relu` is the IRNN of Le et al., 2015.
        public var initialization = RecurrentInitialization.uniform
        /// The largest absolute eigenvalue of R at the beginning, with the initialisation `spectral_radius`.
        public var spectralRadius = 1.0

        /// Creates the defaults.
        public init() {}

        var cell: RecurrentCell {
            switch activation {
            case .tanh: .elmanTanh
            case .relu: .elmanReLU
            case .sigmoid: .elmanSigmoid
            case .identity: .elmanIdentity
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
        MixerExample("sigmoid, orthogonal", dModel: 4) {
            $0.activation = .sigmoid
            $0.initialization = .glorotOrthogonal
        },
        MixerExample("tanh from the identity", dModel: 3) {
            $0.initialization = .identity
        },
        MixerExample("linear, spectral radius 0.9", dModel: 5) {
            $0.activation = .identity
            $0.initialization = .spectralRadius
            $0.spectralRadius = 0.9
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var layer: RecurrentLayer
    var output: Linear?
}

import RondoNN
public import RondoTensor

/// LSTM with diagonal recurrent weights and coupled gates, which Newton's method
/// solves for all positions at once.
public struct ParaLSTM: ParaCellMixer {
    /// The shape of a ParaLSTM layer.
    public struct Configuration: ParaCellConfiguration {
        /// The width of the state; the model's if `nil`.
        public var stateSize: Int?
        /// Blocks on the diagonal of the input matrix; 1 is dense.
        public var heads = 2
        /// Whether a convolution, a norm and an output gate surround the cell, as in the paper's models.
        public var block = true
        /// Taps of the block's convolution.
        public var convWidth = 4
        /// How the parameters begin.
        public var initialization = ParaCellInitialization.library
        /// Iterations of Newton's method in training, without a look at the residual; 0 for the exact loop.
        ///
        /// The published code trains with 3. Too few give wrong derivatives.
        public var newtonIterations = 0

        /// Creates the defaults.
        public init() {}
    }

    /// What it is.
    public static let card = MixerCard(
        name: "para_lstm", title: "ParaLSTM", family: .nonlinear,
        summary: "LSTM with diagonal recurrent weights and coupled gates, solved by Newton's method",
        equations: """
            a, g = W_up x;  a = SiLU(conv(a))             (a = x without the block)
            u = B a + b                                    B block-diagonal in heads, a row for each gate f, o, k
            f = σ(A_f ⊙ h⁻ + u_f + C_f ⊙ c⁻)
            k = tanh(A_k ⊙ h⁻ + u_k)
            c = f ⊙ c⁻ + (1 - f) ⊙ k
            o = σ(A_o ⊙ h⁻ + u_o + C_o ⊙ c)
            h = o ⊙ tanh(c)
            y = W_o (RMSNorm(h) ⊙ SiLU(g))                (y = h without the block)
            """,
        source: "Danieli et al., ParaRNN: Unlocking parallel training of nonlinear RNNs, 2025",
        complexity: "sequence O(T D²) products and a loop O(T D), by Newton's method in parallel; step O(D²); "
            + "state 2 W, and conv_width - 1 rows",
        notes: "Newton's method stops at rounding precision and gives way to the loop where it does not converge, so "
            + "it changes no result. The published "
            + "block scales its residual by a learned number; the residual is not the mixer's, so that is left out.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("block, two heads", dModel: 6),
        MixerExample("cell alone", dModel: 5) {
            $0.heads = 1
            $0.block = false
            $0.initialization = .recipe
        },
        MixerExample("cell alone, wider", dModel: 3) {
            $0.heads = 3
            $0.block = false
            $0.stateSize = 9
        },
    ]

    static let cell = DiagonalCellLoop.Cell.lstm
    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var layer: ParaCellLayer

    /// Creates a mixer with random parameters, as `initialization` says.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        self.configuration = configuration
        self.dModel = dModel
        layer = try ParaCellLayer(Self.cell, configuration, dModel: dModel, dtype: dtype, using: &generator)
    }
}

internal import CRondoKernels

/// The cells of a recurrent layer.
///
/// H is the layer's width, ⊙ the elementwise product, h⁻ and c⁻ the states before; every gate of R reads R h⁻.
public enum RecurrentCell: String, Sendable, Codable, CaseIterable {
    /// h = tanh(x + R h⁻) (Elman, 1990).
    case elmanTanh = "elman_tanh"
    /// h = max(x + R h⁻, 0).
    case elmanReLU = "elman_relu"
    /// h = σ(x + R h⁻).
    case elmanSigmoid = "elman_sigmoid"
    /// h = x + R h⁻: linear, to show what the matrix alone does.
    case elmanIdentity = "elman_identity"
    /// i, f, o = σ(·), z = tanh(·), c = f ⊙ c⁻ + i ⊙ z, h = o ⊙ tanh(c).
    case lstm
    /// An LSTM without a forget gate: c = c⁻ + i ⊙ z (Hochreiter and Schmidhuber, 1997, with tanh).
    case lstmNoForget = "lstm_no_forget"
    /// The same with the squashing functions of 1997: z = 4 σ(·) - 2, h = o ⊙ (2 σ(c) - 1).
    case lstm1997 = "lstm_1997"
    /// An LSTM whose gates i and f also see c⁻, and o sees c, through weights per unit.
    case lstmPeephole = "lstm_peephole"
    /// An LSTM that normalises each gate of R h⁻, and c inside h, over the units of a head.
    case lstmLayerNorm = "lstm_layer_norm"
    /// n = tanh(x + r ⊙ (R h⁻ + b)), h = z ⊙ h⁻ + (1 - z) ⊙ n, as PyTorch and cuDNN.
    case gru
    /// n = tanh(x + R (r ⊙ h⁻)), h = z ⊙ h⁻ + (1 - z) ⊙ n (Cho et al., 2014).
    case gruResetBefore = "gru_reset_before"
    /// h = φ((1 - ρ) ⊙ h⁻ + ρ ⊙ (x + R h⁻)) with a rate ρ and a slope per unit: φ(a) = a above 0, slope ⊙ a elsewhere.
    case leaky
    /// h = (1 - ρ) ⊙ h⁻ + ρ ⊙ φ(x + R h⁻): the leak outside of the nonlinearity.
    case leakyOutside = "leaky_outside"
    /// An LSTM with an exponential input gate, a normaliser n and a stabiliser m (Beck et al., 2024).
    case slstm

    /// The names of the states, each `[batch, H]`; the first is what the layer returns.
    public var stateNames: [String] {
        switch self {
        case .elmanTanh, .elmanReLU, .elmanSigmoid, .elmanIdentity, .gru, .gruResetBefore, .leaky, .leakyOutside: ["h"]
        case .lstm, .lstmNoForget, .lstm1997, .lstmPeephole, .lstmLayerNorm: ["h", "c"]
        case .slstm: ["h", "c", "n", "m"]
        }
    }

    /// The gates that read the input, in the order of their rows in the input matrix.
    public var inputGates: [String] {
        switch self {
        case .elmanTanh, .elmanReLU, .elmanSigmoid, .elmanIdentity, .leaky, .leakyOutside: ["h"]
        case .gru, .gruResetBefore: ["r", "z", "n"]
        case .lstmNoForget, .lstm1997: ["i", "z", "o"]
        case .lstm, .lstmPeephole, .lstmLayerNorm, .slstm: ["i", "f", "z", "o"]
        }
    }

    /// The input gate that says how much of the old state stays, if the cell has one.
    public var keepGate: String? {
        switch self {
        case .lstm, .lstmPeephole, .lstmLayerNorm, .slstm: "f"
        case .gru, .gruResetBefore: "z"
        case .elmanTanh, .elmanReLU, .elmanSigmoid, .elmanIdentity, .leaky, .leakyOutside, .lstmNoForget, .lstm1997: nil
        }
    }

    /// The gates that read h⁻, in their order in R.
    ///
    /// The GRU's g, which its reset gate multiplies, comes first.
    public var recurrentGates: [String] { self == .gru ? ["g", "r", "z"] : inputGates }

    /// The parameters of the cell beside matrices and bias: rows of a tensor `[count, H]`.
    public var extraNames: [String] {
        switch self {
        case .lstmPeephole: ["peephole_i", "peephole_f", "peephole_o"]
        case .lstmLayerNorm: ["gain_i", "gain_f", "gain_z", "gain_o", "cell_gain", "cell_bias"]
        case .gru: ["bias_g"]
        case .leaky, .leakyOutside: ["rate", "slope"]
        default: []
        }
    }

    /// What the cell's own parameters begin with, in the order of their names: gains 1, a rate without leak, offsets 0.
    public var initialExtras: [Double] {
        extraNames.map { name in name == "slope" ? 0.01 : name == "rate" || name.contains("gain") ? 1 : 0 }
    }

    /// The number of states that zoneout may hold back: h, and c of an LSTM.
    public var zoneoutStates: Int { stateNames == ["h", "c"] ? 2 : 1 }

    var kernel: rk_cell {
        switch self {
        case .elmanTanh: RK_ELMAN_TANH
        case .elmanReLU: RK_ELMAN_RELU
        case .elmanSigmoid: RK_ELMAN_SIGMOID
        case .elmanIdentity: RK_ELMAN_IDENTITY
        case .lstm: RK_LSTM
        case .lstmNoForget: RK_LSTM_NO_FORGET
        case .lstm1997: RK_LSTM_1997
        case .lstmPeephole: RK_LSTM_PEEPHOLE
        case .lstmLayerNorm: RK_LSTM_NORM
        case .gru: RK_GRU
        case .gruResetBefore: RK_GRU_RESET_BEFORE
        case .leaky: RK_LEAKY
        case .leakyOutside: RK_LEAKY_OUTSIDE
        case .slstm: RK_SLSTM
        }
    }
}

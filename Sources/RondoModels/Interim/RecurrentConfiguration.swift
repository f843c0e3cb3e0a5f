/// The cells of a recurrent layer.
public enum RecurrentCell: String, Sendable, Codable, CaseIterable {
    case elmanTanh = "elman_tanh"
    case elmanReLU = "elman_relu"
    case lstm
    case lstmPeephole = "lstm_peephole"
    case lstmLayerNorm = "lstm_layer_norm"
    case gru
    case gruResetBefore = "gru_reset_before"
    case slstm
}

/// The shape of a stack of recurrent layers.
public struct RecurrentConfiguration: Codable, Sendable, Equatable {
    /// The cell of every layer.
    public var cell: RecurrentCell
    /// The width of what enters the first layer.
    public var inputSize: Int
    /// The width of every layer.
    public var hiddenSize: Int
    /// The number of layers.
    public var layers: Int
    /// The number of blocks on the diagonal of the recurrent matrices.
    public var heads: Int
    /// The dropout between layers.
    public var dropout: Double

    /// Creates a configuration.
    public init(
        cell: RecurrentCell = .lstm, inputSize: Int, hiddenSize: Int, layers: Int = 1, heads: Int = 1,
        dropout: Double = 0
    ) {
        self.cell = cell
        self.inputSize = inputSize
        self.hiddenSize = hiddenSize
        self.layers = layers
        self.heads = heads
        self.dropout = dropout
    }
}

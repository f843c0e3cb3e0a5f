import RondoNN
public import RondoTensor

/// The kinds of models that can be trained.
public enum ModelRegistry {
    /// One kind.
    public struct Entry: Sendable, Codable, Equatable {
        /// The name, as in `model.recurrent.cell`.
        public var name: String
        /// One line for people.
        public var summary: String
    }

    /// All kinds.
    public static var entries: [Entry] {
        RecurrentCell.allCases.map { Entry(name: $0.rawValue, summary: $0.summary) }
    }
}

extension RecurrentCell {
    /// What the cell is, in one line.
    public var summary: String {
        switch self {
        case .elmanTanh: "Elman network with tanh: the plain recurrence"
        case .elmanReLU: "Elman network with ReLU: plain, for short memories and identity-like matrices"
        case .lstm: "LSTM: input, forget and output gates around an additive cell"
        case .lstmPeephole: "LSTM whose gates also see the cell"
        case .lstmLayerNorm: "LSTM with normalised recurrent products and cell: steadier at high learning rates"
        case .gru: "GRU with the reset gate after the product (cuDNN's and PyTorch's)"
        case .gruResetBefore: "GRU with the reset gate before the product (the original)"
        case .slstm: "sLSTM: exponential gates, kept in range by a stabiliser state"
        }
    }
}

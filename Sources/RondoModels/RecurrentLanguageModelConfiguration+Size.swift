extension RecurrentLanguageModelConfiguration {
    /// About how many trainable numbers the model has; in floating point, so that nothing overflows.
    public var parameterEstimate: Double {
        let (vocabulary, embedding) = (Double(vocabSize), Double(embeddingSize))
        let hidden = Double(recurrent.hiddenSize)
        let gates = recurrent.cell.gateEstimate
        let first = gates * hidden * (embedding + hidden / Double(max(1, recurrent.heads)) + 1)
        let other = gates * hidden * (hidden + hidden / Double(max(1, recurrent.heads)) + 1)
        let head = tieEmbeddings ? 0 : vocabulary * (hidden + 1)
        return vocabulary * embedding + first + Double(recurrent.layers - 1) * other + head
    }

    /// About how many numbers training keeps for each position of a window.
    public var activationEstimate: Double {
        let layer = (2 * recurrent.cell.gateEstimate + 3) * Double(recurrent.hiddenSize)
        return Double(embeddingSize) + Double(recurrent.layers) * layer + 2 * Double(vocabSize)
    }
}

extension RecurrentCell {
    /// How many times the width the gates of a cell are.
    fileprivate var gateEstimate: Double {
        switch self {
        case .elmanTanh, .elmanReLU: 1
        case .gru, .gruResetBefore: 3
        case .lstm, .lstmPeephole, .lstmLayerNorm, .slstm: 4
        }
    }
}

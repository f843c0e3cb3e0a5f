import RondoNN
import RondoTensor

extension RecurrentLanguageModelConfiguration {
    /// About how many trainable numbers the model has; in floating point, so that nothing overflows.
    public var parameterEstimate: Double {
        let (embedding, hidden) = (Double(embeddingSize), Double(recurrent.hiddenSize))
        let recurrentMatrix = Double(recurrent.cell.recurrentGates.count) * hidden * hidden / Double(recurrent.heads)
        let inputGates = Double(recurrent.cell.inputGates.count) * hidden
        let upper = Double(recurrent.layers - 1) * (recurrentMatrix + inputGates * (hidden + 1))
        let head = tieEmbeddings ? 0 : Double(vocabSize) * (hidden + 1)
        return Double(vocabSize) * embedding + recurrentMatrix + inputGates * (embedding + 1) + upper + head
    }

    /// About how many numbers training keeps for each position of a window.
    public var activationEstimate: Double {
        let layer = Double(2 * recurrent.cell.inputGates.count + 3) * Double(recurrent.hiddenSize)
        return Double(embeddingSize) + Double(recurrent.layers) * layer + 2 * Double(vocabSize)
    }
}

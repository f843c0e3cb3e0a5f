public import RondoNN
public import RondoTensor

/// Predicts the next token from all before it: embedding, recurrent layers, optional norm, head.
public struct RecurrentLanguageModel: Module {
    /// The shape of the model.
    public let configuration: RecurrentLanguageModelConfiguration
    /// One vector a token.
    public var embedding: Embedding
    /// The recurrent layers.
    public var recurrent: RecurrentStack
    /// The norm before the head, if there is one.
    public var norm: LayerNorm?
    /// The map to the scores of tokens; without it, the embedding serves.
    public var head: Linear?

    /// Creates a model with random weights.
    ///
    /// - Throws: `RondoError` for an impossible configuration.
    public init(
        _ configuration: RecurrentLanguageModelConfiguration, dtype: DType = .float32,
        using generator: inout Generator
    ) throws {
        try configuration.validate()
        self.configuration = configuration
        let (embeddingSize, hiddenSize) = (configuration.embeddingSize, configuration.recurrent.hiddenSize)
        embedding = try Embedding(
            count: configuration.vocabSize, size: embeddingSize, deviation: configuration.embeddingDeviation,
            dtype: dtype, using: &generator)
        recurrent = try RecurrentStack(configuration.recurrent, dtype: dtype, using: &generator)
        norm = try configuration.outputNorm ? LayerNorm(size: hiddenSize, dtype: dtype) : nil
        head =
            try configuration.tieEmbeddings
            ? nil
            : Linear(inputSize: hiddenSize, outputSize: configuration.vocabSize, dtype: dtype, using: &generator)
    }

    /// The element type of the weights.
    public var dtype: DType { embedding.weight.dtype }

    /// The state before the first token of `batch` sequences.
    public func initialState(batch: Int) throws -> RecurrentState { try recurrent.initialState(batch: batch) }

    /// Scores of the next token after each of `inputs`.
    ///
    /// - Parameters:
    ///   - inputs: Tokens, int32 `[batch, time]`.
    ///   - state: The state before them; becomes the one after them.
    /// - Returns: Scores, `[batch, time, vocabSize]`.
    /// - Throws: `RondoError` if shapes do not fit or a token is outside the vocabulary.
    public func logits(_ inputs: Tensor, state: inout RecurrentState) throws -> Tensor {
        var unused = Generator(seed: 0)
        let outputs = try hiddenStates(inputs, state: &state, training: false, using: &unused)
        return try scores(outputs).transposed(0, 1)
    }

    /// The mean cross-entropy, in nats, of the right next tokens.
    ///
    /// - Parameters:
    ///   - inputs: Tokens, int32 `[batch, time]`.
    ///   - targets: The tokens that follow, of the same shape; -100 does not count.
    ///   - state: The state before them.
    ///   - labelSmoothing: Probability spread evenly over all tokens.
    ///   - training: Whether dropout applies.
    ///   - generator: Draws the dropout masks.
    /// - Returns: The loss, and the state after the inputs, cut off from derivatives.
    /// - Throws: `RondoError` if shapes do not fit or a token is outside the vocabulary.
    public func loss(
        _ inputs: Tensor, _ targets: Tensor, state: RecurrentState, labelSmoothing: Double = 0, training: Bool,
        using generator: inout Generator
    ) throws -> (loss: Tensor, state: RecurrentState) {
        var state = state
        let outputs = try hiddenStates(inputs, state: &state, training: training, using: &generator)
        let logits = try scores(Dropout(configuration.outputDropout)(outputs, training: training, using: &generator))
        let loss = try Loss.crossEntropy(logits, targets.transposed(0, 1), labelSmoothing: labelSmoothing)
        return (loss, state.detached())
    }

    // MARK: - Parts

    /// The last layer's outputs, `[time, batch, hiddenSize]`: time first, the order in which the layers work.
    func hiddenStates(
        _ inputs: Tensor, state: inout RecurrentState, training: Bool, using generator: inout Generator
    ) throws -> Tensor {
        let outputs: Tensor
        if usesProjectedTable(for: inputs, training: training) {
            let projected = try projectedTable().takingRows(inputs.transposed()).transposed(0, 1)
            (outputs, state) = try recurrent(
                projected: projected, state: state, training: training, using: &generator)
        } else {
            let vectors = try embedding(
                inputs, droppingTypes: configuration.embeddingDropout, training: training, using: &generator)
            (outputs, state) = try recurrent(vectors, state: state, training: training, using: &generator)
        }
        return try outputs.transposed(0, 1)
    }

    /// Scores of all tokens from the last layer's outputs, `[..., hiddenSize]` to `[..., vocabSize]`.
    func scores(_ outputs: Tensor) throws -> Tensor {
        let normalized = try norm.map { try $0(outputs) } ?? outputs
        return try head.map { try $0(normalized) } ?? embedding.logits(normalized)
    }

    /// The first layer's input projection of every token, `[vocabSize, gates * hiddenSize]`.
    ///
    /// Projecting the table and looking rows up is the same as looking up vectors and projecting them, but takes
    /// fewer multiplications where there are fewer different tokens than positions.
    func projectedTable() throws -> Tensor { try recurrent.projectingInput(embedding.weight) }

    private func usesProjectedTable(for inputs: Tensor, training: Bool) -> Bool {
        let drops = training && configuration.embeddingDropout > 0
        return !drops && configuration.vocabSize < inputs.count
    }

    /// Visits every trainable parameter.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try embedding.forEachParameter(under: "embedding", visit)
        try recurrent.forEachParameter(under: "recurrent", visit)
        try norm.forEachParameter(under: "norm", visit)
        try head.forEachParameter(under: "head", visit)
    }
}

public import RondoMixers
public import RondoNN
public import RondoTensor

/// Predicts the next token from all before it: embedding, residual blocks around mixers, norm, head.
///
/// The one model around every mixer of the registry, and around mixtures of them.
public struct LanguageModel: Module {
    /// The shape of the model, with every option written out.
    public let configuration: LanguageModelConfiguration
    /// One vector a token.
    public var embedding: Embedding
    /// After the embedding; the identity in most models.
    public var embeddingNorm: ResidualBlock.Norm
    /// The layers from the bottom.
    public var layers: [ResidualBlock]
    /// The norm before the head.
    public var norm: ResidualBlock.Norm
    /// The map to the scores of tokens; without it, the embedding serves.
    public var head: Linear?
    /// What one sequence knows before its first token, if that was learned; no parameter of the model.
    public var learnedState: ModelState?

    /// Creates a model with random weights.
    ///
    /// - Throws: `RondoError` for an impossible configuration.
    public init(
        _ configuration: LanguageModelConfiguration, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate()
        let configuration = try configuration.completed()
        self.configuration = configuration
        embedding = try Embedding(
            count: configuration.vocabSize, size: configuration.dModel, deviation: configuration.embeddingDeviation,
            dtype: dtype, using: &generator)
        embeddingNorm = try ResidualBlock.Norm(configuration.embeddingNorm, of: configuration, dtype: dtype)
        layers = []
        for layer in configuration.everyLayer {
            layers.append(try ResidualBlock(layer, of: configuration, dtype: dtype, using: &generator))
        }
        norm = try ResidualBlock.Norm(configuration.norm, of: configuration, dtype: dtype)
        head =
            try configuration.tieEmbeddings
            ? nil
            : Linear(
                inputSize: configuration.dModel, outputSize: configuration.vocabSize, bias: configuration.headBias,
                dtype: dtype, using: &generator)
    }

    /// The element type of the arithmetic; matrices may be stored in a smaller one.
    public var dtype: DType { embedding.weight.dtype.computationType }

    /// Whether all rows of a call must have read equally many positions; ``logits(_:state:)-(SequenceBatch,_)`` sees
    /// to it.
    public var needsEqualPositions: Bool { layers.contains { type(of: $0.mixer).card.needsEqualPositions } }

    /// The state before the first token of `batch` sequences.
    public func initialState(batch: Int) throws -> ModelState {
        guard let learnedState else {
            return ModelState(layers: try layers.map { try $0.mixer.initialState(batch: batch) })
        }
        return try learnedState.selectingRows(Array(repeating: 0, count: batch))
    }

    /// The state that the next window begins with.
    ///
    /// Recurrences go on. Layers whose state grows begin anew, so that memory stays bounded: they see the window.
    public func carrying(_ state: ModelState) throws -> ModelState {
        var carried = state
        for (index, layer) in layers.enumerated() where type(of: layer.mixer).card.stateGrowth != .constant {
            carried.layers[index] = try layer.mixer.initialState(batch: state.layers[index].batch)
        }
        return carried
    }

    /// Scores of the next token after each of `inputs`.
    ///
    /// - Parameters:
    ///   - inputs: Tokens, int32 `[batch, time]`.
    ///   - state: The state before them; becomes the one after them.
    /// - Returns: Scores, `[batch, time, vocabSize]`.
    /// - Throws: `RondoError` if shapes do not fit or a token is outside the vocabulary.
    public func logits(_ inputs: Tensor, state: inout ModelState) throws -> Tensor {
        var unused = Generator(seed: 0)
        return try scores(hiddenStates(inputs, state: &state, training: false, using: &unused))
    }

    /// Scores after the last of `inputs` alone, `[batch, vocabSize]`: what generation needs of a prompt.
    ///
    /// - Parameters:
    ///   - inputs: Tokens, int32 `[batch, time]`, at least one.
    ///   - state: The state before them; becomes the one after them.
    /// - Returns: Scores, `[batch, vocabSize]`.
    /// - Throws: `RondoError` if shapes do not fit or a token is outside the vocabulary.
    public func lastLogits(_ inputs: Tensor, state: inout ModelState) throws -> Tensor {
        var unused = Generator(seed: 0)
        let hidden = try hiddenStates(inputs, state: &state, training: false, using: &unused)
        return try scores(hidden.selecting(1, -1))
    }

    /// Scores of the next token in rows with padding and documents: each valid part gives what it would give alone.
    ///
    /// - Parameters:
    ///   - batch: Tokens, int32 `[batch, time]`, with valid ranges and document starts.
    ///   - state: The state of every row before; becomes the one after.
    /// - Returns: Scores, `[batch, time, vocabSize]`, zero at padding.
    /// - Throws: `RondoError` if shapes do not fit or a token is outside the vocabulary.
    public func logits(_ batch: SequenceBatch, state: inout ModelState) throws -> Tensor {
        try batch.read(
            state: &state, needsEqualPositions: needsEqualPositions, initial: initialState(batch:), logits(_:state:))
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
        _ inputs: Tensor, _ targets: Tensor, state: ModelState, labelSmoothing: Double = 0, training: Bool,
        using generator: inout Generator
    ) throws -> (loss: Tensor, state: ModelState) {
        var state = state
        let outputs = try hiddenStates(inputs, state: &state, training: training, using: &generator)
        let kept = try Dropout(configuration.outputDropout)(outputs, training: training, using: &generator)
        let loss = try Loss.crossEntropy(scores(kept), targets, labelSmoothing: labelSmoothing)
        return (loss, state.detached())
    }

    // MARK: - Parts

    /// The last layer's outputs, `[batch, time, dModel]`.
    func hiddenStates(
        _ inputs: Tensor, state: inout ModelState, training: Bool, using generator: inout Generator
    ) throws -> Tensor {
        guard inputs.rank == 2, state.layers.count == layers.count else {
            throw RondoError(
                .shapeMismatch,
                "language model: tokens must be [batch, time] with a state of \(layers.count) layers; "
                    + "got \(inputs.shape) and \(state.layers.count)")
        }
        var x = try embedded(
            embedding(
                inputs, droppingTypes: configuration.embeddingDropout, training: training, using: &generator))
        var shared = try sharedValues(of: inputs)
        for (index, layer) in layers.enumerated() {
            x = try layer(
                x, state: &state.layers[index], shared: &shared, training: training, using: &generator)
        }
        return x
    }

    /// What the lowest layer finds in a pass over some tokens.
    func sharedValues(of tokens: Tensor) throws -> SharedValues {
        try SharedValues(tokens: tokens, layers: layers.map(\.mixer))
    }

    /// What the first layer reads of the table's vectors, `[..., dModel]`.
    func embedded(_ vectors: Tensor) throws -> Tensor {
        let scale = configuration.embeddingScale
        return try embeddingNorm(scale == 1 ? vectors : vectors * scale)
    }

    /// Scores of all tokens from the last layer's outputs, `[..., dModel]` to `[..., vocabSize]`.
    func scores(_ outputs: Tensor) throws -> Tensor {
        let normalized = try norm(outputs)
        return try capped(head.map { try $0(normalized) } ?? embedding.logits(normalized))
    }

    /// Scores within the configuration's soft limit.
    func capped(_ scores: Tensor) throws -> Tensor {
        guard let cap = configuration.logitSoftCap else { return scores }
        return try (scores / cap).tanh() * cap
    }

    /// Visits every trainable parameter.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try embedding.forEachParameter(under: "embedding", visit)
        try embeddingNorm.forEachParameter(under: "embedding_norm", visit)
        try layers.forEachParameter(under: "layers", visit)
        try norm.forEachParameter(under: "norm", visit)
        try head.forEachParameter(under: "head", visit)
    }
}

extension LanguageModel {
    /// Runs the model part by part and names the first one whose output is not finite.
    ///
    /// - Parameters:
    ///   - inputs: Tokens, int32 `[batch, time]`.
    ///   - state: The state before them; becomes the one after them.
    ///   - training: Whether dropout applies.
    ///   - generator: Draws the dropout masks.
    /// - Returns: The path of the part, or `nil` if all is well.
    /// - Throws: `RondoError` if shapes do not fit or a token is outside the vocabulary.
    public func firstNonFinitePart(
        _ inputs: Tensor, state: inout ModelState, training: Bool, using generator: inout Generator
    ) throws -> String? {
        if let name = try state.firstNonFinite() { return "carried state \(name)" }
        var x = try embedded(
            embedding(
                inputs, droppingTypes: configuration.embeddingDropout, training: training, using: &generator))
        guard try x.isFinite() else { return "embedding" }
        var shared = try sharedValues(of: inputs)
        for (index, layer) in layers.enumerated() {
            x = try layer(
                x, state: &state.layers[index], shared: &shared, training: training, using: &generator)
            guard try x.isFinite() else { return "layers.\(index)" }
        }
        if let name = try state.firstNonFinite() { return name }
        return try scores(x).isFinite() ? nil : "head"
    }
}

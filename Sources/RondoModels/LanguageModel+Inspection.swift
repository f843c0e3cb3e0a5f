public import RondoIO
public import RondoMixers
import RondoNN
public import RondoTensor

/// For diagnoses: what a model does between its tokens and its scores.
extension LanguageModel {
    /// What a layer's mixer is about to read.
    public struct LayerInput: Sendable {
        /// The layer, from the bottom.
        public var layer: Int
        /// Its mixer.
        public var mixer: any SequenceMixer
        /// What the mixer reads, `[batch, time, dModel]`.
        public var x: Tensor
        /// The state before.
        public var state: MixerState
        /// What the layer finds of the others.
        public var shared: SharedValues
    }

    /// What the first layer reads of tokens, `[..., dModel]`.
    ///
    /// - Throws: `RondoError` if a token is outside the vocabulary.
    public func vectors(of tokens: Tensor) throws -> Tensor { try embedded(embedding(tokens)) }

    /// Scores of the next token, from vectors in the place of those of tokens.
    ///
    /// - Parameters:
    ///   - vectors: `[batch, time, dModel]`, as ``vectors(of:)`` gives them.
    ///   - tokens: The tokens that they stand for, `[batch, time]`, which some mixers read too.
    ///   - state: The state before them; becomes the one after them.
    ///   - onlyLast: Whether only the scores after the last position are made.
    ///   - onLayer: Told what each mixer is about to read.
    /// - Returns: Scores, `[batch, time (1 if onlyLast), vocabSize]`.
    /// - Throws: `RondoError` if shapes do not fit, or what `onLayer` throws.
    public func logits(
        vectors: Tensor, of tokens: Tensor, state: inout ModelState, onlyLast: Bool = false,
        onLayer: (LayerInput) throws -> Void = { _ in }
    ) throws -> Tensor {
        guard vectors.rank == 3, state.layers.count == layers.count else {
            throw RondoError(
                .shapeMismatch,
                "language model: vectors must be [batch, time, \(configuration.dModel)] with a state of "
                    + "\(layers.count) layers; got \(vectors.shape) and \(state.layers.count)")
        }
        var unused = Generator(seed: 0)
        var x = vectors
        var shared = try sharedValues(of: tokens)
        for (index, layer) in layers.enumerated() {
            try onLayer(
                LayerInput(
                    layer: index, mixer: layer.mixer, x: layer.norm(x), state: state.layers[index], shared: shared))
            x = try layer(x, state: &state.layers[index], shared: &shared, training: false, using: &unused)
        }
        return try scores(onlyLast ? x.sliced(1, x.shape[1] - 1..<x.shape[1]) : x)
    }

    /// The same weights in layers with some other options, such as a limit of the state that was not trained with.
    ///
    /// - Parameter options: Options that replace those of every layer; mixers that do not have them refuse.
    /// - Returns: The model.
    /// - Throws: `RondoError` for unknown or impossible options, and for those that change the shape of a weight.
    public func withMixerOptions(_ options: JSONObject) throws -> LanguageModel {
        var changed = configuration
        changed.layers = configuration.everyLayer.map { layer in
            var own = layer.options?.objectValue ?? JSONObject()
            for (key, value) in options.members { own[key] = value }
            return LanguageModelConfiguration.Layer(mixer: layer.mixer, options: .object(own))
        }
        changed.mixerOptions = nil
        let weights = parameters
        var generator = Generator.placeholder
        var model = try LanguageModel(changed, dtype: dtype, using: &generator)
        guard model.parameters.tensors.map(\.shape) == weights.tensors.map(\.shape) else {
            throw RondoError(
                .invalidArgument,
                "the options \(JSONValue.object(options).text()) change the shapes of weights, which belong to a trained "
                    + "model")
        }
        model = model.replacingParameters(weights.tensors)
        model.learnedState = learnedState
        return model
    }
}

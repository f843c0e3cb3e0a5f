import RondoMixers
public import RondoModels
import RondoNN
import RondoTensor

/// How many multiplications with an addition a model does for one token, counted from its shape.
///
/// Counted are all parameters of two axes or more, once each, without the embedding's table (a look-up) unless it is
/// the head as well; and of every mixer, two for each element of a recurrent state (it is updated and read) or one for
/// each element of an attention's cache (every key and every value is used once), whose length is the mean over a
/// window. Not counted are gates, norms, activations and the softmax.
public struct MultiplyAdds: Codable, Sendable, Equatable {
    /// Of the matrices.
    public var matrices: Int
    /// Of the mixers' states.
    public var states: Int

    /// All of them.
    public var total: Int { matrices + states }
    /// Floating-point operations that training does for one token: two for each, and the backward pass twice as many as
    /// the forward pass.
    public var trainingOperations: Int { 6 * total }

    /// Counts those of a model.
    ///
    /// - Parameters:
    ///   - model: The model; its numbers do not matter.
    ///   - windowLength: Tokens of a training window, over which caches grow.
    /// - Throws: `RondoError` if the model has no state.
    public init(_ model: LanguageModel, windowLength: Int) throws {
        let all = model.parameters
        matrices = zip(all.paths, all.tensors).reduce(0) { sum, parameter in
            let isTable = parameter.0 == "embedding.weight" && model.head != nil
            return sum + (parameter.1.rank >= 2 && !isTable ? parameter.1.count : 0)
        }
        states = 0
        for layer in model.layers {
            let card = type(of: layer.mixer).card
            for tensor in try layer.mixer.initialState(batch: 1).named.tensors {
                let grows = card.stateGrowth != .constant && tensor.rank >= 2 && tensor.shape[1] == 0
                let elements =
                    grows ? tensor.shape.dropFirst(2).reduce(1, *) * (windowLength + 1) / 2 : tensor.count
                states += elements * (card.family == .attention ? 1 : 2)
            }
        }
    }
}

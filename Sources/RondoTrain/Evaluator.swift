public import RondoData
public import RondoModels
import RondoTensor

/// Measures a model on a text.
public enum Evaluator {
    /// The result of a measurement.
    public struct Result: Codable, Sendable, Equatable {
        /// The mean loss in nats a token.
        public var loss: Double
        /// The number of tokens predicted.
        public var predictedTokens: Int
        /// How many bytes of text a token stands for, on average.
        public var bytesPerToken = 1.0
        /// About how many bytes of text were predicted; with a byte vocabulary, exactly.
        public var predictedBytes: Int { Int((Double(predictedTokens) * bytesPerToken).rounded()) }
        /// The loss in bits a byte of text.
        public var bitsPerByte: Double { loss.bitsFromNats / bytesPerToken }
    }

    /// Measures a model on a part of a text, each token predicted once, with the state carried along.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - text: The tokens.
    ///   - range: The part to predict; `nil` for all.
    ///   - batchSize: Contiguous rows read side by side, each from the initial state; 1 for one unbroken state.
    ///   - bytesPerToken: How many bytes of text a token stands for, on average.
    ///   - windowLength: Tokens of each row in a piece. For recurrences it is only speed; layers whose state grows begin
    ///     anew with every piece.
    ///   - onProgress: Told the tokens predicted so far and in all after every piece; `false` stops.
    /// - Returns: The mean over what was predicted.
    /// - Throws: `RondoError` if there is nothing to predict, or if the loss is not finite.
    public static func evaluate(
        _ model: LanguageModel, on text: TokenText, in range: Range<Int>? = nil, batchSize: Int = 1,
        bytesPerToken: Double = 1, windowLength: Int = 256,
        onProgress: (_ done: Int, _ total: Int) -> Bool = { _, _ in true }
    ) throws -> Result {
        let windows = try EvaluationWindows(text, in: range, batch: batchSize, time: windowLength)
        let total = windows.predictedCount
        var state = try model.initialState(batch: windows.batch)
        var unused = Generator(seed: 0)
        var (sum, done) = (0.0, 0)
        for window in windows {
            let shape: Shape = [windows.batch, window.time]
            let (loss, after) = try model.loss(
                Tensor(window.inputs, shape: shape), Tensor(window.targets, shape: shape), state: state,
                training: false, using: &unused)
            state = try model.carrying(after)
            sum += try loss.scalar() * Double(window.predicted)
            done += window.predicted
            guard sum.isFinite else {
                throw RondoError(.notFinite, "evaluate: the loss is not finite; the model's weights are damaged")
            }
            if !onProgress(done, total) { break }
        }
        return Result(loss: sum / Double(done), predictedTokens: done, bytesPerToken: bytesPerToken)
    }
}

extension Double {
    /// A loss in bits, given in nats.
    var bitsFromNats: Double { self / 0.693_147_180_559_945_3 }
}

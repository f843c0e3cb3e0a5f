import RondoData
public import RondoModels
import RondoTensor

/// Measures a model on a text.
public enum Evaluator {
    /// The result of a measurement.
    public struct Result: Codable, Sendable, Equatable {
        /// The mean loss in nats a byte.
        public var loss: Double
        /// The number of bytes predicted.
        public var predictedBytes: Int
        /// The loss in bits a byte.
        public var bitsPerByte: Double { loss.bitsFromNats }
    }

    /// Measures a model on a part of a text, each byte predicted once, with the state carried along.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - text: The bytes.
    ///   - range: The part to predict; `nil` for all.
    ///   - batchSize: Contiguous rows read side by side, each from the initial state; 1 for one unbroken state.
    ///   - windowLength: Bytes of each row in a piece. For recurrences it is only speed; layers whose state grows begin
    ///     anew with every piece.
    ///   - onProgress: Told the bytes predicted so far and in all after every piece; `false` stops.
    /// - Returns: The mean over what was predicted.
    /// - Throws: `RondoError` if there is nothing to predict, or if the loss is not finite.
    public static func evaluate(
        _ model: LanguageModel, on text: [UInt8], in range: Range<Int>? = nil, batchSize: Int = 1,
        windowLength: Int = 256, onProgress: (_ done: Int, _ total: Int) -> Bool = { _, _ in true }
    ) throws -> Result {
        let windows = try EvaluationWindows(text, in: range, batch: batchSize, time: windowLength)
        let total = windows.predictedCount
        var state = try model.initialState(batch: windows.batch)
        var unused = Generator(seed: 0)
        var (sum, done) = (0.0, 0)
        for window in windows {
            let shape = [windows.batch, window.time]
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
        return Result(loss: sum / Double(done), predictedBytes: done)
    }
}

extension Double {
    /// A loss in bits, given in nats.
    var bitsFromNats: Double { self / 0.693_147_180_559_945_3 }
}

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
        public var bitsPerByte: Double { loss / 0.693_147_180_559_945_3 }
    }

    /// Measures a model on a part of a text with the state carried along.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - text: The bytes.
    ///   - range: The part to predict; `nil` for all.
    ///   - batchSize: Contiguous rows read side by side; 1 for one unbroken state.
    ///   - windowLength: Bytes of each row in a piece; it does not change the result.
    ///   - onProgress: Told the bytes predicted so far and in all after every piece; `false` stops.
    /// - Returns: The result.
    public static func evaluate(
        _ model: RecurrentLanguageModel, on text: [UInt8], in range: Range<Int>? = nil, batchSize: Int = 1,
        windowLength: Int = 256, onProgress: (Int, Int) -> Bool = { _, _ in true }
    ) throws -> Result {
        throw RondoError(.unavailable, "not yet")
    }
}

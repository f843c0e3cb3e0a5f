import RondoData
import RondoTensor

/// Where a run stands, besides its tensors: `training_state.json` of a checkpoint.
///
/// It holds nothing that depends on the clock, so that equal runs have equal files.
struct TrainingProgress: Codable, Sendable, Equatable {
    /// The version of the format.
    var version = 1
    /// Everything that determines the run.
    var configuration: TrainingConfiguration
    /// The fingerprint of the text.
    var corpusFingerprint: String
    /// Steps when the run is complete; `nil` until a limit in minutes was turned into steps.
    var totalSteps: Int?
    /// Steps done.
    var step = 0
    /// Bytes trained on.
    var tokens = 0
    /// Where the next window begins.
    var cursor = ContiguousStreams.Cursor()
    /// How many positions the carried state has read, by layer and stream.
    var positions: [[Int]] = []
    /// Draws dropout masks.
    var generator: Generator
    /// The best bits a byte on the validation part.
    var bestBitsPerByte: Double?
    /// Evaluations since the best.
    var evaluationsSinceBest = 0
    /// The last evaluation.
    var lastEvaluation: EvaluationMetrics?
}

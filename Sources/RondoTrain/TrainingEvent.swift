/// Something that happened in a run, in the order in which it happens.
public enum TrainingEvent: Sendable {
    /// The run begins or goes on.
    case started(TrainingPlan)
    /// A step is done.
    case step(StepMetrics)
    /// The model was measured on the validation part.
    case evaluation(EvaluationMetrics)
    /// A checkpoint is complete on the disk.
    case checkpoint(CheckpointSummary)
    /// The run is over, for whatever reason but an error.
    case finished(TrainingResult)
}

/// Hears of everything that happens in a run, on the thread that trains.
public protocol TrainingObserver: AnyObject {
    /// Takes note of an event; an error ends the run after the last good checkpoint.
    func observe(_ event: TrainingEvent) throws
}

/// What a run is going to do.
public struct TrainingPlan: Codable, Sendable, Equatable {
    /// The number of steps already done: 0 unless the run was resumed.
    public var firstStep: Int
    /// The number of steps when the run is complete.
    public var totalSteps: Int
    /// Bytes read in a step.
    public var tokensPerStep: Int
    /// Steps in one pass over the training part.
    public var stepsPerEpoch: Double
    /// The number of trainable numbers.
    public var parameterCount: Int
    /// Bytes to learn from.
    public var trainingBytes: Int
    /// Bytes to measure on.
    public var validationBytes: Int
    /// The fingerprint of the text.
    public var corpusFingerprint: String
}

/// The measurements of a step.
public struct StepMetrics: Codable, Sendable, Equatable {
    /// The number of steps done, this one included.
    public var step: Int
    /// Passes over the training part so far.
    public var epoch: Double
    /// The mean loss in nats a byte, label smoothing included.
    public var loss: Double
    /// The loss in bits a byte.
    public var bitsPerByte: Double
    /// The norm of all derivatives together, before clipping.
    public var gradientNorm: Double
    /// The learning rate of the step.
    public var learningRate: Double
    /// Bytes trained on since the beginning.
    public var tokens: Int
    /// Bytes a second, over the last few steps of this process.
    public var tokensPerSecond: Double
    /// Seconds until the end at this speed.
    public var secondsLeft: Double
    /// Seconds since the run began, in all processes together.
    public var elapsedSeconds: Double
    /// The largest number of bytes that tensors have taken in this process.
    public var peakMemoryBytes: Int
}

/// A measurement on the validation part.
public struct EvaluationMetrics: Codable, Sendable, Equatable {
    /// The number of steps done.
    public var step: Int
    /// The mean loss in nats a byte.
    public var loss: Double
    /// The loss in bits a byte.
    public var bitsPerByte: Double
    /// The number of bytes predicted.
    public var predictedBytes: Int
    /// Whether that was the whole validation part.
    public var isComplete: Bool
    /// Whether no earlier measurement of this run was better.
    public var isBest: Bool
    /// The best bits a byte so far.
    public var bestBitsPerByte: Double
}

/// A saved checkpoint.
public struct CheckpointSummary: Codable, Sendable, Equatable {
    /// The number of steps done.
    public var step: Int
    /// Where it is.
    public var path: String
    /// Whether the model is the best so far on the validation part.
    public var isBest: Bool
}

/// How a run ended.
public struct TrainingResult: Codable, Sendable, Equatable {
    /// Why a run ended.
    public enum Reason: String, Codable, Sendable {
        /// All planned steps are done.
        case completed
        /// The validation part stopped getting better.
        case earlyStop = "early_stop"
        /// Somebody asked for it; the run can be resumed.
        case interrupted
        /// The planned steps took much longer than the minutes given; the run can be resumed.
        case timeLimit = "time_limit"
    }

    /// Why the run ended.
    public var reason: Reason
    /// The number of steps done.
    public var step: Int
    /// Bytes trained on.
    public var tokens: Int
    /// Seconds since the run began, in all processes together.
    public var elapsedSeconds: Double
    /// The last measurement, if there was one.
    public var evaluation: EvaluationMetrics?
    /// The best bits a byte on the validation part, if it was measured.
    public var bestBitsPerByte: Double?
    /// The last checkpoint.
    public var checkpoint: String
}

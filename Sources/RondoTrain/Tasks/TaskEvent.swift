import RondoData

/// Something that happened in a run on a task, in the order in which it happens.
public enum TaskEvent: Sendable {
    /// The run begins or goes on.
    case started(TaskPlan)
    /// A step is done.
    case step(TaskStepMetrics)
    /// The model was measured.
    case evaluation(TaskEvaluation)
    /// A checkpoint is complete on the disk.
    case checkpoint(CheckpointSummary)
    /// The run is over, for whatever reason but an error.
    case finished(TaskResult)
}

/// Hears of everything that happens in a run on a task, on the thread that trains.
public protocol TaskObserver: AnyObject {
    /// Takes note of an event; an error ends the run after the last good checkpoint.
    func observe(_ event: TaskEvent) throws
}

/// What a run on a task is going to do.
public struct TaskPlan: Codable, Sendable, Equatable {
    /// The number of steps already done: 0 unless the run was resumed.
    public var firstStep: Int
    /// The number of steps when the run is complete.
    public var totalSteps: Int
    /// Examples of a step.
    public var batchSize: Int
    /// The number of trainable numbers.
    public var parameterCount: Int
    /// The shortest and the longest length of training.
    public var trainingLengths: ClosedRange<Int>
    /// The lengths at which the model is measured.
    public var evaluationLengths: [Int]
}

/// The measurements of a step on a task.
public struct TaskStepMetrics: Codable, Sendable, Equatable {
    /// The number of steps done, this one included.
    public var step: Int
    /// The loss: cross-entropy in nats, or the squared error.
    public var loss: Double
    /// The norm of all gradients together, before clipping.
    public var gradientNorm: Double
    /// The learning rate of the step.
    public var learningRate: Double
    /// Examples a second, over the last few steps of this process.
    public var examplesPerSecond: Double
    /// Seconds until the end at this speed.
    public var secondsLeft: Double
    /// Seconds since the beginning of this process's part of the run.
    public var elapsedSeconds: Double
}

/// How well a model did its task, length by length.
public struct TaskEvaluation: Codable, Sendable, Equatable {
    /// The number of steps done.
    public var step: Int
    /// The scores by rising length.
    public var scores: [TaskScore]

    /// Creates an evaluation.
    public init(step: Int, scores: [TaskScore]) {
        self.step = step
        self.scores = scores
    }
}

/// How a run on a task ended.
public struct TaskResult: Codable, Sendable, Equatable {
    /// Why the run ended.
    public var reason: TrainingResult.Reason
    /// The number of steps done.
    public var step: Int
    /// Seconds since the beginning of this process's part of the run.
    public var elapsedSeconds: Double
    /// The last scores; empty if nothing was measured yet.
    public var scores: [TaskScore]
    /// The last checkpoint.
    public var checkpoint: String
}

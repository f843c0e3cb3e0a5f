public import RondoData
import RondoIO
import RondoMixers
import RondoNN
import RondoTensor

/// A run on a task: training, evaluation at several lengths, and checkpoints from which it goes on bit for bit.
///
/// A value: a copy goes on by itself.
public struct TaskRun: Sendable {
    /// What is being done.
    public let configuration: TaskRunConfiguration
    /// The training, as far as it has come.
    public private(set) var trainer: TaskTrainer
    /// What was measured so far.
    public private(set) var evaluations: [TaskEvaluation] = []
    /// The lengths at which the model is measured, rising.
    public let lengths: [Int]
    private var lastCheckpoint: String?

    /// The number of steps done.
    public var step: Int { trainer.step }
    /// What is learned.
    public var task: any SequenceTask { trainer.task }

    /// Begins a run.
    ///
    /// - Parameter configuration: The run.
    /// - Throws: `RondoError` for a configuration that cannot work, before any work is done.
    public init(_ configuration: TaskRunConfiguration) throws {
        let (task, lengths) = try Self.checked(configuration)
        self.configuration = configuration
        self.lengths = lengths
        trainer = try TaskTrainer(task, configuration.training)
    }

    /// Goes on with a run from a checkpoint, bit for bit as if it had never stopped.
    ///
    /// - Parameters:
    ///   - checkpoint: The folder of a checkpoint that a store saved.
    ///   - totalSteps: A new number of steps to extend or shorten the run; `nil` keeps the plan.
    /// - Throws: `RondoError` for a damaged or foreign checkpoint.
    public init(resuming checkpoint: String, totalSteps: Int? = nil) throws {
        let progress: TaskProgress = try TrainingCheckpoint.readProgress(
            checkpoint, TrainingCheckpoint.taskProgressFile, checkedBy: TrainingCheckpoint.optimizerFile)
        var configuration = progress.configuration
        if let totalSteps {
            try requireValue(
                totalSteps >= progress.step, "steps", totalSteps, "at least the \(progress.step) already done")
            configuration.training.steps = totalSteps
        }
        let (task, lengths) = try Self.checked(configuration)
        self.configuration = configuration
        self.lengths = lengths
        let file = try TensorFile(FileSystem.join(checkpoint, TrainingCheckpoint.optimizerFile))
        trainer = try TaskTrainer(
            task, configuration.training, model: TaskModel(folder: checkpoint, for: task), examples: progress.examples,
            step: progress.step
        ) { try file.read($0.expectations) }
        evaluations = progress.evaluations
        lastCheckpoint = checkpoint
    }

    /// The run that a checkpoint belongs to; `nil` if it is none of a task.
    ///
    /// - Throws: `RondoError` if it is damaged.
    public static func configuration(of checkpoint: String) throws -> TaskRunConfiguration? {
        let path = FileSystem.join(checkpoint, TrainingCheckpoint.taskProgressFile)
        guard FileSystem.kind(of: path) == .file else { return nil }
        return try StrictJSON.decode(TaskProgress.self, contentsOf: path).configuration
    }

    /// Refuses what cannot work; a task may refuse lengths.
    private static func checked(
        _ configuration: TaskRunConfiguration
    ) throws -> (task: any SequenceTask, lengths: [Int]) {
        try configuration.validate()
        let task = try configuration.makeTask()
        let longest = configuration.training.maxLength ?? task.trainingLengths.upperBound
        let lengths = (configuration.evaluation.lengths.map { Set($0) } ?? Set(task.testLengths + [longest])).sorted()
        var scratch = Generator(seed: 0)
        for length in Set(lengths + [longest]).sorted() { _ = try task.example(length: length, using: &scratch) }
        return (task, lengths)
    }

    // MARK: - Training

    /// Trains until the plan is done or somebody asks to stop.
    ///
    /// - Parameters:
    ///   - store: Keeps the checkpoints.
    ///   - observer: Hears of every step.
    ///   - shouldStop: Asked after every step and during evaluations; `true` saves a checkpoint and returns.
    /// - Returns: How the run ended.
    /// - Throws: `RondoError` of code `notFinite` if training diverged, or what the store or the observer throws.
    public mutating func run(
        store: any CheckpointStore, observer: any TaskObserver, shouldStop: () -> Bool = { false }
    ) throws -> TaskResult {
        Runtime.threadCount = configuration.threads
        var watch = StopWatch()
        try observer.observe(.started(plan))
        var end = step == 0 ? nil : try isEvaluationMissing ? finishStep(store, observer, shouldStop) : endReason
        while end == nil {
            let rate = trainer.rateMultiplier * configuration.training.optimizer.learningRate
            let outcome = try trainer.measuredStep()
            watch.lap()
            let secondsPerStep = watch.secondsPerLap
            try observer.observe(
                .step(
                    TaskStepMetrics(
                        step: step, loss: outcome.loss, gradientNorm: outcome.gradientNorm, learningRate: rate,
                        examplesPerSecond: Double(configuration.training.batchSize) / secondsPerStep,
                        secondsLeft: Double(configuration.training.steps - step) * secondsPerStep,
                        elapsedSeconds: watch.elapsed)))
            end = try finishStep(store, observer, shouldStop)
            watch.skip()
        }
        let result = TaskResult(
            reason: end ?? .completed, step: step, elapsedSeconds: watch.elapsed,
            scores: evaluations.last?.scores ?? [], checkpoint: lastCheckpoint ?? "")
        try observer.observe(.finished(result))
        return result
    }

    /// What comes after a step's update: evaluation, checkpoint, and the question whether to go on.
    ///
    /// - Returns: Why the run ends, or `nil` if it goes on.
    private mutating func finishStep(
        _ store: any CheckpointStore, _ observer: any TaskObserver, _ shouldStop: () -> Bool
    ) throws -> TrainingResult.Reason? {
        if isEvaluationMissing, let evaluation = try evaluate(shouldStop: shouldStop) {
            evaluations.append(evaluation)
            try observer.observe(.evaluation(evaluation))
        }
        let end = endReason ?? (shouldStop() ? .interrupted : nil)
        let interval = configuration.checkpoints.interval
        if end != nil || (interval > 0 && step.isMultiple(of: interval)) {
            let path = try store.save(step: step, isBest: false) { try write(to: $0) }
            lastCheckpoint = path
            try observer.observe(.checkpoint(CheckpointSummary(step: step, path: path, isBest: false)))
        }
        return end
    }

    private var endReason: TrainingResult.Reason? {
        step >= configuration.training.steps && !isEvaluationMissing ? .completed : nil
    }

    /// Whether the scores of the last step are due and not there, as when an evaluation was interrupted.
    private var isEvaluationMissing: Bool {
        let interval = configuration.evaluation.interval
        let isDue = step >= configuration.training.steps || (interval > 0 && step.isMultiple(of: interval))
        return isDue && evaluations.last?.step != step
    }

    /// Measures the model at every length; `nil` if it was asked to stop.
    private func evaluate(shouldStop: () -> Bool) throws -> TaskEvaluation? {
        var scores: [TaskScore] = []
        for length in lengths {
            scores.append(try trainer.score(length: length, count: configuration.evaluation.examples))
            if scores.count < lengths.count, shouldStop() { return nil }
        }
        return TaskEvaluation(step: step, scores: scores)
    }

    private var plan: TaskPlan {
        TaskPlan(
            firstStep: step, totalSteps: configuration.training.steps, batchSize: configuration.training.batchSize,
            parameterCount: trainer.model.parameterCount, trainingLengths: trainer.allLengths,
            evaluationLengths: lengths)
    }

    // MARK: - Checkpoints

    /// Writes a whole checkpoint into an existing empty folder.
    ///
    /// - Throws: `RondoError` that names the file.
    public func write(to folder: String) throws {
        try trainer.model.write(to: folder, task: task)
        let progress = TaskProgress(
            configuration: configuration, step: step, examples: trainer.examples, evaluations: evaluations)
        try TrainingCheckpoint.write(
            progress, TrainingCheckpoint.taskProgressFile, checkedBy: trainer.optimizerTensors,
            TrainingCheckpoint.optimizerFile, to: folder)
    }
}

/// Where a run on a task stands, besides its tensors: `task_state.json` of a checkpoint.
struct TaskProgress: Codable, Sendable, Equatable {
    /// The version of the format.
    var version = 1
    /// Everything that determines the run.
    var configuration: TaskRunConfiguration
    /// Steps done.
    var step: Int
    /// Draws the next examples.
    var examples: Generator
    /// What was measured so far.
    var evaluations: [TaskEvaluation]
}

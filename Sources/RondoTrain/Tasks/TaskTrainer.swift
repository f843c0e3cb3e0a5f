public import RondoData
public import RondoModels
import RondoNN
import RondoTensor

/// How a model is trained on a task.
public struct TaskTraining: Codable, Sendable, Equatable {
    /// The shape of the model; its vocabulary is the task's.
    public var model: LanguageModelConfiguration
    /// Examples of a step.
    public var batchSize = 64
    /// Steps in all.
    public var steps = 1000
    /// The shortest examples; the task's if `nil`.
    public var minLength: Int?
    /// The longest examples; the task's if `nil`.
    public var maxLength: Int?
    /// The part of the steps over which the longest length grows from the shortest to its full value, in `0...1`.
    public var curriculumFraction = 0.0
    /// The rule.
    public var optimizer = OptimizerConfiguration(.adamw, learningRate: 3e-3)
    /// How the learning rate changes.
    public var schedule = ScheduleConfiguration(.constant, warmupSteps: 0)
    /// The largest norm of all gradients together; 0 for no limit.
    public var clipNorm = 1.0
    /// Noise that is added to the gradients; none by default.
    public var gradientNoise = GradientNoise()
    /// The seed of weights and examples.
    public var seed: UInt64 = 0

    /// Creates a configuration with the defaults for a model.
    public init(model: LanguageModelConfiguration) { self.model = model }

    /// Refuses values that make no sense.
    /// - Throws: `RondoError` of code `invalidArgument` that names the key.
    public func validate() throws {
        try model.validate()
        try requireValue((1...1 << 20).contains(batchSize), "batch_size", batchSize, "from 1 to 1048576")
        try requireValue((0...1 << 40).contains(steps), "steps", steps, "0 or more")
        try requireValue(
            (0...1).contains(curriculumFraction), "curriculum_fraction", curriculumFraction, "from 0 to 1")
        try requireValue(clipNorm >= 0 && clipNorm.isFinite, "clip_norm", clipNorm, "0 or more")
        try requireValue((minLength ?? 1) >= 1, "min_length", minLength ?? 1, "1 or more")
        if let minLength, let maxLength {
            try requireValue(maxLength >= minLength, "max_length", maxLength, "at least min_length = \(minLength)")
        }
        try schedule.validate()
        try gradientNoise.validate()
    }
}

/// How well a model does a task at one length.
public struct TaskScore: Codable, Sendable, Equatable {
    /// The length.
    public var length: Int
    /// The share of asked positions that were answered rightly; `nil` where answers are numbers.
    public var accuracy: Double?
    /// The share of examples in which every answer was right; `nil` where answers are numbers.
    public var exactExamples: Double?
    /// The mean squared error; `nil` where answers are classes.
    public var meanSquaredError: Double?
    /// Positions asked.
    public var asked: Int
}

/// Trains a model on a task, example after example, none twice.
///
/// A value: a copy trains on its own.
public struct TaskTrainer: Sendable {
    /// The task.
    public let task: any SequenceTask
    /// What is done.
    public let configuration: TaskTraining
    private var learner: Learner<TaskModel>
    /// Draws the examples.
    private(set) var examples: Generator

    /// The model as trained so far.
    public var model: TaskModel { learner.model }
    /// Steps done.
    public var step: Int { learner.step }

    /// Begins.
    ///
    /// - Throws: `RondoError` for a configuration that cannot work, before any work is done.
    public init(_ task: any SequenceTask, _ configuration: TaskTraining) throws {
        try configuration.validate()
        try task.validate()
        self.task = task
        self.configuration = configuration
        var generator = Generator(seed: configuration.seed)
        var weights = generator.split()
        examples = generator.split()
        learner = try Self.learner(TaskModel(for: task, configuration.model, using: &weights), configuration)
    }

    /// Goes on from a model, a generator of examples and what the optimiser remembers.
    init(
        _ task: any SequenceTask, _ configuration: TaskTraining, model: TaskModel, examples: Generator, step: Int,
        optimizer: (ParameterSet) throws -> ParameterSet
    ) throws {
        try configuration.validate()
        try task.validate()
        self.task = task
        self.configuration = configuration
        self.examples = examples
        learner = try Self.learner(model, configuration)
        try learner.restoreOptimizer(step: step, optimizer(learner.optimizerTensors))
    }

    private static func learner(_ model: TaskModel, _ configuration: TaskTraining) throws -> Learner<TaskModel> {
        try Learner(
            model, optimizer: configuration.optimizer.makeOptimizer(),
            clipNorm: configuration.clipNorm > 0 ? configuration.clipNorm : nil,
            gradientNoise: configuration.gradientNoise, seed: configuration.seed)
    }

    /// What the optimiser remembers.
    var optimizerTensors: ParameterSet { learner.optimizerTensors }
    /// The multiplier of the learning rate for the next step.
    var rateMultiplier: Double { configuration.schedule.multiplier(step: step, totalSteps: configuration.steps) }

    /// The lengths of training, from the shortest to the longest.
    public var allLengths: ClosedRange<Int> {
        let low = configuration.minLength ?? min(task.trainingLengths.lowerBound, configuration.maxLength ?? .max)
        return low...max(low, configuration.maxLength ?? task.trainingLengths.upperBound)
    }

    /// The lengths that the next step draws from.
    public var lengths: ClosedRange<Int> {
        let (low, high) = (allLengths.lowerBound, allLengths.upperBound)
        let rampSteps = configuration.curriculumFraction * Double(configuration.steps)
        guard Double(step) < rampSteps else { return low...high }
        return low...(low + Int(Double(high - low) * Double(step) / rampSteps))
    }

    /// Does one step.
    ///
    /// - Returns: The loss before it.
    /// - Throws: `RondoError` of code `notFinite` if training diverged.
    @discardableResult
    public mutating func takeStep() throws -> Double { try measuredStep().loss }

    /// Does one step and says all that it measured.
    mutating func measuredStep() throws -> Learner<TaskModel>.Outcome {
        let length = Int.random(in: lengths, using: &examples)
        let batch = try task.batch(configuration.batchSize, length: length, using: &examples)
        return try learner.step(rateMultiplier: rateMultiplier) { try $0.loss(batch) }
    }

    /// Does the steps that are left.
    ///
    /// - Parameter onStep: Told the number of steps done and the loss after each; it may throw to stop.
    /// - Throws: `RondoError` of code `notFinite` if training diverged, or what `onStep` throws.
    public mutating func run(_ onStep: (_ step: Int, _ loss: Double) throws -> Void = { _, _ in }) throws {
        while step < configuration.steps {
            let loss = try takeStep()
            try onStep(step, loss)
        }
    }

    /// Measures the model on fresh examples of one length, the same for every model.
    ///
    /// - Parameters:
    ///   - length: The length.
    ///   - count: How many examples.
    ///   - seed: Draws them; independent of training.
    /// - Returns: How well it does.
    /// - Throws: `RondoError` for a length that the task cannot have.
    public func score(length: Int, count: Int = 256, seed: UInt64 = 0x5c0e) throws -> TaskScore {
        try model.score(on: task, length: length, count: count, seed: seed)
    }
}

extension TaskModel {
    /// Measures the model on examples of one length.
    ///
    /// - Parameters:
    ///   - task: The task.
    ///   - length: The length.
    ///   - count: How many examples.
    ///   - seed: Draws them.
    /// - Returns: How well it does.
    /// - Throws: `RondoError` if the task does not fit the model.
    public func score(on task: some SequenceTask, length: Int, count: Int = 256, seed: UInt64) throws -> TaskScore {
        var generator = Generator(seed: seed, stream: UInt64(length))
        var score = TaskScore(length: length, asked: 0)
        var (right, exact, squares) = (0, 0, 0.0)
        var left = count
        while left > 0 {
            // About as much at once as fits a cache.
            let rows = min(left, max(1, 16_384 / max(1, length)))
            left -= rows
            let batch = try task.batch(rows, length: length, using: &generator)
            var state = try initialState(batch: rows)
            let outputs = try self(batch.inputs, state: &state)
            score.asked += batch.askedCount
            if case .values(let width) = task.output {
                squares += try Self.loss(outputs, batch).scalar() * Double(batch.askedCount * width)
            } else {
                let hits = try Self.hits(outputs, batch)
                right += hits.positions
                exact += hits.examples
            }
        }
        if case .values(let width) = task.output {
            score.meanSquaredError = squares / Double(max(1, score.asked * width))
        } else {
            score.accuracy = Double(right) / Double(max(1, score.asked))
            score.exactExamples = Double(exact) / Double(count)
        }
        return score
    }

    private static func hits(_ outputs: Tensor, _ batch: TaskBatch) throws -> (positions: Int, examples: Int) {
        let guesses = try outputs.argmax().array(of: Int32.self)
        let answers = try batch.targets.array(of: Int32.self)
        let time = batch.targets.shape[1]
        var (positions, examples) = (0, 0)
        for row in 0..<batch.targets.shape[0] {
            var wrong = false
            for index in row * time..<(row + 1) * time where answers[index] != TaskExample.unasked {
                if guesses[index] == answers[index] { positions += 1 } else { wrong = true }
            }
            if !wrong { examples += 1 }
        }
        return (positions, examples)
    }
}

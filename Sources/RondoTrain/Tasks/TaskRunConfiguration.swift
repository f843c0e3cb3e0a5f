public import RondoData
public import RondoIO
public import RondoModels
import RondoTensor

/// Everything that determines a training run on a task: it makes the same model, bit for bit.
///
/// In JSON the keys of ``TaskTraining`` stand beside the others, as `steps` and `model.mixer`.
public struct TaskRunConfiguration: Codable, Sendable, Equatable {
    /// When and at which lengths the model is measured.
    public struct Evaluation: Codable, Sendable, Equatable {
        /// Steps between two evaluations; 0 for the end only.
        public var interval = 250
        /// The lengths; those of the task, and the longest of training, if `nil`.
        public var lengths: [Int]?
        /// Examples of each length.
        public var examples = 256

        /// Creates the default.
        public init() {}
    }

    /// The name of the task; ``TaskRegistry`` knows it.
    public var task: String
    /// Options of the task that differ from its defaults.
    public var taskOptions: JSONValue?
    /// How the model is trained.
    public var training: TaskTraining
    /// Evaluation.
    public var evaluation = Evaluation()
    /// Checkpoints.
    public var checkpoints = TrainingConfiguration.Checkpoints()
    /// Threads to compute with, which never change a result; 0 for one a core.
    public var threads = 0

    private enum CodingKeys: String, CodingKey {
        case task, taskOptions, evaluation, checkpoints, threads
    }

    /// Creates the default for a task: two layers of LSTM.
    public init(task: String, model: LanguageModelConfiguration = .init()) {
        self.task = task
        training = TaskTraining(model: model)
    }

    /// Reads a configuration.
    public init(from decoder: any Decoder) throws {
        training = try TaskTraining(from: decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        task = try values.decode(String.self, forKey: .task)
        taskOptions = try values.decodeIfPresent(JSONValue.self, forKey: .taskOptions)
        evaluation = try values.decode(Evaluation.self, forKey: .evaluation)
        checkpoints = try values.decode(TrainingConfiguration.Checkpoints.self, forKey: .checkpoints)
        threads = try values.decode(Int.self, forKey: .threads)
    }

    /// Writes the configuration.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(task, forKey: .task)
        try values.encodeIfPresent(taskOptions, forKey: .taskOptions)
        try training.encode(to: encoder)
        try values.encode(evaluation, forKey: .evaluation)
        try values.encode(checkpoints, forKey: .checkpoints)
        try values.encode(threads, forKey: .threads)
    }

    /// The task with its options.
    ///
    /// - Throws: `RondoError` that names an unknown task or option and the closest known one.
    public func makeTask() throws -> any SequenceTask {
        do {
            return try TaskRegistry.make(task, options: taskOptions)
        } catch let error as RondoError {
            // Also a task that does not exist is a wrong value of the configuration.
            throw RondoError(.invalidArgument, error.message)
        }
    }

    /// Refuses what cannot be trained, before any work is done.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` that names the key and its range.
    public func validate() throws {
        do { try training.model.validate() } catch let error as RondoError {
            throw RondoError(error.code, "model.\(error.message)")
        }
        try training.validate()
        _ = try training.optimizer.makeOptimizer()
        try requireValue(training.steps >= 1, "steps", training.steps, "at least 1")
        for (key, value, least) in [
            ("evaluation.interval", evaluation.interval, 0), ("evaluation.examples", evaluation.examples, 1),
            ("checkpoints.interval", checkpoints.interval, 0), ("checkpoints.keep_last", checkpoints.keepLast, 1),
            ("threads", threads, 0),
        ] {
            try requireValue((least...1 << 40).contains(value), key, value, "at least \(least)")
        }
        let lengths = evaluation.lengths
        try requireValue(lengths != [], "evaluation.lengths", "[]", "a list of lengths, or null for those of the task")
        for length in lengths ?? [] {
            try requireValue((1...1 << 24).contains(length), "evaluation.lengths", length, "from 1 to 16777216")
        }
    }
}

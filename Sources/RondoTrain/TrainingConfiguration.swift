public import RondoModels
import RondoTensor

/// Everything that determines a training run: with the same text, it makes the same model, bit for bit.
///
/// In JSON the keys are in snake_case. Limits of the length (`steps`, `epochs`, `minutes`) exclude each other.
public struct TrainingConfiguration: Codable, Sendable, Equatable {
    /// What to train on.
    public struct Data: Codable, Sendable, Equatable {
        /// Files, folders, or `-` for standard input; empty for the project's own text.
        public var text: [String] = []
        /// The part of the bytes at the end of the text that is kept for validation, in `0..<1`.
        public var validationFraction = 0.1
        /// The folder or the `tokenizer.json` of the tokenizer; the bytes themselves if `nil`.
        public var tokenizer: String?

        /// Creates the default: the project's own text, a tenth of it for validation.
        public init() {}
    }

    /// Small additions that are trained instead of the model.
    public struct Adapters: Codable, Sendable, Equatable {
        /// The rank of additions to matrices (LoRA); 0 for none.
        public var loraRank = 0
        /// The numerator of their scale; twice the rank if `nil`.
        public var loraAlpha: Double?
        /// The ends of the paths of the matrices, as `mixer.input`; all matrices of the layers if empty.
        public var loraTargets: [String] = []
        /// Whether the initial state is learned; every window then begins with it.
        public var tunesState = false

        /// Creates the default: none.
        public init() {}

        /// Whether the model itself stays as it is.
        public var isUsed: Bool { loraRank > 0 || tunesState }
    }

    /// When and on how much of the validation part the model is measured.
    public struct Evaluation: Codable, Sendable, Equatable {
        /// Steps between two evaluations; 0 for the end only.
        public var interval = 250
        /// The most validation bytes that are measured, from the beginning of the part; 0 for all.
        public var limitBytes = 131_072
        /// How many contiguous rows the validation part is cut into; the state is carried along each row.
        public var batchSize = 32
        /// Evaluations without a new best result before training stops; 0 for never.
        public var patience = 0

        /// Creates the default.
        public init() {}
    }

    /// When checkpoints are saved, and how many are kept.
    public struct Checkpoints: Codable, Sendable, Equatable {
        /// Steps between two checkpoints; 0 for the end only.
        public var interval = 500
        /// How many of the latest are kept, besides the best.
        public var keepLast = 2

        /// Creates the default.
        public init() {}
    }

    /// The model.
    public var model: LanguageModelConfiguration
    /// The folder of the model to go on from; a new one if `nil`.
    public var initialModel: String?
    /// The model type of that folder, if another program wrote it: adapters are saved under its names.
    public var modelFamily: String?
    /// Additions that are trained instead of the model.
    public var adapters = Adapters()
    /// The text.
    public var data = Data()
    /// The number of contiguous streams that are read side by side.
    public var batchSize = 16
    /// The number of bytes of each stream in a step: how far derivatives flow back in time.
    public var windowLength = 96
    /// Windows whose derivatives are averaged for one update.
    public var accumulation = 1
    /// The number of updates, if that is the limit.
    public var steps: Int?
    /// The number of passes over the training part, if that is the limit.
    public var epochs: Double?
    /// The time to train for, if that is the limit.
    ///
    /// The speed is measured first and turned into a number of steps, so that the clock decides nothing later. A run
    /// that takes half as much time again is stopped.
    public var minutes: Double? = 5
    /// How derivatives become updates.
    public var optimizer = OptimizerConfiguration(learningRate: 4e-3)
    /// How the learning rate changes.
    public var schedule = ScheduleConfiguration(warmupSteps: 20)
    /// The largest norm of all derivatives together, to which longer ones are scaled down; 0 for no limit.
    public var clipNorm = 1.0
    /// Noise that is added to the derivatives; none by default.
    public var gradientNoise = GradientNoise()
    /// The share of the old average in the average of the weights, in `0..<1`; 0 for no average.
    public var emaDecay = 0.0
    /// The probability mass that the loss spreads over all bytes, in `0..<1`.
    public var labelSmoothing = 0.0
    /// Evaluation.
    public var evaluation = Evaluation()
    /// Checkpoints.
    public var checkpoints = Checkpoints()
    /// The seed of everything random.
    public var seed: UInt64 = 0
    /// Threads to compute with, which never change a result; 0 for one a core.
    public var threads = 0

    /// Creates a configuration with the defaults for a model.
    public init(model: LanguageModelConfiguration = .init()) { self.model = model }
}

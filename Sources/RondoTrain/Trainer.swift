public import RondoData
public import RondoModels
import RondoTensor

/// Trains a recurrent language model on a text: truncated backpropagation with the state carried along.
public struct Trainer: Sendable {
    /// What is being done.
    public let configuration: TrainingConfiguration
    /// The model as trained so far.
    public private(set) var model: RecurrentLanguageModel

    /// Begins a run.
    ///
    /// - Parameters:
    ///   - configuration: The run.
    ///   - corpus: The text that the configuration names.
    /// - Throws: `RondoError` for a configuration or a text that cannot work, before any work is done.
    public init(_ configuration: TrainingConfiguration, corpus: Corpus) throws {
        throw RondoError(.unavailable, "not yet")
    }

    /// Goes on with a run from a checkpoint, bit for bit as if it had never stopped.
    ///
    /// - Parameters:
    ///   - checkpoint: The folder of a checkpoint that a store saved.
    ///   - corpus: The same text as before.
    ///   - totalSteps: A new number of steps to extend or shorten the run; `nil` keeps the plan.
    /// - Throws: `RondoError` for a damaged or foreign checkpoint, or another text.
    public init(resuming checkpoint: String, corpus: Corpus, totalSteps: Int? = nil) throws {
        throw RondoError(.unavailable, "not yet")
    }

    /// Trains until the plan is done, the validation part stops getting better, or somebody asks to stop.
    ///
    /// - Parameters:
    ///   - store: Keeps the checkpoints.
    ///   - observer: Hears of every step.
    ///   - shouldStop: Asked after every step; `true` saves a checkpoint and returns.
    /// - Returns: How the run ended.
    /// - Throws: `RondoError` of code `notFinite` that names the first bad layer when a number stops being finite, or
    ///   what the store or the observer throws.
    public mutating func run(
        store: any CheckpointStore, observer: any TrainingObserver, shouldStop: () -> Bool = { false }
    ) throws -> TrainingResult {
        throw RondoError(.unavailable, "not yet")
    }
}

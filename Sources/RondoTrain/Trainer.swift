import RondoCheckpoints
public import RondoData
import RondoIO
import RondoMixers
public import RondoModels
import RondoNN
import RondoTensor
public import RondoTokenizers

/// Trains a recurrent language model on a text: truncated backpropagation with the state carried along.
///
/// A trainer is a value: a copy trains on its own.
public struct Trainer: Sendable {
    /// What is trained, as far as it has come.
    public package(set) var trained: TrainedModel
    /// The text.
    let corpus: TokenizedCorpus
    let optimizer: any Optimizer
    var progress: TrainingProgress
    var streams: ContiguousStreams
    var optimizerState: OptimizerState
    var average: WeightAverage?
    /// The recurrent state after the last window.
    var carried: ModelState
    /// Files that every checkpoint holds besides its own, by name: the tokenizer's.
    public var companions: [String: [UInt8]] = [:]
    /// The last checkpoint of this run, if there is one.
    var lastCheckpoint: String?

    /// What is being done.
    public var configuration: TrainingConfiguration { progress.configuration }
    /// The number of steps done.
    public var step: Int { progress.step }
    /// The number of steps when the run is complete; `nil` while a limit in minutes waits for the speed.
    public var totalSteps: Int? { progress.totalSteps }
    /// The model as trained so far.
    public var model: LanguageModel { get throws { try trained.model() } }
    /// The model to measure and to use: the averaged weights if an average is kept.
    public var bestEstimate: LanguageModel {
        get throws { try (average?.applied(to: trained) ?? trained).model() }
    }

    /// Begins a run.
    ///
    /// - Parameters:
    ///   - configuration: The run.
    ///   - corpus: The text that the configuration names.
    ///   - tokenizer: What makes tokens of it; the bytes themselves unless given.
    ///   - initial: The model to go on from, of the configuration's shape; a random one if `nil`. If the configuration
    ///     asks for adapters, it stays as it is.
    /// - Throws: `RondoError` for a configuration or a text that cannot work, before any work is done.
    public init(
        _ configuration: TrainingConfiguration, corpus: Corpus, tokenizer: any Tokenizer = ByteVocabulary(),
        initial: LanguageModel? = nil
    ) throws {
        try configuration.validate()
        var generator = Generator(seed: configuration.seed)
        var initialization = generator.split()
        let progress = TrainingProgress(
            configuration: configuration, corpusFingerprint: corpus.fingerprint, generator: generator.split())
        // The text is looked at first: making a large model takes time.
        let (text, streams) = try Self.layOut(corpus, tokenizer, configuration)
        let model = try initial ?? LanguageModel(configuration.model, using: &initialization)
        let trained = try configuration.adapters.trained(model, using: &initialization)
        try self.init(progress, trained: trained, corpus: text, streams: streams)
        self.progress.totalSteps = configuration.totalSteps(windowsPerEpoch: streams.windowsPerEpoch)
    }

    /// Goes on with a run from a checkpoint, bit for bit as if it had never stopped.
    ///
    /// - Parameters:
    ///   - checkpoint: The folder of a checkpoint that a store saved.
    ///   - corpus: The same text as before.
    ///   - tokenizer: The same tokenizer as before.
    ///   - base: The frozen model, if adapters are trained.
    ///   - totalSteps: A new number of steps to extend or shorten the run; `nil` keeps the plan.
    /// - Throws: `RondoError` for a damaged or foreign checkpoint, or another text.
    public init(
        resuming checkpoint: String, corpus: Corpus, tokenizer: any Tokenizer = ByteVocabulary(),
        base: LanguageModel? = nil, totalSteps: Int? = nil
    ) throws {
        let progress = try TrainingCheckpoint.readProgress(checkpoint)
        try progress.configuration.validate()
        try corpus.requireFingerprint(progress.corpusFingerprint)
        let (text, streams) = try Self.layOut(corpus, tokenizer, progress.configuration)
        let trained = try Self.restored(checkpoint, progress.configuration, base: base)
        guard try trained.base.configuration == progress.configuration.model.completed() else {
            throw RondoError(
                .corruptFile,
                "checkpoint '\(checkpoint)': \(ModelFolder.configuration) and "
                    + "\(TrainingCheckpoint.progressFile) describe different models; resume from an earlier checkpoint")
        }
        try self.init(progress, trained: trained, corpus: text, streams: streams)
        try restore(from: checkpoint)
        if let totalSteps {
            try requireValue(totalSteps >= step, "steps", totalSteps, "at least the \(step) already done")
            self.progress.totalSteps = totalSteps
        }
    }

    private init(
        _ progress: TrainingProgress, trained: TrainedModel, corpus: TokenizedCorpus, streams: ContiguousStreams
    ) throws {
        let configuration = progress.configuration
        let optimizer = try configuration.optimizer.makeOptimizer()
        self.progress = progress
        self.trained = trained
        self.corpus = corpus
        self.streams = streams
        self.optimizer = optimizer
        optimizerState = try OptimizerState(for: optimizer, module: trained, role: trained.role)
        carried = try trained.base.initialState(batch: configuration.batchSize)
        average =
            try configuration.emaDecay > 0
            ? WeightAverage(decay: configuration.emaDecay, parameters: trained.parameters) : nil
    }

    /// Splits and encodes the text and lays out the training part; refuses a text that is too short, and a tokenizer
    /// that has more tokens than the model.
    private static func layOut(
        _ corpus: Corpus, _ tokenizer: any Tokenizer, _ configuration: TrainingConfiguration
    ) throws -> (TokenizedCorpus, ContiguousStreams) {
        try requireValue(
            configuration.model.vocabSize >= tokenizer.vocabularySize, "model.vocab_size",
            configuration.model.vocabSize, "at least the \(tokenizer.vocabularySize) tokens of the tokenizer")
        let text = try TokenizedCorpus(
            corpus, tokenizer: tokenizer, validationFraction: configuration.data.validationFraction)
        let streams = try ContiguousStreams(
            text.text, in: text.split.training, batch: configuration.batchSize, time: configuration.windowLength,
            seed: configuration.seed)
        return (text, streams)
    }
}

// MARK: - Checkpoints

extension Trainer {
    /// Writes a whole checkpoint into an existing empty folder.
    ///
    /// - Throws: `RondoError` that names the file.
    public func write(to folder: String) throws {
        try write(trained, to: folder)
        for (name, content) in companions.sorted(by: { $0.key < $1.key }) {
            try AtomicFile.write(content, to: FileSystem.join(folder, name))
        }
        try TensorFile.write(
            optimizerState.named, to: FileSystem.join(folder, TrainingCheckpoint.optimizerFile))
        if let average, case .whole(let model) = average.applied(to: trained) {
            try model.writeWeights(to: FileSystem.join(folder, ModelFolder.averagedWeights))
        }
        var progress = progress
        progress.positions = carried.layerPositions
        try TrainingCheckpoint.write(progress, state: carried.named, to: folder)
    }

    private func write(_ trained: TrainedModel, to folder: String) throws {
        switch trained {
        case .whole(let model): try model.write(to: folder)
        case .adapted(let base, let adapters):
            try adapters.write(
                to: folder, base: base, folder: configuration.initialModel ?? "", family: configuration.modelFamily)
        }
    }

    /// What a checkpoint holds of a model.
    private static func restored(
        _ checkpoint: String, _ configuration: TrainingConfiguration, base: LanguageModel?
    ) throws -> TrainedModel {
        guard configuration.adapters.isUsed else {
            return .whole(try LanguageModel(folder: checkpoint, averaged: false))
        }
        guard let base else {
            throw RondoError(.invalidArgument, "checkpoint '\(checkpoint)' holds adapters; their model is needed too")
        }
        let adapters = try ModelAdapters(folder: checkpoint, for: base, family: configuration.modelFamily)
        return .adapted(base: base, adapters)
    }

    private mutating func restore(from folder: String) throws {
        let optimizerFile = try TensorFile(FileSystem.join(folder, TrainingCheckpoint.optimizerFile))
        try optimizerState.restore(
            step: step, from: optimizerFile.read(optimizerState.named.expectations))
        let states = try TensorFile(FileSystem.join(folder, TrainingCheckpoint.stateFile))
        carried = try carried.restored(from: states, positions: progress.positions)
        if let average {
            let file = try TensorFile(FileSystem.join(folder, ModelFolder.averagedWeights))
            self.average = try WeightAverage(
                decay: average.decay, parameters: file.read(trained.expectations), count: step)
        }
        try streams.restore(progress.cursor)
        lastCheckpoint = folder
    }
}

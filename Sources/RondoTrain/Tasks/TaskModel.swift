public import RondoData
public import RondoModels
public import RondoNN
public import RondoTensor

/// A model that fits a task: a language model for tokens and classes, else a model of signals.
public struct TaskModel: Module {
    /// For tasks of tokens with classes as answers; its vocabulary covers both.
    public private(set) var language: LanguageModel?
    /// For tasks of features, or with numbers as answers.
    public private(set) var signal: SignalModel?

    /// Creates a model with random weights.
    ///
    /// - Parameters:
    ///   - task: What it will learn, which decides about its input and output.
    ///   - configuration: The shape of its layers.
    ///   - generator: Draws the weights.
    /// - Throws: `RondoError` for an impossible configuration.
    public init(
        for task: some SequenceTask, _ configuration: LanguageModelConfiguration, using generator: inout Generator
    ) throws {
        if Self.isLanguage(task) {
            var configuration = configuration
            configuration.vocabSize = max(2, task.input.size, task.output.size)
            language = try LanguageModel(configuration, using: &generator)
        } else {
            signal = try SignalModel(
                configuration, inputSize: task.input.size, outputSize: task.output.size, using: &generator)
        }
    }

    /// Takes over a model that exists.
    public init(language: LanguageModel) { self.language = language }

    /// Takes over a model that exists.
    init(signal: SignalModel) { self.signal = signal }

    /// Whether a task's model is one of tokens.
    static func isLanguage(_ task: some SequenceTask) -> Bool {
        if case (.tokens, .classes) = (task.input, task.output) { true } else { false }
    }

    /// The state before the first position of `batch` sequences.
    public func initialState(batch: Int) throws -> ModelState {
        if let language { return try language.initialState(batch: batch) }
        return try signal?.initialState(batch: batch) ?? ModelState(layers: [])
    }

    /// Reads a piece: scores of classes, or numbers, `[batch, time, outputs]`.
    ///
    /// - Parameters:
    ///   - inputs: As in ``TaskBatch``; a model of signals reads tokens as one-hot vectors.
    ///   - state: The state before; becomes the one after.
    /// - Returns: `[batch, time, outputs]`.
    /// - Throws: `RondoError` if shapes do not fit.
    public func callAsFunction(_ inputs: Tensor, state: inout ModelState) throws -> Tensor {
        if let language { return try language.logits(inputs, state: &state) }
        guard let signal else { return inputs }
        var unused = Generator(seed: 0)
        let features = inputs.dtype == .int32 ? try Self.oneHot(inputs, signal.inputSize) : inputs
        return try signal(features, state: &state, training: false, using: &unused)
    }

    /// The same model for signals of another sampling rate; see ``SignalModel/resampled(by:)``.
    ///
    /// - Parameter factor: What multiplies all step sizes: 2 for signals sampled half as often.
    /// - Returns: The model for such signals.
    /// - Throws: `RondoError` of code `unavailable` if it is no model of signals, or a mixer has no step sizes.
    public func resampled(by factor: Double) throws -> TaskModel {
        guard let signal else { throw RondoError(.unavailable, "a model of tokens has no sampling rate") }
        var copy = self
        copy.signal = try signal.resampled(by: factor)
        return copy
    }

    private static func oneHot(_ tokens: Tensor, _ count: Int) throws -> Tensor {
        let rows = try Tensor.identity(count).takingRows(tokens.reshaped([tokens.count]))
        return try rows.reshaped(tokens.shape + [count])
    }

    /// The mean loss over what a batch asks: cross-entropy in nats, or the squared error.
    ///
    /// - Throws: `RondoError` if the batch does not fit the model.
    public func loss(_ batch: TaskBatch) throws -> Tensor {
        var state = try initialState(batch: batch.inputs.shape[0])
        return try Self.loss(self(batch.inputs, state: &state), batch)
    }

    static func loss(_ outputs: Tensor, _ batch: TaskBatch) throws -> Tensor {
        guard batch.targets.dtype.isDifferentiable else {
            // Scores of tokens that are no class stay: they learn to be unlikely.
            return try Loss.crossEntropy(outputs, batch.targets, ignoredTarget: TaskExample.unasked)
        }
        let width = batch.targets.shape[2]
        let squares = try (outputs - batch.targets).square() * batch.asked.expanded(at: 2)
        return try squares.sum() / Double(max(1, batch.askedCount * width))
    }

    /// Visits every parameter of the model inside.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try language?.forEachParameter(visit)
        try signal?.forEachParameter(visit)
    }
}

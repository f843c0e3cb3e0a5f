public import RondoNN
public import RondoTensor

/// A module being trained on whatever loss it is given: the module, its optimiser, and what that remembers.
///
/// The small loop for tasks and experiments; ``Trainer`` is the large one for texts. A value: a copy trains on its own.
public struct Learner<Model: Module>: Sendable {
    /// What a step measured.
    public struct Outcome: Sendable, Equatable {
        /// The loss before the step.
        public var loss: Double
        /// The norm of all gradients before clipping.
        public var gradientNorm: Double
    }

    /// The module as trained so far.
    public private(set) var model: Model
    /// The rule.
    public let optimizer: any Optimizer
    /// The largest norm of all gradients together; `nil` for no limit.
    public let clipNorm: Double?
    /// What is added to the gradients.
    public let gradientNoise: GradientNoise
    /// The seed of the noise.
    public let seed: UInt64
    /// A limit that takes the place of ``clipNorm``, if there is one.
    public let clipping: GradientClipping?
    /// Steps done.
    public var step: Int { state.step }
    /// What the optimiser remembers, by path and name, for checkpoints.
    public var optimizerTensors: ParameterSet { state.named }
    private var state: OptimizerState

    /// Begins.
    ///
    /// - Parameters:
    ///   - model: The module.
    ///   - optimizer: The rule.
    ///   - clipNorm: The largest norm of all gradients together; `nil` for no limit.
    ///   - gradientNoise: What is added to the gradients; none by default.
    ///   - seed: The seed of the noise.
    /// - Throws: `RondoError` if a parameter is of a type that cannot be trained, or for impossible noise.
    public init(
        _ model: Model, optimizer: any Optimizer, clipNorm: Double? = 1,
        gradientNoise: GradientNoise = GradientNoise(), seed: UInt64 = 0
    ) throws {
        try gradientNoise.validate()
        self.model = model
        self.optimizer = optimizer
        self.clipNorm = clipNorm
        self.gradientNoise = gradientNoise
        self.seed = seed
        clipping = nil
        state = try OptimizerState(for: optimizer, module: model)
    }

    /// Begins with another limit for gradients.
    ///
    /// - Parameters:
    ///   - model: The module.
    ///   - optimizer: The rule.
    ///   - clipping: The limit.
    /// - Throws: `RondoError` if a parameter is of a type that cannot be trained.
    public init(_ model: Model, optimizer: any Optimizer, clipping: GradientClipping) throws {
        self.model = model
        self.optimizer = optimizer
        self.clipping = clipping
        (clipNorm, gradientNoise, seed) = (nil, GradientNoise(), 0)
        state = try OptimizerState(for: optimizer, module: model)
    }

    /// Takes over what the optimiser of an earlier process remembered, bit for bit.
    ///
    /// - Parameters:
    ///   - step: Steps done then.
    ///   - tensors: Its ``optimizerTensors``.
    /// - Throws: `RondoError` if they are not those of this module and rule; then nothing has changed.
    public mutating func restoreOptimizer(step: Int, _ tensors: ParameterSet) throws {
        try state.restore(step: step, from: tensors)
    }

    /// Does one step.
    ///
    /// - Parameters:
    ///   - rateMultiplier: What multiplies the learning rate.
    ///   - loss: The loss of the module, a scalar.
    /// - Returns: The measurements.
    /// - Throws: `RondoError` of code `notFinite` if the loss or a gradient is not finite; then nothing has changed.
    @discardableResult
    public mutating func step(
        rateMultiplier: Double = 1, _ loss: (Model) throws -> Tensor
    ) throws -> Outcome {
        let (value, gradients) = try model.valueAndGradients(loss)
        return try step(rateMultiplier: rateMultiplier, loss: value.scalar(), gradients: gradients)
    }

    /// Does one step with gradients that were computed elsewhere, as by ``TruncatedBackpropagation``.
    ///
    /// - Parameters:
    ///   - rateMultiplier: What multiplies the learning rate.
    ///   - loss: The loss, for the record.
    ///   - gradients: The gradients of all parameters.
    /// - Returns: The measurements.
    /// - Throws: `RondoError` of code `notFinite` if the loss or a gradient is not finite; then nothing has changed.
    @discardableResult
    public mutating func step(rateMultiplier: Double = 1, loss: Double, gradients: ParameterSet) throws -> Outcome {
        let norm = try GradientNorm(of: gradients)
        let outcome = Outcome(loss: loss, gradientNorm: norm.value)
        guard outcome.loss.isFinite, norm.value.isFinite else {
            let culprit = norm.firstNonFinite.map { "the gradient of '\($0)'" } ?? "the loss (\(outcome.loss))"
            throw RondoError(
                .notFinite, "step \(step + 1): \(culprit) is not finite; lower the learning rate or clip the gradients")
        }
        let limited = try clipping.map { try $0(gradients, norm: norm) } ?? gradients
        let prepared = try gradientNoise.prepare(limited, norm: norm, clipNorm: clipNorm, update: step, seed: seed)
        try state.update(
            &model, gradients: prepared.gradients, by: optimizer, rateMultiplier: rateMultiplier,
            gradientScale: prepared.scale)
        return outcome
    }

    /// Changes the module between steps, as by pruning; its parameters must keep their paths and shapes.
    public mutating func modify(_ change: (inout Model) throws -> Void) rethrows { try change(&model) }
}

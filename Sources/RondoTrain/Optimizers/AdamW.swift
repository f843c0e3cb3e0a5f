public import RondoTensor

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
public struct AdamW: Optimizer {
    /// η before the schedule.
    public var learningRate: Double
    /// Decay of the mean of gradients.
    public var beta1: Double
    /// Decay of the mean of squared gradients.
    public var beta2: Double
    /// Added to the root of the bias-corrected second moment.
    public var epsilon: Double
    /// λ of matrices.
    public var weightDecay: Double
    /// Whether embeddings decay too.
    public var decaysEmbeddings: Bool

    /// Creates the rule; the defaults are those of sequence models.
    public init(
        learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8,
        weightDecay: Double = 0.1, decaysEmbeddings: Bool = false
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.decaysEmbeddings = decaysEmbeddings
    }

    /// The two moments.
    public func stateNames(for role: ParameterRole) -> [String] { ["first_moment", "second_moment"] }

    /// θ ← (1 - ηλ) θ - η m̂ / (√v̂ + ε).
    public func update(
        _ parameter: inout Tensor, gradient: Tensor, state: inout [Tensor], _ step: OptimizerStep
    ) throws {
        try OptimizerKernel.adamW(beta1: beta1, beta2: beta2, epsilon: epsilon, step: step.number).update(
            &parameter, gradient: gradient, state: &state, rate: step.rate,
            decay: step.role.decays(embeddings: decaysEmbeddings) ? weightDecay : 0, gradientScale: step.gradientScale)
    }
}

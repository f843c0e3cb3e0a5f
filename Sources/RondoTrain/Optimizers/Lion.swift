public import RondoTensor

/// Lion (Chen et al., 2023): the sign of an interpolated momentum.
///
/// Rates lie 3 to 10 times below AdamW's, weight decay as much above.
public struct Lion: Optimizer {
    /// η before the schedule: how far every weight moves.
    public var learningRate: Double
    /// Share of the momentum in the step's direction.
    public var beta1: Double
    /// Decay of the momentum.
    public var beta2: Double
    /// λ of matrices.
    public var weightDecay: Double
    /// Whether embeddings decay too.
    public var decaysEmbeddings: Bool

    /// Creates the rule.
    public init(
        learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.99, weightDecay: Double = 0.3,
        decaysEmbeddings: Bool = false
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.weightDecay = weightDecay
        self.decaysEmbeddings = decaysEmbeddings
    }

    /// The momentum.
    public func stateNames(for role: ParameterRole) -> [String] { ["momentum"] }

    /// θ ← θ - η (sign(β₁ m + (1 - β₁) g) + λ θ); m ← β₂ m + (1 - β₂) g.
    public func update(
        _ parameter: inout Tensor, gradient: Tensor, state: inout [Tensor], _ step: OptimizerStep
    ) throws {
        try OptimizerKernel.lion(beta1: beta1, beta2: beta2).update(
            &parameter, gradient: gradient, state: &state, rate: step.rate,
            decay: step.role.decays(embeddings: decaysEmbeddings) ? weightDecay : 0, gradientScale: step.gradientScale)
    }
}

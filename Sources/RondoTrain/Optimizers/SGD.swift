public import RondoTensor

/// Stochastic gradient descent, with momentum if wanted (PyTorch's definition, dampening 0).
public struct SGD: Optimizer {
    /// η before the schedule.
    public var learningRate: Double
    /// μ; 0 keeps no state.
    public var momentum: Double
    /// Whether the step looks ahead: g + μ b instead of b.
    public var nesterov: Bool
    /// λ of matrices.
    public var weightDecay: Double
    /// Whether decay shrinks the weights directly instead of joining the gradient.
    public var decoupledDecay: Bool
    /// Whether embeddings decay too.
    public var decaysEmbeddings: Bool

    /// Creates the rule.
    public init(
        learningRate: Double, momentum: Double = 0.9, nesterov: Bool = false, weightDecay: Double = 0,
        decoupledDecay: Bool = false, decaysEmbeddings: Bool = false
    ) {
        self.learningRate = learningRate
        self.momentum = momentum
        self.nesterov = nesterov
        self.weightDecay = weightDecay
        self.decoupledDecay = decoupledDecay
        self.decaysEmbeddings = decaysEmbeddings
    }

    /// The momentum buffer, if there is momentum.
    public func stateNames(for role: ParameterRole) -> [String] { momentum == 0 ? [] : ["momentum"] }

    /// b ← μ b + g; θ ← θ - η b.
    public func update(
        _ parameter: inout Tensor, gradient: Tensor, state: inout [Tensor], _ step: OptimizerStep
    ) throws {
        let kernel = OptimizerKernel.sgd(
            momentum: momentum, nesterov: nesterov, decoupledDecay: decoupledDecay, first: step.number == 1)
        try kernel.update(
            &parameter, gradient: gradient, state: &state, rate: step.rate,
            decay: step.role.decays(embeddings: decaysEmbeddings) ? weightDecay : 0, gradientScale: step.gradientScale)
    }
}

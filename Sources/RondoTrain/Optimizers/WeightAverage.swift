public import RondoNN
import RondoTensor

/// An exponential moving average of a module's parameters: θ̄ ← d θ̄ + (1 - d) θ, for evaluation.
public struct WeightAverage: Sendable {
    /// The decay d, reached after the warm start.
    public let decay: Double
    /// How often weights were added.
    public private(set) var count: Int
    /// The averages.
    public private(set) var parameters: ParameterSet

    /// Starts from a module's parameters, or goes on from saved averages.
    /// - Throws: ``RondoError`` when the decay makes no sense.
    public init(decay: Double, parameters: ParameterSet, count: Int = 0) throws {
        guard (0..<1).contains(decay) else {
            throw RondoError(.invalidArgument, "weight average: decay \(decay) must be at least 0 and below 1")
        }
        self.decay = decay
        self.count = count
        self.parameters = parameters
    }

    /// Adds the weights after a step.
    ///
    /// Early averages forget faster: d is at most (1 + n) / (10 + n).
    public mutating func update(with module: some Module) throws {
        count += 1
        let keep = min(decay, Double(1 + count) / Double(10 + count))
        // Descent with decoupled decay 1 along -θ at rate 1 - d is this average, in one pass and in place.
        let kernel = OptimizerKernel.sgd(momentum: 0, nesterov: false, decoupledDecay: true, first: false)
        var none: [Tensor] = []
        for (index, weights) in module.parameters.tensors.enumerated() {
            try kernel.update(
                &parameters.tensors[index], gradient: weights, state: &none, rate: 1 - keep, decay: 1,
                gradientScale: -1)
        }
    }

    /// The module with the averaged weights.
    public func applied<M: Module>(to module: M) -> M {
        module.replacingParameters(parameters.tensors)
    }
}

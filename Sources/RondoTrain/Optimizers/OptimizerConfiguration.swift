import RondoTensor

/// The choice of an optimiser and its hyperparameters, as a configuration file gives them.
///
/// A field left out takes the default of the chosen optimiser.
public struct OptimizerConfiguration: Codable, Sendable, Equatable {
    /// The optimisers there are.
    public enum Name: String, Codable, Sendable, CaseIterable {
        case sgd
        case adamw
        case lion
        case muon
    }

    /// Which one.
    public var name: Name
    /// The learning rate before the schedule.
    public var learningRate: Double
    /// λ of matrices.
    public var weightDecay: Double?
    /// Whether embeddings decay too.
    public var decaysEmbeddings: Bool
    /// μ of SGD (0.9), β of Muon (0.95).
    public var momentum: Double?
    /// Whether SGD (no) and Muon (yes) look ahead.
    public var nesterov: Bool?
    /// Whether SGD's decay bypasses the gradient (no).
    public var decoupledDecay: Bool?
    /// β₁ of AdamW, of Muon's AdamW, and of Lion (0.9).
    public var beta1: Double?
    /// β₂ of AdamW and Muon's AdamW (0.95), and of Lion (0.99).
    public var beta2: Double?
    /// ε of AdamW (1e-8).
    public var epsilon: Double?
    /// How long Muon's steps are (`match_adamw`).
    public var muonScale: Muon.Scale?
    /// The rate of Muon's matrices as a multiple of `learning_rate` (1).
    public var matrixRateFactor: Double?

    enum CodingKeys: String, CodingKey {
        case name, momentum, nesterov, beta1, beta2, epsilon
        case learningRate = "learning_rate"
        case weightDecay = "weight_decay"
        case decaysEmbeddings = "decays_embeddings"
        case decoupledDecay = "decoupled_decay"
        case muonScale = "muon_scale"
        case matrixRateFactor = "matrix_rate_factor"
    }

    /// Creates a configuration with the optimiser's defaults.
    public init(_ name: Name = .adamw, learningRate: Double = 2e-3) {
        self.name = name
        self.learningRate = learningRate
        decaysEmbeddings = false
    }

    /// Reads a configuration; every field may be missing.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        name = try values.decodeIfPresent(Name.self, forKey: .name) ?? name
        learningRate = try values.decodeIfPresent(Double.self, forKey: .learningRate) ?? learningRate
        weightDecay = try values.decodeIfPresent(Double.self, forKey: .weightDecay)
        decaysEmbeddings = try values.decodeIfPresent(Bool.self, forKey: .decaysEmbeddings) ?? decaysEmbeddings
        momentum = try values.decodeIfPresent(Double.self, forKey: .momentum)
        nesterov = try values.decodeIfPresent(Bool.self, forKey: .nesterov)
        decoupledDecay = try values.decodeIfPresent(Bool.self, forKey: .decoupledDecay)
        beta1 = try values.decodeIfPresent(Double.self, forKey: .beta1)
        beta2 = try values.decodeIfPresent(Double.self, forKey: .beta2)
        epsilon = try values.decodeIfPresent(Double.self, forKey: .epsilon)
        muonScale = try values.decodeIfPresent(Muon.Scale.self, forKey: .muonScale)
        matrixRateFactor = try values.decodeIfPresent(Double.self, forKey: .matrixRateFactor)
    }

    /// Refuses values that make no sense.
    /// - Throws: ``RondoError`` of code `invalidArgument` naming the field.
    public func validate() throws {
        func require(_ condition: Bool, _ field: CodingKeys, _ value: Double?, _ remedy: String) throws {
            guard let value, !condition || !value.isFinite else { return }
            throw RondoError(.invalidArgument, "optimizer.\(field.stringValue) = \(value): must be \(remedy)")
        }
        try require(learningRate > 0, .learningRate, learningRate, "a number above 0")
        try require((weightDecay ?? 0) >= 0, .weightDecay, weightDecay, "0 or more")
        for (field, value) in [(CodingKeys.momentum, momentum), (.beta1, beta1), (.beta2, beta2)] {
            try require((0..<1).contains(value ?? 0), field, value, "at least 0 and below 1")
        }
        try require((epsilon ?? 1) > 0, .epsilon, epsilon, "a number above 0")
        try require((matrixRateFactor ?? 1) > 0, .matrixRateFactor, matrixRateFactor, "a number above 0")
        if name == .sgd, nesterov == true, momentum == 0 {
            throw RondoError(.invalidArgument, "optimizer.nesterov: needs a momentum above 0")
        }
    }

    /// The optimiser described.
    /// - Throws: what ``validate()`` throws.
    public func makeOptimizer() throws -> any Optimizer {
        try validate()
        switch name {
        case .sgd:
            return SGD(
                learningRate: learningRate, momentum: momentum ?? 0.9, nesterov: nesterov ?? false,
                weightDecay: weightDecay ?? 0, decoupledDecay: decoupledDecay ?? false,
                decaysEmbeddings: decaysEmbeddings)
        case .adamw: return adamW
        case .lion:
            return Lion(
                learningRate: learningRate, beta1: beta1 ?? 0.9, beta2: beta2 ?? 0.99, weightDecay: weightDecay ?? 0.3,
                decaysEmbeddings: decaysEmbeddings)
        case .muon:
            return Muon(
                other: adamW, matrixRateFactor: matrixRateFactor ?? 1, momentum: momentum ?? 0.95,
                nesterov: nesterov ?? true, weightDecay: weightDecay ?? 0.1, scale: muonScale ?? .matchAdamW)
        }
    }

    private var adamW: AdamW {
        AdamW(
            learningRate: learningRate, beta1: beta1 ?? 0.9, beta2: beta2 ?? 0.95, epsilon: epsilon ?? 1e-8,
            weightDecay: weightDecay ?? 0.1, decaysEmbeddings: decaysEmbeddings)
    }
}

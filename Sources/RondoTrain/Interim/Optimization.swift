// Stand-ins until Optimizers/ lands; whoever brings the real types deletes this file.

/// How derivatives become updates.
public struct OptimizerConfiguration: Codable, Sendable, Equatable {
    /// The rule.
    public enum Name: String, Codable, Sendable, CaseIterable {
        case sgd
        case adamw
        case lion
        case muon
    }
    /// The rule.
    public var name = Name.adamw
    /// The highest learning rate of the schedule.
    public var learningRate = 3e-3
    /// The share of a matrix that is taken away at learning rate 1.
    public var weightDecay = 0.01

    /// Creates the default.
    public init() {}
}

/// How the learning rate changes over a run.
public struct ScheduleConfiguration: Codable, Sendable, Equatable {
    /// The shape after the warm-up.
    public enum Name: String, Codable, Sendable, CaseIterable {
        case constant
        case cosine
        case linear
        case wsd
    }
    /// The shape after the warm-up.
    public var name = Name.cosine
    /// Steps until the learning rate is at its highest.
    public var warmupSteps = 100

    /// Creates the default.
    public init() {}
}

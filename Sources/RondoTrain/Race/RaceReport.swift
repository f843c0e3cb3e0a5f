#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A contestant and what it costs.
public struct RaceEntry: Codable, Sendable, Equatable {
    /// What it is called.
    public var name: String
    /// The width of its model.
    public var dModel: Int
    /// The numbers that are trained.
    public var parameters: Int
    /// Multiplications with an addition for each token, forward.
    public var multiplyAdds: MultiplyAdds
    /// Tokens that training reads in a second, measured before the race.
    public var tokensPerSecond: Int
}

/// One training in a race.
public struct RaceLeg: Codable, Sendable, Equatable {
    /// The place of the contestant.
    public var contestant: Int
    /// The place of the budget.
    public var level: Int
    /// The seed.
    public var seed: UInt64
    /// What its budget buys.
    public var steps: Int
}

/// What a training came to.
public struct RaceOutcome: Codable, Sendable, Equatable {
    /// A place on its way.
    public struct Point: Codable, Sendable, Equatable {
        /// The compute spent, in the unit of the race.
        public var compute: Double
        /// The training loss since the point before, in bits a byte.
        public var bitsPerByte: Double
    }

    /// The training.
    public var leg: RaceLeg
    /// Tokens that it read.
    public var tokens: Int
    /// The loss on the validation part, in nats a byte whatever the tokenizer.
    public var lossPerByte: Double
    /// The training loss on the way.
    public var curve: [Point]

    /// The normalised perplexity: e to the loss of a byte.
    public var perplexity: Double { exp(lossPerByte) }
    /// The loss on the validation part, in bits a byte.
    public var bitsPerByte: Double { lossPerByte.bitsFromNats }
}

/// What a race found: all numbers that its pictures and tables show.
public struct RaceReport: Codable, Sendable, Equatable {
    /// A contestant at one budget.
    public struct Result: Codable, Sendable, Equatable {
        /// The budget.
        public var compute: Double
        /// The steps that it bought.
        public var steps: Int
        /// The tokens that were read.
        public var tokens: Int
        /// The normalised perplexities of all seeds.
        public var perplexities: [Double]

        /// Their mean.
        public var mean: Double { perplexities.reduce(0, +) / Double(max(1, perplexities.count)) }
        /// Their sample deviation; 0 for one.
        public var deviation: Double {
            guard perplexities.count > 1 else { return 0 }
            let squares = perplexities.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            return (squares / Double(perplexities.count - 1)).squareRoot()
        }
    }

    /// A contestant with all that it did.
    public struct Contestant: Codable, Sendable, Equatable {
        /// Who it is and what it costs.
        public var entry: RaceEntry
        /// The results by rising budget.
        public var results: [Result]
        /// The trend over the budgets; `nil` with fewer than two.
        public var fit: ScalingFit?
        /// The training losses of the largest budget and the first seed.
        public var curve: [RaceOutcome.Point]
    }

    /// Where two trends meet.
    public struct Crossing: Codable, Sendable, Equatable {
        /// The names.
        public var first: String
        /// The names.
        public var second: String
        /// The compute.
        public var compute: Double
        /// Whether that lies between the smallest and the largest budget; elsewhere it is an extrapolation.
        public var isMeasured: Bool
    }

    /// What compute is counted in.
    public var unit: String
    /// The contestants in their order.
    public var contestants: [Contestant]
    /// Where their trends meet.
    public var crossings: [Crossing]

    /// Puts the results of a race together, as far as it has come.
    init(_ progress: RaceProgress) {
        let configuration = progress.configuration
        let budgets = configuration.budgets
        unit = configuration.unit
        contestants = progress.entries.enumerated().map { index, entry in
            let own = progress.outcomes.filter { $0.leg.contestant == index }
            let results = budgets.indices.compactMap { level -> Result? in
                let all = own.filter { $0.leg.level == level }
                guard let first = all.first else { return nil }
                return Result(
                    compute: budgets[level], steps: first.leg.steps, tokens: first.tokens,
                    perplexities: all.map(\.perplexity))
            }
            return Contestant(
                entry: entry, results: results, fit: ScalingFit(results.map { ($0.compute, $0.mean) }),
                curve: own.filter { $0.leg.level == budgets.count - 1 }.first?.curve ?? [])
        }
        crossings = []
        for (index, first) in contestants.enumerated() {
            for second in contestants[(index + 1)...] {
                guard let one = first.fit, let two = second.fit, let compute = one.crossing(with: two) else { continue }
                let isMeasured = compute >= budgets[0] && compute <= budgets[budgets.count - 1]
                crossings.append(
                    Crossing(
                        first: first.entry.name, second: second.entry.name, compute: compute, isMeasured: isMeasured))
            }
        }
    }
}

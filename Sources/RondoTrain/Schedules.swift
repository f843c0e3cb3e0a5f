import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How the learning rate changes over a run: a multiplier of the optimiser's rate.
public struct ScheduleConfiguration: Codable, Sendable, Equatable {
    /// The course after the warm-up.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// 1 throughout.
        case constant
        /// A straight line from 1 to the floor.
        case linear
        /// Half a cosine from 1 to the floor.
        case cosine
        /// Warm-up, stable, decay: 1 until the last `decay_fraction` of the run, then down to the floor.
        case wsd
        /// √(w / n) with w the warm-up, at least one step.
        case inverseSquareRoot = "inverse_sqrt"
    }

    /// The course of WSD's decay, as a function of its progress x.
    public enum Decay: String, Codable, Sendable, CaseIterable {
        /// 1 - x
        case linear
        /// (1 + cos πx) / 2
        case cosine
        /// 1 - √x
        case oneMinusSquareRoot = "one_minus_sqrt"
    }

    /// The course after the warm-up.
    public var kind: Kind
    /// Updates over which the rate grows in a straight line; update n (from 0) gets (n + 1) / w.
    public var warmupSteps: Int
    /// The multiplier at the end of the run, from 0 to 1.
    public var floor: Double
    /// The part of the run that WSD's decay takes.
    public var decayFraction: Double
    /// The course of WSD's decay.
    public var decay: Decay

    enum CodingKeys: String, CodingKey {
        case kind, floor, decay
        case warmupSteps = "warmup_steps"
        case decayFraction = "decay_fraction"
    }

    /// Creates a schedule.
    public init(
        _ kind: Kind = .cosine, warmupSteps: Int = 100, floor: Double = 0.1, decayFraction: Double = 0.2,
        decay: Decay = .oneMinusSquareRoot
    ) {
        self.kind = kind
        self.warmupSteps = warmupSteps
        self.floor = floor
        self.decayFraction = decayFraction
        self.decay = decay
    }

    /// Reads a schedule; every field may be missing.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        kind = try values.decodeIfPresent(Kind.self, forKey: .kind) ?? kind
        warmupSteps = try values.decodeIfPresent(Int.self, forKey: .warmupSteps) ?? warmupSteps
        floor = try values.decodeIfPresent(Double.self, forKey: .floor) ?? floor
        decayFraction = try values.decodeIfPresent(Double.self, forKey: .decayFraction) ?? decayFraction
        decay = try values.decodeIfPresent(Decay.self, forKey: .decay) ?? decay
    }

    /// Refuses values that make no sense.
    /// - Throws: ``RondoError`` of code `invalidArgument` naming the field.
    public func validate() throws {
        func require(_ condition: Bool, _ field: CodingKeys, _ value: some Any, _ remedy: String) throws {
            guard !condition else { return }
            throw RondoError(.invalidArgument, "schedule.\(field.stringValue) = \(value): must be \(remedy)")
        }
        try require(warmupSteps >= 0, .warmupSteps, warmupSteps, "0 or more")
        try require((0...1).contains(floor), .floor, floor, "from 0 to 1")
        try require(decayFraction > 0 && decayFraction <= 1, .decayFraction, decayFraction, "above 0 and at most 1")
    }

    /// What multiplies the learning rate of update `step` (from 0) in a run of `totalSteps` updates.
    ///
    /// The last update is just above the floor, which would be reached at `totalSteps`; later updates stay there.
    public func multiplier(step: Int, totalSteps: Int) -> Double {
        let warmup = min(warmupSteps, totalSteps)
        if step < warmup { return Double(step + 1) / Double(warmup) }
        switch kind {
        case .constant: return 1
        case .inverseSquareRoot:
            let start = Double(max(1, warmup))
            return max(floor, min(1, (start / Double(step + 1)).squareRoot()))
        case .linear: return falling(.linear, progress(step, from: warmup, to: totalSteps))
        case .cosine: return falling(.cosine, progress(step, from: warmup, to: totalSteps))
        case .wsd:
            let length = Int((decayFraction * Double(totalSteps)).rounded())
            return falling(decay, progress(step, from: max(warmup, totalSteps - length), to: totalSteps))
        }
    }

    private func progress(_ step: Int, from start: Int, to end: Int) -> Double {
        guard end > start else { return step < end ? 0 : 1 }
        return min(1, max(0, Double(step - start) / Double(end - start)))
    }

    /// From 1 to the floor.
    private func falling(_ shape: Decay, _ x: Double) -> Double {
        let value =
            switch shape {
            case .linear: 1 - x
            case .cosine: (1 + cos(.pi * x)) / 2
            case .oneMinusSquareRoot: 1 - x.squareRoot()
            }
        return floor + (1 - floor) * value
    }
}

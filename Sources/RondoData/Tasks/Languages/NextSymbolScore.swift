#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How well predictions of the next symbol fit a known distribution: the mean over positions.
public struct NextSymbolScore: Codable, Sendable, Equatable {
    /// Positions judged.
    public private(set) var positions = 0
    private var hits = 0
    private var distance = 0.0
    private var divergence = 0.0

    /// Creates the score of no position.
    public init() {}

    /// The share of positions at which the likeliest symbol is allowed.
    public var accuracy: Double { Double(hits) / Double(max(1, positions)) }

    /// The total variation distance, ½ Σ |p - p*|, from 0 to 1.
    public var totalVariation: Double { distance / Double(max(1, positions)) }

    /// The divergence Σ p* log(p* / p) of Kullback and Leibler, in nats; infinite where an allowed symbol has none.
    public var kullbackLeibler: Double { divergence / Double(max(1, positions)) }

    /// Judges a position.
    ///
    /// - Parameters:
    ///   - probabilities: Of every symbol; what is missing to 1 counts as given to none.
    ///   - allowed: The symbols that are right, all equally likely.
    public mutating func add(_ probabilities: some Collection<Double>, allowed: [Int32]) {
        guard !allowed.isEmpty else { return }
        let share = 1 / Double(allowed.count)
        var (best, bestValue, sum) = (Int32(-1), 0.0, 0.0)
        for (symbol, probability) in probabilities.enumerated() {
            let isAllowed = allowed.contains(Int32(symbol))
            sum += abs(probability - (isAllowed ? share : 0))
            if isAllowed { divergence += share * log(share / probability) }
            if probability > bestValue { (best, bestValue) = (Int32(symbol), probability) }
        }
        positions += 1
        distance += sum / 2
        hits += allowed.contains(best) ? 1 : 0
    }

    /// Takes the positions of another score in.
    public mutating func merge(_ other: NextSymbolScore) {
        positions += other.positions
        hits += other.hits
        distance += other.distance
        divergence += other.divergence
    }
}

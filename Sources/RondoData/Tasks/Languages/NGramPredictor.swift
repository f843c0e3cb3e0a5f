/// Predicts the next symbol from what followed the last symbols earlier in the same sequence of strings.
///
/// Of order N, it looks at the last N - 1 symbols of the present string, with marks before its beginning. It counts
/// while it reads, so that it knows the present string up to the present symbol.
public struct NGramPredictor: Sendable {
    /// What a context without enough experience does.
    public enum BackOff: Sendable {
        /// The longest context that was ever followed by something decides alone.
        case longest
        /// Of all occurrences of the context, those that nothing follows (the present one, ends of strings) leave mass,
        /// which unseen symbols share in proportion to the estimate of the next lower order (Akyürek et al., 2024).
        case remainder
    }

    private struct Counts {
        var occurrences = 0
        var followers: [Int]
    }

    /// The order N.
    public let order: Int
    /// What a context without enough experience does.
    public let backOff: BackOff
    /// The number of symbols.
    public let symbolCount: Int
    /// For every length of the context, by the context.
    private var tables: [[[Int32]: Counts]]
    /// The last N - 1 symbols.
    private var context: [Int32]

    private static let start: Int32 = -1

    /// Begins with no experience, before the first string.
    ///
    /// - Parameters:
    ///   - order: The order, at least 1; 2 looks at one symbol.
    ///   - symbolCount: The number of symbols.
    ///   - backOff: What a context without enough experience does.
    public init(order: Int, symbolCount: Int, backOff: BackOff = .remainder) {
        self.order = max(1, order)
        self.symbolCount = symbolCount
        self.backOff = backOff
        tables = Array(repeating: [:], count: max(1, order))
        context = Array(repeating: Self.start, count: max(1, order) - 1)
        countContext()
    }

    /// Reads the next symbol of the present string.
    public mutating func read(_ symbol: Int32) {
        let empty = empty
        for length in 0..<order {
            tables[length][Array(context.suffix(length)), default: empty].followers[Int(symbol)] += 1
        }
        context = Array((context + [symbol]).suffix(order - 1))
        countContext()
    }

    /// Begins the next string.
    public mutating func endString() {
        context = Array(repeating: Self.start, count: order - 1)
        countContext()
    }

    /// The probability of every symbol, if the string goes on; all 0 if nothing was ever read.
    public func probabilities() -> [Double] {
        switch backOff {
        case .longest: longestMatch()
        case .remainder: shared(length: order - 1)
        }
    }

    private var empty: Counts { Counts(followers: Array(repeating: 0, count: symbolCount)) }

    private mutating func countContext() {
        let empty = empty
        for length in 0..<order { tables[length][Array(context.suffix(length)), default: empty].occurrences += 1 }
    }

    private func longestMatch() -> [Double] {
        for length in (0..<order).reversed() {
            let followers = tables[length][Array(context.suffix(length))]?.followers ?? []
            let total = followers.reduce(0, +)
            if total > 0 { return followers.map { Double($0) / Double(total) } }
        }
        return Array(repeating: 0, count: symbolCount)
    }

    private func shared(length: Int) -> [Double] {
        let counts = tables[length][Array(context.suffix(length))] ?? empty
        guard length > 0 else {
            let total = max(1, counts.followers.reduce(0, +))
            return counts.followers.map { Double($0) / Double(total) }
        }
        var result = counts.followers.map { Double($0) / Double(max(1, counts.occurrences)) }
        let remainder = max(0, 1 - result.reduce(0, +))
        guard remainder > 0 else { return result }
        let lower = shared(length: length - 1)
        let unseen = result.indices.filter { counts.followers[$0] == 0 }
        let mass = unseen.reduce(0) { $0 + lower[$1] }
        guard mass > 0 else { return result }
        for symbol in unseen { result[symbol] = remainder * lower[symbol] / mass }
        return result
    }
}

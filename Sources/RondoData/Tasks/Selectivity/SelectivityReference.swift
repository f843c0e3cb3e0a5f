/// The best that can be known of the states of a ``SelectivityGrammar`` from its symbols, without noise.
///
/// A filter of Bayes: only the beginning of a string is uncertain, and every symbol rules out more of it.
public struct SelectivityFilter: Sendable {
    private let grammar: SelectivityGrammar
    /// The probability of every state; at the start and after the end there is none yet.
    public private(set) var belief: [Int: Double] = [:]

    /// Begins before the first symbol.
    public init(_ grammar: SelectivityGrammar) { self.grammar = grammar }

    /// Reads a symbol.
    ///
    /// - Parameter symbol: The symbol.
    /// - Returns: The likeliest state, of equals the smallest; the end if the symbol breaks the rules.
    public mutating func read(_ symbol: Int) -> Int {
        var after: [Int: Double] = [:]
        if belief.isEmpty || belief[0] != nil {
            for start in grammar.starts where grammar.symbol(of: start) == symbol { after[start] = 1 }
        } else {
            // In order, so that sums are the same in every process.
            for (state, probability) in belief.sorted(by: { $0.key < $1.key }) {
                guard let following = grammar.next[state][symbol] else { continue }
                after[following, default: 0] += probability / Double(grammar.followers[state].count)
            }
        }
        let total = after.values.sorted().reduce(0, +)
        belief = after.mapValues { $0 / max(total, .leastNormalMagnitude) }
        let best = belief.sorted { $0.key < $1.key }.max { $0.value < $1.value }
        return best?.key ?? 0
    }
}

/// Guesses a state from the last symbols: the one that followed them most often.
public struct SelectivityNGram: Sendable {
    /// How many symbols it looks at, the present one included.
    public let order: Int
    private var counts: [[Int]: [Int: Int]] = [:]

    /// Learns from streams of states.
    ///
    /// - Parameters:
    ///   - order: How many symbols it looks at, the present one included.
    ///   - grammar: What the streams are of.
    ///   - streams: The states of each.
    public init(order: Int, grammar: SelectivityGrammar, streams: [[Int]]) {
        self.order = order
        for states in streams {
            let symbols = states.map(grammar.symbol(of:))
            for place in states.indices {
                counts[context(symbols, place), default: [:]][states[place], default: 0] += 1
            }
        }
    }

    /// The likeliest state at a place, of equals the smallest; `nil` if its context was never seen.
    ///
    /// - Parameters:
    ///   - place: The place.
    ///   - symbols: The symbols up to it, or more.
    /// - Returns: The state.
    public func guess(_ place: Int, in symbols: [Int]) -> Int? {
        counts[context(symbols, place)]?.sorted { $0.key < $1.key }.max { $0.value < $1.value }?.key
    }

    private func context(_ symbols: [Int], _ place: Int) -> [Int] {
        Array(symbols[max(0, place + 1 - order)...place])
    }
}

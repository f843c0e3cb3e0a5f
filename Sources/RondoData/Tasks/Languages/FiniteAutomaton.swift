public import RondoTensor

/// A deterministic finite automaton: the regular language that it accepts.
public struct FiniteAutomaton: FormalLanguage, Equatable {
    /// The alphabet in the order of its tokens.
    public let symbols: [String]
    /// Where each symbol leads from each state; state 0 is the first.
    public let transitions: [[Int]]
    /// Whether a string may end in each state.
    public let accepting: [Bool]

    /// Creates an automaton.
    ///
    /// - Parameters:
    ///   - symbols: The alphabet.
    ///   - transitions: For every state a state for every symbol.
    ///   - accepting: The states in which a string may end.
    /// - Throws: `RondoError` if there is no state or symbol, or a table has another size or names no state.
    public init(symbols: [String], transitions: [[Int]], accepting: Set<Int>) throws {
        let isTable = transitions.allSatisfy { row in
            row.count == symbols.count && row.allSatisfy(transitions.indices.contains)
        }
        guard !symbols.isEmpty, !transitions.isEmpty, isTable, accepting.allSatisfy(transitions.indices.contains) else {
            throw RondoError(
                .invalidArgument,
                "finite automaton: every state needs a next state for each of the \(symbols.count) symbols, and states "
                    + "are numbered from 0 to \(transitions.count - 1)")
        }
        self.init(symbols, transitions, accepting: transitions.indices.map(accepting.contains))
    }

    /// Creates an automaton from tables that are known to fit.
    init(_ symbols: [String], _ transitions: [[Int]], accepting: [Bool]) {
        self.symbols = symbols
        self.transitions = transitions
        self.accepting = accepting
    }

    /// The automaton of all other strings.
    public var complement: FiniteAutomaton { FiniteAutomaton(symbols, transitions, accepting: accepting.map(!)) }

    /// Whether the automaton ends in an accepting state.
    public func contains(_ string: [Int32]) -> Bool {
        accepting[string.reduce(0) { transitions[$0][Int($1)] }]
    }

    /// Whether each beginning of a string, from its first symbol, is accepted.
    public func containsBeginnings(of string: [Int32]) -> [Bool] {
        var state = 0
        return string.map { symbol in
            state = transitions[state][Int(symbol)]
            return accepting[state]
        }
    }

    /// The greatest length up to a bound that an accepted string has, the empty one left out; `nil` if none has.
    public func longestLength(upTo bound: Int) -> Int? {
        guard bound > 0 else { return nil }
        return memberCounts(upTo: bound).lastIndex { $0[0] > 0 }.flatMap { $0 > 0 ? $0 : nil }
    }

    /// An accepted string; all of the length are equally likely.
    public func member(length: Int, using generator: inout Generator) -> [Int32]? {
        let counts = memberCounts(upTo: length)
        guard counts[length][0] > 0 else { return nil }
        var state = 0
        return (0..<length).map { position in
            let left = counts[length - position - 1]
            let symbol = generator.index(weights: transitions[state].map { left[$0] })
            state = transitions[state][symbol]
            return Int32(symbol)
        }
    }

    /// A string that is not accepted; all of the length are equally likely.
    public func stranger(length: Int, using generator: inout Generator) -> [Int32]? {
        complement.member(length: length, using: &generator)
    }

    /// How many strings of every length are accepted from every state, up to a factor that depends on the length: the
    /// numbers themselves would overflow.
    private func memberCounts(upTo length: Int) -> [[Double]] {
        var counts = [accepting.map { $0 ? 1.0 : 0 }]
        for previous in 0..<max(0, length) {
            let next = transitions.map { row in row.reduce(0) { $0 + counts[previous][$1] } }
            let largest = next.max() ?? 0
            counts.append(next.map { largest > 0 ? $0 / largest : 0 })
        }
        return counts
    }
}

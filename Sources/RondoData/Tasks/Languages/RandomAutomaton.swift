public import RondoTensor

/// A random language: a deterministic automaton from whose states every outgoing edge is equally likely.
///
/// All states accept; a missing edge leads nowhere. State 0 is the start.
public struct RandomAutomaton: Sendable, Hashable {
    /// A way out of a state.
    public struct Edge: Sendable, Hashable {
        /// The symbol that is written.
        public var symbol: Int32
        /// The state that follows.
        public var target: Int

        /// Creates an edge.
        public init(symbol: Int32, target: Int) {
            self.symbol = symbol
            self.target = target
        }
    }

    /// How automata are drawn.
    public struct Settings: Sendable, Equatable {
        /// The number of states, uniform.
        public var states: ClosedRange<Int>
        /// The number of symbols that an automaton may use, uniform.
        public var symbols: ClosedRange<Int>
        /// The symbols there are, 0 to this; every automaton uses some of them.
        public var letters: Int
        /// The edges out of a state, uniform.
        public var edges: ClosedRange<Int>

        /// Creates settings; the defaults are those of Akyürek et al., 2024.
        ///
        /// - Parameters:
        ///   - states: The number of states.
        ///   - symbols: The number of symbols that an automaton may use.
        ///   - letters: The symbols there are.
        ///   - edges: The edges out of a state.
        public init(
            states: ClosedRange<Int> = 4...12, symbols: ClosedRange<Int> = 4...18, letters: Int = 18,
            edges: ClosedRange<Int> = 1...3
        ) {
            self.states = states
            self.symbols = symbols
            self.letters = letters
            self.edges = edges
        }
    }

    /// The edges out of every state, by symbol.
    public var edges: [[Edge]]

    /// Creates an automaton from its edges.
    public init(edges: [[Edge]]) { self.edges = edges }

    /// Draws an automaton: for every state a number of edges, with different symbols, to different other states.
    ///
    /// As many edges as the settings ask need as many symbols and other states; there are fewer where those are few.
    ///
    /// - Parameters:
    ///   - settings: How it is drawn.
    ///   - generator: Draws it.
    public init(_ settings: Settings, using generator: inout Generator) {
        let states = Int.random(in: settings.states, using: &generator)
        let count = Int.random(in: settings.symbols, using: &generator)
        let alphabet = (0..<Int32(settings.letters)).shuffled(using: &generator).prefix(count)
        edges = (0..<states).map { state in
            let degree = Int.random(in: settings.edges, using: &generator)
            let symbols = alphabet.shuffled(using: &generator).prefix(degree)
            let targets = (0..<states).filter { $0 != state }.shuffled(using: &generator)
            return zip(symbols, targets).map { Edge(symbol: $0, target: $1) }.sorted { $0.symbol < $1.symbol }
        }
    }

    /// The symbols that may follow in a state, in order.
    public func symbols(after state: Int) -> [Int32] { edges[state].map(\.symbol) }

    /// The state that a symbol leads to; `nil` if it is not allowed.
    public func target(of state: Int, _ symbol: Int32) -> Int? {
        edges[state].first { $0.symbol == symbol }?.target
    }

    /// Draws a string from the start on.
    ///
    /// - Parameters:
    ///   - length: Its symbols.
    ///   - generator: Draws them.
    /// - Returns: The symbols, and the state after each of them.
    public func string(length: Int, using generator: inout Generator) -> (symbols: [Int32], states: [Int]) {
        var (symbols, states, state): ([Int32], [Int], Int) = ([], [], 0)
        for _ in 0..<length {
            guard let edge = edges[state].randomElement(using: &generator) else { break }
            state = edge.target
            symbols.append(edge.symbol)
            states.append(state)
        }
        return (symbols, states)
    }

    /// The smallest automaton of the same language, its states numbered in the order in which a search finds them, so
    /// that automata of one language become equal.
    ///
    /// States that allow the same strings are one (Moore's refinement, where a missing edge is a difference), and states
    /// that the start does not reach are left out.
    public func minimized() -> RandomAutomaton {
        let kinds = equivalentStates()
        var (numbers, order): ([Int: Int], [Int]) = ([kinds[0]: 0], [0])
        var place = 0
        while place < order.count {
            for edge in edges[order[place]] where numbers[kinds[edge.target]] == nil {
                numbers[kinds[edge.target]] = order.count
                order.append(edge.target)
            }
            place += 1
        }
        return RandomAutomaton(
            edges: order.map { state in
                edges[state].map { Edge(symbol: $0.symbol, target: numbers[kinds[$0.target]] ?? 0) }
            })
    }

    /// A number for every state, the same for states that allow the same strings.
    private func equivalentStates() -> [Int] {
        var kinds = Array(repeating: 0, count: edges.count)
        var count = 1
        while true {
            var known: [[Edge]: Int] = [:]
            let refined = edges.map { edges in
                let signature = edges.map { Edge(symbol: $0.symbol, target: kinds[$0.target]) }
                let kind = known[signature] ?? known.count
                known[signature] = kind
                return kind
            }
            guard known.count > count else { return kinds }
            (kinds, count) = (refined, known.count)
        }
    }
}

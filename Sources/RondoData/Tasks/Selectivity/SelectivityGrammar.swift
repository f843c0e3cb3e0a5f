public import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A random grammar whose symbols are ambiguous: each stands for one of several states, which only the past tells.
///
/// State 0 is the end, written as symbol 0. The others are instances of symbols 1, 2, …: state 1 + (symbol - 1) depth +
/// instance. From a state at most one instance of every symbol can follow, all that can with equal probability, so that
/// the state is a function of the state before and the symbol.
public struct SelectivityGrammar: Sendable, Equatable {
    /// How a grammar is drawn.
    public struct Settings: Sendable, Equatable {
        /// The symbols, without the end.
        public var symbols: Int
        /// The states that share a symbol.
        public var depth: Int
        /// The probability that a symbol of one state may follow; `depth` times that for the others, at most 1.
        public var density: Double
        /// The states that strings begin with.
        public var starts: Int

        /// Creates settings.
        ///
        /// - Parameters:
        ///   - symbols: The symbols, without the end.
        ///   - depth: The states that share a symbol.
        ///   - density: The probability that the end may follow; 0.4 / depth if `nil`.
        ///   - starts: The states that strings begin with.
        public init(symbols: Int, depth: Int, density: Double? = nil, starts: Int = 4) {
            self.symbols = symbols
            self.depth = depth
            self.density = density ?? 0.4 / Double(max(1, depth))
            self.starts = starts
        }
    }

    /// How it was drawn.
    public let settings: Settings
    /// For every state and symbol the state that follows, if it may.
    public let next: [[Int?]]
    /// The states that strings begin with.
    public let starts: [Int]
    /// For every state, the states that may follow.
    public let followers: [[Int]]

    /// Draws a grammar, again until the end can be reached from every state.
    ///
    /// - Parameters:
    ///   - settings: How it is drawn.
    ///   - generator: Draws it.
    /// - Throws: `RondoError` of code `invalidArgument` if no grammar of 10,000 was good.
    public init(_ settings: Settings, using generator: inout Generator) throws {
        for _ in 0..<10_000 {
            let next = Self.drawEdges(settings, using: &generator)
            let states = (0...settings.symbols * settings.depth).shuffled(using: &generator)
            let starts = Array(states.prefix(settings.starts))
            let followers = next.map { $0.compactMap { $0 } }
            guard !starts.contains(0), Self.allReachEnd(followers) else { continue }
            (self.settings, self.next, self.starts, self.followers) = (settings, next, starts, followers)
            return
        }
        throw RondoError(
            .invalidArgument,
            "selectivity grammar: of 10,000 draws with density \(settings.density) none reached its end from every "
                + "state; use a higher density")
    }

    /// The number of states, the end included.
    public var stateCount: Int { next.count }
    /// The number of symbols, the end included.
    public var symbolCount: Int { settings.symbols + 1 }

    /// The symbol of a state.
    public func symbol(of state: Int) -> Int { state == 0 ? 0 : 1 + (state - 1) / settings.depth }

    /// Symbols that may not follow in a state.
    public func forbidden(after state: Int) -> [Int] { next[state].indices.filter { next[state][$0] == nil } }

    /// Draws a string: its states up to and with the end.
    ///
    /// - Parameters:
    ///   - longest: Longer ones are drawn again.
    ///   - generator: Draws it.
    /// - Returns: The states.
    /// - Throws: `RondoError` of code `invalidArgument` if 10,000 draws were all too long.
    public func string(longest: Int, using generator: inout Generator) throws -> [Int] {
        for _ in 0..<10_000 {
            guard var state = starts.randomElement(using: &generator) else { break }
            var states = [state]
            while state != 0, states.count < longest, let following = followers[state].randomElement(using: &generator)
            {
                state = following
                states.append(state)
            }
            if state == 0 { return states }
        }
        throw RondoError(
            .invalidArgument,
            "selectivity grammar: 10,000 strings in a row were longer than \(longest); use a greater length or density")
    }

    /// Draws strings one after the other, cut at a length.
    ///
    /// - Parameters:
    ///   - length: The number of states.
    ///   - generator: Draws it.
    /// - Returns: The states.
    /// - Throws: `RondoError` of code `invalidArgument` if strings are all longer.
    public func stream(length: Int, using generator: inout Generator) throws -> [Int] {
        var states: [Int] = []
        while states.count < length { states += try string(longest: length, using: &generator) }
        return Array(states.prefix(length))
    }

    /// The logarithm of the number of ways on per symbol: of the largest eigenvalue of the matrix of edges, the end
    /// leading to the states of the beginning.
    public var topologicalEntropy: Double {
        var vector = Array(repeating: 1.0, count: stateCount)
        var growth = 1.0
        for _ in 0..<500 {
            let image = followers.indices.map { state in
                (state == 0 ? starts : followers[state]).reduce(0) { $0 + vector[$1] }
            }
            growth = image.reduce(0, +) / vector.reduce(0, +)
            vector = image.map { $0 / max(growth, .leastNormalMagnitude) }
        }
        return log(growth)
    }

    private static func drawEdges(_ settings: Settings, using generator: inout Generator) -> [[Int?]] {
        let none = [Int?](repeating: nil, count: settings.symbols + 1)
        return (0...settings.symbols * settings.depth).map { state in
            guard state > 0 else { return none }
            return (0...settings.symbols).map { symbol in
                let count = symbol == 0 ? 1 : settings.depth
                let instance = Int.random(in: 0..<count, using: &generator)
                let isThere = Double.random(in: 0..<1, using: &generator) < min(1, Double(count) * settings.density)
                return isThere ? (symbol == 0 ? 0 : 1 + (symbol - 1) * settings.depth + instance) : nil
            }
        }
    }

    private static func allReachEnd(_ followers: [[Int]]) -> Bool {
        var sources = Array(repeating: [Int](), count: followers.count)
        for (state, targets) in followers.enumerated() { for target in targets { sources[target].append(state) } }
        var (reached, open) = (Set([0]), [0])
        while let state = open.popLast() {
            for source in sources[state] where reached.insert(source).inserted { open.append(source) }
        }
        return reached.count == followers.count
    }
}

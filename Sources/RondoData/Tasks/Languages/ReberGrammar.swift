import RondoTensor

/// Reber's grammar: a finite automaton whose branches are equally likely.
///
/// Every string begins with B and ends with E.
public enum ReberGrammar {
    /// The symbols in the order of their tokens.
    public static let symbols = ["B", "T", "P", "S", "X", "V", "E"]

    static let begin: Int32 = 0
    static let t: Int32 = 1
    static let p: Int32 = 2
    static let end: Int32 = 6

    /// Where a symbol leads from a state.
    struct Edge: Sendable {
        var symbol: Int32
        var state: Int
    }

    /// The edges out of every state; from the last nothing follows.
    static let edges: [[Edge]] = [
        [Edge(symbol: begin, state: 1)],
        [Edge(symbol: t, state: 2), Edge(symbol: p, state: 3)],
        [Edge(symbol: s, state: 2), Edge(symbol: x, state: 4)],
        [Edge(symbol: t, state: 3), Edge(symbol: v, state: 5)],
        [Edge(symbol: x, state: 3), Edge(symbol: s, state: 6)],
        [Edge(symbol: p, state: 4), Edge(symbol: v, state: 6)],
        [Edge(symbol: end, state: 7)],
        [],
    ]

    private static let s: Int32 = 3
    private static let x: Int32 = 4
    private static let v: Int32 = 5

    /// The length of the shortest strings.
    static let shortest = 5

    /// A string with fair branches.
    static func string(using generator: inout Generator) -> [Int32] {
        var (state, string) = (0, [Int32]())
        while !edges[state].isEmpty {
            let edge = edges[state][Int(generator.token(below: edges[state].count))]
            string.append(edge.symbol)
            state = edge.state
        }
        return string
    }

    /// A string with fair branches, given that it has so many symbols.
    ///
    /// - Parameters:
    ///   - length: The number of symbols, at least ``shortest``.
    ///   - generator: Draws it.
    /// - Returns: The string.
    static func string(length: Int, using generator: inout Generator) -> [Int32] {
        // chances[n][state]: the chance to end after exactly n more symbols, up to a factor that depends on n.
        var chances = [edges.map { $0.isEmpty ? 1.0 : 0 }]
        for count in 0..<max(0, length - 1) {
            let next = edges.map { branches in
                branches.reduce(0) { $0 + chances[count][$1.state] } / Double(max(1, branches.count))
            }
            let largest = next.max() ?? 1
            chances.append(next.map { largest > 0 ? $0 / largest : 0 })
        }
        var (state, string) = (0, [Int32]())
        for left in chances.reversed() {
            let branches = edges[state]
            let edge = branches[generator.index(weights: branches.map { left[$0.state] })]
            string.append(edge.symbol)
            state = edge.state
        }
        return string
    }
}

public import RondoTensor

/// A context-free grammar in Chomsky's normal form: the language that it derives.
///
/// Strings are drawn evenly only if the grammar is unambiguous, else in proportion to their derivations.
public struct ContextFreeGrammar: FormalLanguage, Equatable {
    /// A rule that makes two variables of one.
    public struct Pair: Sendable, Equatable {
        /// What is replaced.
        public var head: Int
        /// The variable in front.
        public var left: Int
        /// The variable behind.
        public var right: Int

        /// Creates a rule.
        public init(_ head: Int, _ left: Int, _ right: Int) { (self.head, self.left, self.right) = (head, left, right) }
    }

    /// A rule that makes a symbol of a variable.
    public struct Leaf: Sendable, Equatable {
        /// What is replaced.
        public var head: Int
        /// The symbol.
        public var symbol: Int

        /// Creates a rule.
        public init(_ head: Int, _ symbol: Int) { (self.head, self.symbol) = (head, symbol) }
    }

    /// The alphabet in the order of its tokens.
    public let symbols: [String]
    /// The rules that make two variables of one; variable 0 is the first.
    public let pairs: [Pair]
    /// The rules that make a symbol of a variable.
    public let leaves: [Leaf]
    private let variableCount: Int

    /// Creates a grammar.
    ///
    /// - Parameters:
    ///   - symbols: The alphabet.
    ///   - pairs: The rules that make two variables of one; variables are numbered from 0, the first, to at most 63.
    ///   - leaves: The rules that make a symbol of a variable.
    /// - Throws: `RondoError` if a rule names a variable or a symbol that cannot exist.
    public init(symbols: [String], pairs: [Pair], leaves: [Leaf]) throws {
        let variables = pairs.flatMap { [$0.head, $0.left, $0.right] } + leaves.map(\.head)
        guard variables.allSatisfy((0..<64).contains), leaves.allSatisfy({ symbols.indices.contains($0.symbol) }) else {
            throw RondoError(
                .invalidArgument,
                "context-free grammar: variables are numbered from 0 to 63 and symbols from 0 to \(symbols.count - 1)")
        }
        self.init(symbols, pairs, leaves)
    }

    /// Creates a grammar from rules that are known to fit.
    init(_ symbols: [String], _ pairs: [Pair], _ leaves: [Leaf]) {
        self.symbols = symbols
        self.pairs = pairs
        self.leaves = leaves
        variableCount = 1 + ((pairs.flatMap { [$0.head, $0.left, $0.right] } + leaves.map(\.head)).max() ?? 0)
    }

    /// Whether the string can be derived: the algorithm of Cocke, Younger and Kasami, which takes n³ steps.
    public func contains(_ string: [Int32]) -> Bool {
        let count = string.count
        guard count > 0 else { return false }
        // spans[length - 1][start]: the variables, as bits, that the piece can be derived from.
        var spans = [
            string.map { symbol in
                leaves.reduce(UInt64(0)) { $1.symbol == Int(symbol) ? $0 | 1 << UInt64($1.head) : $0 }
            }
        ]
        for length in 1..<count {
            spans.append(
                (0..<count - length).map { start in
                    (0..<length).reduce(UInt64(0)) { found, cut in
                        let (left, right) = (spans[cut][start], spans[length - cut - 1][start + cut + 1])
                        return left == 0 || right == 0 ? found : found | heads(left, right)
                    }
                })
        }
        return spans[count - 1][0] & 1 == 1
    }

    /// The variables, as bits, that become one of the left ones and one of the right ones.
    private func heads(_ left: UInt64, _ right: UInt64) -> UInt64 {
        pairs.reduce(0) { found, rule in
            let fits = left >> UInt64(rule.left) & 1 == 1 && right >> UInt64(rule.right) & 1 == 1
            return fits ? found | 1 << UInt64(rule.head) : found
        }
    }

    /// The greatest length up to a bound that a derived string has; `nil` if none has.
    public func longestLength(upTo bound: Int) -> Int? {
        guard bound > 0 else { return nil }
        return derivationCounts(upTo: bound).lastIndex { $0[0] > 0 }
    }

    /// A derived string; all derivations of the length are equally likely.
    public func member(length: Int, using generator: inout Generator) -> [Int32]? {
        guard length > 0 else { return nil }
        let counts = derivationCounts(upTo: length)
        guard counts[length][0] > 0 else { return nil }
        var string: [Int32] = []
        // What is left to derive, the first piece last.
        var pieces = [(variable: 0, length: length)]
        while let piece = pieces.popLast() {
            if piece.length == 1 {
                let choices = leaves.filter { $0.head == piece.variable }
                string.append(Int32(choices[Int(generator.token(below: choices.count))].symbol))
                continue
            }
            let rules = pairs.filter { $0.head == piece.variable }
            let cuts = 1..<piece.length
            let weights = rules.flatMap { rule in
                cuts.map { counts[$0][rule.left] * counts[piece.length - $0][rule.right] }
            }
            let choice = generator.index(weights: weights)
            let (rule, cut) = (rules[choice / cuts.count], 1 + choice % cuts.count)
            pieces.append((rule.right, piece.length - cut))
            pieces.append((rule.left, cut))
        }
        return string
    }

    /// A string that cannot be derived, found among at most 32 draws; all of the length are equally likely.
    public func stranger(length: Int, using generator: inout Generator) -> [Int32]? {
        for _ in 0..<32 {
            let string = generator.tokens(length, below: symbols.count)
            if !contains(string) { return string }
        }
        return nil
    }

    /// The lengths for which ``member(length:using:)`` can count derivations without overflow.
    static let countableLength = 1000

    /// How many derivations of every length every variable has, times a half for every symbol against overflow.
    private func derivationCounts(upTo length: Int) -> [[Double]] {
        var counts = [[Double](repeating: 0, count: variableCount)]
        for size in 1...length {
            var row = [Double](repeating: 0, count: variableCount)
            if size == 1 { for leaf in leaves { row[leaf.head] += 0.5 } }
            for rule in pairs {
                for cut in 1..<max(1, size) where counts[cut][rule.left] > 0 {
                    row[rule.head] += counts[cut][rule.left] * counts[size - cut][rule.right]
                }
            }
            counts.append(row)
        }
        return counts
    }
}

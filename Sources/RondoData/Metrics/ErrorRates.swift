#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The Levenshtein distance: the fewest insertions, deletions and substitutions that make one sequence of the other.
public enum EditDistance {
    /// The distance between two sequences.
    ///
    /// - Parameters:
    ///   - a: One sequence.
    ///   - b: The other.
    /// - Returns: The number of edits. Time is the product of the lengths, memory the length of `b`.
    public static func between<Token: Equatable>(_ a: some Collection<Token>, _ b: some Collection<Token>) -> Int {
        let (a, b) = (Array(a), Array(b))
        var row = Array(0...b.count)
        for (index, left) in a.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, right) in b.enumerated() {
                let substituted = diagonal + (left == right ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substituted, diagonal + 1, row[column] + 1)
            }
        }
        return row[b.count]
    }
}

/// The rate of errors over a corpus: edits over tokens of the references (of words: WER, of characters: CER).
public struct ErrorRate: Sendable, Equatable {
    /// Edits in all.
    public private(set) var edits = 0
    /// Tokens of all references.
    public private(set) var referenceLength = 0

    /// Begins with an empty corpus.
    public init() {}

    /// Adds a candidate and what it should have been.
    public mutating func add<Token: Equatable>(_ candidate: some Collection<Token>, reference: some Collection<Token>) {
        edits += EditDistance.between(candidate, reference)
        referenceLength += reference.count
    }

    /// Edits over tokens, which may exceed 1; NaN while there is no token.
    public var value: Double { Double(edits) / Double(referenceLength) }
}

/// The perplexity of a text: e to the mean negative log-likelihood of a token.
public struct Perplexity: Sendable, Equatable {
    /// The sum of negative log-likelihoods, in nats.
    public private(set) var total = 0.0
    /// Tokens counted.
    public private(set) var count = 0

    /// Begins with no tokens.
    public init() {}

    /// Adds tokens by their mean negative log-likelihood in nats.
    public mutating func add(meanLoss: Double, tokens: Int) {
        total += meanLoss * Double(tokens)
        count += tokens
    }

    /// The perplexity; NaN while there is no token.
    public var value: Double { exp(total / Double(count)) }
}

import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Corpus BLEU (Papineni et al., 2002): clipped precisions of n-grams with a penalty for brevity.
///
/// Counts are added up over the whole corpus before they are divided. The score depends on the tokenizer, so name it
/// wherever you report one. Without smoothing the score is 0 as soon as one order has no match, which makes it useless
/// for single sentences; it does not measure recall.
public struct BLEU: Sendable, Equatable {
    /// For every order from 1: n-grams of the candidates that occur in a reference, at most as often as there.
    public private(set) var matches: [Int]
    /// For every order from 1: n-grams of the candidates.
    public private(set) var totals: [Int]
    /// Tokens of all candidates.
    public private(set) var candidateLength = 0
    /// For every candidate, the length of the reference that is closest to it (the shorter of two), added up.
    public private(set) var referenceLength = 0

    /// Begins with an empty corpus.
    ///
    /// - Parameter order: The longest n-grams that count, at least 1.
    /// - Throws: `RondoError` of code `invalidArgument`.
    public init(order: Int = 4) throws {
        try requireValue((1...64).contains(order), "order", order, "from 1 to 64")
        matches = Array(repeating: 0, count: order)
        totals = matches
    }

    /// Adds a candidate and its references.
    ///
    /// - Parameters:
    ///   - candidate: The tokens of what was produced.
    ///   - references: The tokens of the right answers, at least one.
    /// - Throws: `RondoError` of code `invalidArgument` if there is no reference.
    public mutating func add<Token: Hashable>(_ candidate: [Token], references: [[Token]]) throws {
        guard let closest = references.map(\.count).min(by: { Self.isCloser($0, $1, to: candidate.count) }) else {
            throw RondoError(.invalidArgument, "BLEU: a candidate needs at least one reference")
        }
        candidateLength += candidate.count
        referenceLength += closest
        for order in 1...totals.count {
            var allowed: [ArraySlice<Token>: Int] = [:]
            for reference in references {
                allowed.merge(Self.counts(reference, order), uniquingKeysWith: max)
            }
            for (gram, count) in Self.counts(candidate, order) {
                totals[order - 1] += count
                matches[order - 1] += min(count, allowed[gram] ?? 0)
            }
        }
    }

    private static func isCloser(_ a: Int, _ b: Int, to length: Int) -> Bool {
        (abs(a - length), a) < (abs(b - length), b)
    }

    private static func counts<Token: Hashable>(_ tokens: [Token], _ order: Int) -> [ArraySlice<Token>: Int] {
        guard tokens.count >= order else { return [:] }
        var counts: [ArraySlice<Token>: Int] = [:]
        for start in 0...tokens.count - order { counts[tokens[start..<start + order], default: 0] += 1 }
        return counts
    }

    /// The clipped precision of every order from 1; 0 where there is no n-gram.
    public var precisions: [Double] { zip(matches, totals).map { $1 == 0 ? 0 : Double($0) / Double($1) } }

    /// 1 if the candidates are longer than the references, else e^(1 - r / c).
    public var brevityPenalty: Double {
        guard candidateLength > 0 else { return 0 }
        return candidateLength > referenceLength ? 1 : exp(1 - Double(referenceLength) / Double(candidateLength))
    }

    /// The score, in `0...1`; papers give a hundred times as much.
    public var score: Double {
        let precisions = precisions
        guard precisions.allSatisfy({ $0 > 0 }) else { return 0 }
        return brevityPenalty * exp(precisions.reduce(0) { $0 + log($1) } / Double(precisions.count))
    }
}

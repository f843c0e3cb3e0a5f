import RondoTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The tokens still in the draw.
///
/// They stay in the order of their numbers whatever is removed, so that a draw depends only on the set, not on how it
/// was found. The storage is made once for the whole vocabulary.
package struct CandidateSet {
    struct Candidate {
        var score: Float
        /// `exp(score - best)`, valid after ``CandidateSet/weigh()``.
        var weight: Float
        var token: Int32

        /// The more likely first; among equals the lower number.
        func precedes(_ other: Candidate) -> Bool {
            score > other.score || (score == other.score && token < other.token)
        }
    }

    private var candidates: [Candidate]
    private var scratch: [Candidate]
    private(set) var count = 0

    package init(vocabularySize: Int) {
        let none = Candidate(score: 0, weight: 0, token: 0)
        candidates = [Candidate](repeating: none, count: vocabularySize)
        scratch = candidates
    }

    /// The tokens in the set, for tests.
    package var tokens: [Int32] { candidates[..<count].map(\.token) }

    /// Fills the set with the whole vocabulary.
    ///
    /// - Throws: `RondoError` with code `notFinite` unless every logit is a number or minus infinity, and one is a number.
    package mutating func fill(_ logits: UnsafeBufferPointer<Float>) throws {
        var best = -Float.infinity
        var hasNaN = false
        candidates.withUnsafeMutableBufferPointer { candidates in
            for index in 0..<candidates.count {
                let logit = logits[index]
                hasNaN = hasNaN || logit.isNaN
                best = max(best, logit)
                candidates[index] = Candidate(score: logit, weight: 0, token: Int32(index))
            }
        }
        count = candidates.count
        guard !hasNaN, best.isFinite else {
            throw RondoError(
                .notFinite,
                "sample: the logits are not all finite numbers (or minus infinity for excluded tokens); the model's "
                    + "parameters or its state are damaged")
        }
    }

    /// Lowers the scores of tokens, once each, however often they occurred; the set must be the whole vocabulary.
    mutating func penalize(_ occurrences: [Int32], by penalty: Float) {
        for (token, occurrence) in occurrences.enumerated() where occurrence > 0 {
            let score = candidates[token].score
            candidates[token].score = score > 0 ? score / penalty : score * penalty
        }
    }

    /// The most likely token; among equals the lowest number.
    var mostLikely: Int32 {
        var best = candidates[0]
        for candidate in candidates[..<count] where candidate.score > best.score { best = candidate }
        return best.token
    }

    // MARK: - Shaping and truncation

    /// Divides the scores; they are taken relative to the best first, so that no quotient overflows upwards.
    mutating func scale(temperature: Float) {
        let best = bestScore
        withCandidates { candidate in candidate.score = (candidate.score - best) / temperature }
    }

    /// Keeps the `limit` most likely tokens and those as likely as the last of them.
    mutating func keepTop(_ limit: Int) {
        guard limit < count, let last = border(mass: Double(limit), of: { _ in 1 }) else { return }
        keep { $0.score >= last.score }
    }

    /// Keeps the smallest set of most likely tokens whose probabilities sum to `mass`.
    mutating func keepNucleus(_ mass: Double) {
        let total = weigh()
        // What is lighter than this holds, all together, at most half of what may be left out.
        let negligible = (1 - mass) * total / Double(2 * count)
        guard let last = border(mass: mass * total, above: negligible, of: { Double($0.weight) }) else { return }
        keep { !last.precedes($0) }
    }

    /// Keeps the tokens at least `ratio` times as likely as the most likely.
    mutating func keepLikely(ratio: Double) {
        let limit = bestScore + Float(log(ratio))
        keep { $0.score >= limit }
    }

    /// Draws a token in proportion to its probability, by inversion of the distribution function.
    mutating func draw(_ uniform: Double) -> Int32 {
        var rest = uniform * weigh()
        var last = candidates[0].token
        for candidate in candidates[..<count] where candidate.weight > 0 {
            last = candidate.token
            rest -= Double(candidate.weight)
            if rest < 0 { break }
        }
        return last
    }

    // MARK: - Passes over the set

    private var bestScore: Float {
        candidates[..<count].reduce(-Float.infinity) { max($0, $1.score) }
    }

    /// Computes the weights and returns their sum.
    private mutating func weigh() -> Double {
        let best = bestScore
        var total = 0.0
        withCandidates { candidate in
            candidate.weight = expf(candidate.score - best)
            total += Double(candidate.weight)
        }
        return total
    }

    private mutating func withCandidates(_ body: (inout Candidate) -> Void) {
        let count = count
        candidates.withUnsafeMutableBufferPointer { candidates in
            for index in 0..<count { body(&candidates[index]) }
        }
    }

    private mutating func keep(_ condition: (Candidate) -> Bool) {
        let count = count
        self.count = candidates.withUnsafeMutableBufferPointer { candidates in
            var kept = 0
            for index in 0..<count where condition(candidates[index]) {
                candidates[kept] = candidates[index]
                kept += 1
            }
            return kept
        }
    }

    /// Finds the token with which the most likely tokens together reach a mass, in linear time.
    ///
    /// This is quickselect by mass: partition around a pivot, then go on in the part where the mass is reached.
    /// Tokens that measure no more than `negligible` must not matter to the result; they are passed over. Returns
    /// `nil` if all tokens together do not reach the mass.
    private mutating func border(
        mass: Double, above negligible: Double = 0, of measure: (Candidate) -> Double
    ) -> Candidate? {
        let count = count
        return scratch.withUnsafeMutableBufferPointer { scratch in
            var (low, high, needed) = (0, 0, mass)
            candidates.withUnsafeBufferPointer { candidates in
                for index in 0..<count where measure(candidates[index]) > negligible {
                    scratch[high] = candidates[index]
                    high += 1
                }
            }
            while low < high {
                let (middle, before) = Self.partition(&scratch, low, high, measure)
                if before >= needed, middle > low {
                    high = middle
                } else if before + measure(scratch[middle]) >= needed {
                    return scratch[middle]
                } else {
                    needed -= before + measure(scratch[middle])
                    low = middle + 1
                }
            }
            return nil
        }
    }

    /// Moves what precedes a pivot to its left; returns the pivot's place and the mass to its left.
    private static func partition(
        _ items: inout UnsafeMutableBufferPointer<Candidate>, _ low: Int, _ high: Int,
        _ measure: (Candidate) -> Double
    ) -> (middle: Int, before: Double) {
        items.swapAt(medianOfThree(items, low, (low + high) / 2, high - 1), high - 1)
        let pivot = items[high - 1]
        var middle = low
        var before = 0.0
        for index in low..<high - 1 where items[index].precedes(pivot) {
            before += measure(items[index])
            items.swapAt(index, middle)
            middle += 1
        }
        items.swapAt(middle, high - 1)
        return (middle, before)
    }

    private static func medianOfThree(
        _ items: UnsafeMutableBufferPointer<Candidate>, _ first: Int, _ second: Int, _ third: Int
    ) -> Int {
        let (low, high) = items[first].precedes(items[second]) ? (first, second) : (second, first)
        if items[third].precedes(items[low]) { return low }
        return items[high].precedes(items[third]) ? high : third
    }
}

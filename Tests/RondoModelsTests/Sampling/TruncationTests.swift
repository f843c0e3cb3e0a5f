import Foundation
import RondoModels
import RondoTensor
import Testing

/// Logits from a rough bell curve (a sum of four uniform numbers), times `spread`.
func randomLogits(_ count: Int, seed: UInt64, spread: Double = 4) -> [Float] {
    var generator = Generator(seed: seed)
    return (0..<count).map { _ in
        let sum = (0..<4).reduce(0.0) { sum, _ in sum + Double.random(in: 0..<1, using: &generator) }
        return Float((sum - 2) * spread)
    }
}

/// The softmax in double precision.
func softmax(_ logits: [Float], temperature: Double = 1) -> [Double] {
    let best = Double(logits.max() ?? 0)
    let weights = logits.map { exp((Double($0) - best) / temperature) }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
}

@Suite struct TruncationTests {
    private func kept(_ logits: [Float], _ options: SamplingOptions) throws -> [Int32] {
        var candidates = CandidateSet(vocabularySize: logits.count)
        try logits.withUnsafeBufferPointer { try candidates.fill($0) }
        candidates.shape(options)
        return candidates.tokens
    }

    /// Tokens from the most to the least likely, among equals the lower number first.
    private func ranked(_ logits: [Float]) -> [Int] {
        logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
    }

    @Test(arguments: [1, 3, 33, 50, 100], [1, 2, 7, 50, 200])
    func topKKeepsTheMostLikely(size: Int, limit: Int) throws {
        for seed in UInt64(0)..<20 {
            let logits = randomLogits(size, seed: seed)
            let expected = ranked(logits).prefix(limit).sorted().map(Int32.init)
            #expect(try kept(logits, SamplingOptions(topK: limit)) == expected)
        }
    }

    @Test func topKKeepsTiesWithTheLast() throws {
        #expect(try kept([1, 3, 2, 2, 2, 0], SamplingOptions(topK: 2)) == [1, 2, 3, 4])
        #expect(try kept([5, 5, 5], SamplingOptions(topK: 1)) == [0, 1, 2])
    }

    @Test(arguments: [1, 3, 33, 50, 1000], [0.001, 0.3, 0.5, 0.9, 0.999])
    func topPKeepsTheSmallestSufficientSet(size: Int, mass: Double) throws {
        for seed in UInt64(0)..<20 {
            let logits = randomLogits(size, seed: seed)
            let probabilities = softmax(logits)
            var sum = 0.0
            var expected: [Int32] = []
            for token in ranked(logits) where sum < mass {
                expected.append(Int32(token))
                sum += probabilities[token]
            }
            let actual = try kept(logits, SamplingOptions(topP: mass))
            #expect(actual == expected.sorted())
            // Enough, and without the least likely of them not enough.
            let masses = actual.map { probabilities[Int($0)] }
            #expect(masses.reduce(0, +) >= mass - 1e-6)
            #expect(masses.reduce(0, +) - (masses.min() ?? 0) < mass + 1e-6)
        }
    }

    @Test func topPAmongEqualsKeepsTheLowerNumbers() throws {
        #expect(try kept([0, 0, 0, 0], SamplingOptions(topP: 0.5)) == [0, 1])
        #expect(try kept([0, 0, 0, 0], SamplingOptions(topP: 0.51)) == [0, 1, 2])
    }

    @Test(arguments: [1, 3, 50, 100], [0.001, 0.05, 0.3, 0.9])
    func minPKeepsWhatIsLikelyEnough(size: Int, ratio: Double) throws {
        for seed in UInt64(0)..<20 {
            let logits = randomLogits(size, seed: seed)
            let probabilities = softmax(logits)
            let limit = ratio * (probabilities.max() ?? 0)
            let expected = probabilities.indices.filter { probabilities[$0] >= limit }.map(Int32.init)
            #expect(try kept(logits, SamplingOptions(minP: ratio)) == expected)
        }
        #expect(try kept([2, 1, 2], SamplingOptions(minP: 1)) == [0, 2])
    }

    @Test func theOrderDecidesWhatIsCutOff() throws {
        let logits: [Float] = [3, 2, 1, 0]
        var options = SamplingOptions(temperature: 2, minP: 0.3)
        #expect(try kept(logits, options) == [0, 1, 2])
        options.order = .llamaCpp
        #expect(try kept(logits, options) == [0, 1])
    }

    @Test func truncationsWorkOnWhatPrecedesThem() throws {
        // Of the three kept by top-k, the first two have 0.91 of the mass, but only 0.87 of the whole mass.
        let logits: [Float] = [3, 2, 1, 0.5, 0]
        #expect(try kept(logits, SamplingOptions(topK: 3, topP: 0.9)) == [0, 1])
        #expect(try kept(logits, SamplingOptions(topP: 0.9)) == [0, 1, 2])
    }

    @Test func theBestTokenAlwaysStays() throws {
        for seed in UInt64(0)..<50 {
            let logits = randomLogits(33, seed: seed)
            let options = SamplingOptions(temperature: 3, topK: 1, topP: 1e-9, minP: 1)
            #expect(try kept(logits, options) == [Int32(ranked(logits)[0])])
        }
    }
}

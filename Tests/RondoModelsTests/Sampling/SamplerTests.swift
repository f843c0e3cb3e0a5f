import Foundation
import RondoModels
import RondoTensor
import Testing

@Suite struct SamplerTests {
    private func draws(_ count: Int, _ logits: [Float], _ options: SamplingOptions, seed: UInt64 = 11) throws -> [Int32]
    {
        var sampler = try Sampler(options, seed: seed, vocabularySize: logits.count)
        return try (0..<count).map { _ in try sampler.sample(logits) }
    }

    /// Checks that draws follow a law, with a chi-square test at the level 0.001 (the seed is fixed).
    private func expectLaw(_ law: [Double], _ draws: [Int32]) {
        var counts = [Double](repeating: 0, count: law.count)
        for token in draws { counts[Int(token)] += 1 }
        // Tokens that are expected less than five times share one bin, as the test requires.
        var statistic = 0.0
        var bins = 0.0
        var (rareCount, rareExpected) = (0.0, 0.0)
        for (count, probability) in zip(counts, law) {
            let expected = probability * Double(draws.count)
            if expected >= 5 {
                statistic += (count - expected) * (count - expected) / expected
                bins += 1
            } else {
                rareCount += count
                rareExpected += expected
            }
            if probability == 0 { #expect(count == 0) }
        }
        if rareExpected >= 5 {
            statistic += (rareCount - rareExpected) * (rareCount - rareExpected) / rareExpected
            bins += 1
        }
        // Wilson and Hilferty's approximation of the 0.999 quantile.
        let freedom = bins - 1
        let cube = 1 - 2 / (9 * freedom) + 3.0902 * (2 / (9 * freedom)).squareRoot()
        #expect(statistic < freedom * cube * cube * cube, "chi-square \(statistic) with \(freedom) degrees of freedom")
    }

    @Test(arguments: [0.5, 1, 2]) func frequenciesFollowTheSoftmax(temperature: Double) throws {
        let logits = randomLogits(50, seed: 1)
        let tokens = try draws(100_000, logits, SamplingOptions(temperature: temperature))
        expectLaw(softmax(logits, temperature: temperature), tokens)
    }

    @Test func frequenciesAfterTruncationAreRenormalised() throws {
        var logits = randomLogits(33, seed: 2)
        let tokens = try draws(100_000, logits, SamplingOptions(temperature: 2, topK: 5))
        for token in logits.indices.sorted(by: { logits[$0] > logits[$1] }).dropFirst(5) {
            logits[token] = -.infinity
        }
        expectLaw(softmax(logits, temperature: 2), tokens)
    }

    @Test(arguments: [0, 1e-6, 1e-4]) func aColdDrawTakesTheMostLikely(temperature: Double) throws {
        for seed in UInt64(0)..<20 {
            let logits = randomLogits(100, seed: seed, spread: 10)
            let best = logits.indices.max { (logits[$0], $1) < (logits[$1], $0) }
            #expect(
                try draws(3, logits, SamplingOptions(temperature: temperature)).map(Int.init) == [best, best, best])
        }
    }

    @Test func greedyTakesTheLowestNumberAmongEquals() throws {
        #expect(try draws(1, [0, 2, 1, 2], SamplingOptions(temperature: 0)) == [1])
    }

    @Test func excludedTokensAreNeverDrawn() throws {
        let logits: [Float] = [-.infinity, 0, -.infinity, 0]
        #expect(Set(try draws(200, logits, SamplingOptions(temperature: 5))) == [1, 3])
        #expect(Set(try draws(200, logits, SamplingOptions(topK: 3, topP: 0.999, minP: 0.001))) == [1, 3])
    }

    // MARK: - Repetition penalty

    @Test func thePenaltyLowersEverySign() throws {
        // Penalised by 2: 3 becomes 1.5, below the untouched 2; -1 becomes -2, below the untouched -1.5.
        var sampler = try Sampler(
            SamplingOptions(temperature: 0, repetitionPenalty: 2), seed: 0, vocabularySize: 4)
        try sampler.observe([0])
        #expect(try sampler.sample([3, 2, -9, -9]) == 1)
        sampler = try Sampler(SamplingOptions(temperature: 0, repetitionPenalty: 2), seed: 0, vocabularySize: 2)
        try sampler.observe([0])
        #expect(try sampler.sample([-1, -1.5]) == 1)
    }

    @Test func thePenaltyIsAppliedOnceHoweverOftenATokenOccurred() throws {
        var sampler = try Sampler(SamplingOptions(temperature: 0, repetitionPenalty: 2), seed: 0, vocabularySize: 2)
        try sampler.observe([0, 0, 0])
        // Once makes 3 of the 6, still above 2; twice would make 1.5.
        #expect(try sampler.sample([6, 2]) == 0)
    }

    @Test(arguments: [(0, [5, 5, 5]), (1, [5, 4, 5]), (2, [5, 4, 3]), (-1, [5, 4, 3])])
    func onlyTheWindowCounts(window: Int, expected: [Int32]) throws {
        let options = SamplingOptions(temperature: 0, repetitionPenalty: 10, repetitionWindow: window)
        #expect(try draws(3, [1, 1, 1, 8, 9, 10], options) == expected)
    }

    @Test func withoutALimitTheWholePastCounts() throws {
        let options = SamplingOptions(temperature: 0, repetitionPenalty: 10, repetitionWindow: -1)
        #expect(try Set(draws(6, [1, 1.1, 1.2, 8, 9, 10], options)).count == 6)
    }

    // MARK: - Reproducibility

    @Test func theSeedDecidesTheDraws() throws {
        let logits = randomLogits(256, seed: 3)
        #expect(try draws(50, logits, SamplingOptions(), seed: 5) == draws(50, logits, SamplingOptions(), seed: 5))
        #expect(try draws(50, logits, SamplingOptions(), seed: 5) != draws(50, logits, SamplingOptions(), seed: 6))
    }

    @Test(arguments: [-1, 0, 1, 5, 64]) func aRestoredSamplerContinuesExactly(window: Int) throws {
        let options = SamplingOptions(
            temperature: 0.9, topK: 20, topP: 0.9, minP: 0.01, repetitionPenalty: 1.5, repetitionWindow: window)
        let logits = randomLogits(100, seed: 4)
        var original = try Sampler(options, seed: 8, vocabularySize: 100)
        try original.observe([1, 2, 3, 2])
        for _ in 0..<20 {
            let saved = try JSONEncoder().encode(original.state)
            var copy = try Sampler(
                options, resuming: try JSONDecoder().decode(Sampler.State.self, from: saved), vocabularySize: 100)
            #expect(copy.state == original.state)
            for _ in 0..<7 { #expect(try copy.sample(logits) == original.sample(logits)) }
        }
    }

    // MARK: - Refusals

    @Test func damagedLogitsAreRefusedAndChangeNothing() throws {
        var sampler = try Sampler(SamplingOptions(), seed: 0, vocabularySize: 3)
        let before = sampler.state
        for logits: [Float] in [[0, .nan, 1], [0, .infinity, 1], [-.infinity, -.infinity, -.infinity]] {
            let error = #expect(throws: RondoError.self) { try sampler.sample(logits) }
            #expect(error?.code == .notFinite)
        }
        let error = #expect(throws: RondoError.self) { try sampler.sample([0, 1]) }
        #expect(error?.code == .shapeMismatch)
        #expect(throws: RondoError.self) { try sampler.observe([0, 3]) }
        #expect(sampler.state == before)
    }

    @Test(arguments: [
        (SamplingOptions(temperature: -1), "temperature -1.0"), (SamplingOptions(temperature: .nan), "temperature nan"),
        (SamplingOptions(topK: -1), "top-k -1"), (SamplingOptions(topP: 0), "top-p 0.0"),
        (SamplingOptions(topP: 1.5), "top-p 1.5"), (SamplingOptions(minP: -0.1), "min-p -0.1"),
        (SamplingOptions(minP: .nan), "min-p nan"), (SamplingOptions(repetitionPenalty: 0), "repetition penalty 0.0"),
        (SamplingOptions(repetitionWindow: -2), "repetition window -2"),
    ])
    func wrongOptionsAreNamed(options: SamplingOptions, words: String) {
        let error = #expect(throws: RondoError.self) { try Sampler(options, seed: 0, vocabularySize: 2) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.hasPrefix("\(words): must be") == true, "\(error?.message ?? "")")
    }

    @Test func optionsSurviveJSONAndMissingKeysAreDefaults() throws {
        let options = SamplingOptions(
            temperature: 0.7, topK: 5, topP: 0.8, minP: 0.1, repetitionPenalty: 1.2, repetitionWindow: -1,
            order: .llamaCpp)
        let decoder = JSONDecoder()
        #expect(try decoder.decode(SamplingOptions.self, from: try JSONEncoder().encode(options)) == options)
        #expect(
            try decoder.decode(SamplingOptions.self, from: Data(#"{"top_k": 40}"#.utf8)) == SamplingOptions(topK: 40))
    }
}

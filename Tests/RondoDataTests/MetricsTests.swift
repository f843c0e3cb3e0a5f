import RondoData
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct MetricsTests {
    private func words(_ text: String) -> [Substring] { text.split(separator: " ") }

    @Test func countsAreClippedByTheBestReference() throws {
        var bleu = try BLEU()
        let references = [words("the cat is on the mat"), words("there is a cat on the mat")]
        try bleu.add(words("the the the the the the the"), references: references)
        #expect(bleu.matches == [2, 0, 0, 0] && bleu.totals == [7, 6, 5, 4])
        #expect(bleu.score == 0)
    }

    @Test func countsAreAddedBeforeTheyAreDivided() throws {
        // By hand: p1 = (5 + 2) / (6 + 3), p2 = (3 + 1) / (5 + 2), brevity e^(1 - 10 / 9).
        var bleu = try BLEU(order: 2)
        try bleu.add(words("the cat sat on the mat"), references: [words("the cat lay on the mat")])
        try bleu.add(words("he reads books"), references: [words("she reads books often")])
        #expect(bleu.matches == [7, 4] && bleu.totals == [9, 7])
        #expect(abs(bleu.score - 0.596_559_544_5) < 1e-9)
    }

    @Test func theClosestReferenceGivesTheLengthAndTheShorterOfTwo() throws {
        var bleu = try BLEU(order: 1)
        try bleu.add(words("a b c d"), references: [words("a b c d e f"), words("a b"), words("a b c d e f g")])
        #expect(bleu.referenceLength == 2)
        #expect(bleu.brevityPenalty == 1)
    }

    @Test func anEmptyCorpusScoresNothing() throws {
        #expect(try BLEU().score == 0)
        var bleu = try BLEU()
        #expect(try rondoError { try bleu.add(["a"], references: [[String]]()) }.code == .invalidArgument)
        #expect(try rondoError { _ = try BLEU(order: 0) }.code == .invalidArgument)
    }

    @Test(arguments: [
        ("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("same", "same", 0), ("flaw", "lawn", 2),
        ("ab", "ba", 2),
    ])
    func editDistances(a: String, b: String, edits: Int) {
        #expect(EditDistance.between(Array(a), Array(b)) == edits)
        #expect(EditDistance.between(Array(b), Array(a)) == edits)
    }

    @Test func theRateIsThatOfTheCorpus() {
        var rate = ErrorRate()
        rate.add(words("a b c"), reference: words("a x c d"))
        rate.add(words("y"), reference: words("y"))
        #expect(rate.edits == 2 && rate.referenceLength == 5 && rate.value == 0.4)
    }

    @Test func perplexityWeighsTokens() {
        var perplexity = Perplexity()
        perplexity.add(meanLoss: 2.079_441_541_679_835_7, tokens: 1)
        perplexity.add(meanLoss: 0, tokens: 2)
        #expect(abs(perplexity.value - 2) < 1e-12)
    }
}

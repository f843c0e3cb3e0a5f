import RondoData

extension Experiment {
    private static func words(_ text: String) -> [Substring] { text.split(separator: " ") }

    static func bleu(_ trial: inout Trial) throws {
        let references = [words("the cat is on the mat"), words("there is a cat on the mat")]
        var clipped = try BLEU()
        try clipped.add(words("the the the the the the the"), references: references)
        trial.check(
            "clipped p1 of seven times \"the\"", clipped.precisions[0], .within(2.0 / 7 - 1e-15...2.0 / 7 + 1e-15))
        trial.check("its BLEU-4: no bigram occurs", clipped.score, .equals(0))
        var same = try BLEU()
        try same.add(references[0], references: references)
        trial.check("BLEU-4 of a reference against itself", same.score, .within(1 - 1e-15...1 + 1e-15))
        // Counts are added up before they are divided: the mean of the sentences' scores would be 0.5.
        var corpus = try BLEU(order: 1)
        try corpus.add(words("a b c d e f"), references: [words("a b c d e f")])
        try corpus.add(words("x y"), references: [words("p q")])
        trial.check(
            "BLEU-1 of a corpus of 6 right and 2 wrong words", corpus.score, .within(0.75 - 1e-15...0.75 + 1e-15))
        var short = try BLEU(order: 1)
        try short.add(words("the cat"), references: [words("the cat is on")])
        trial.check(
            "brevity penalty of 2 words for 4: 1/e", short.brevityPenalty, .within(0.367_879_441...0.367_879_442))
        var rate = ErrorRate()
        rate.add(Array("sitting"), reference: Array("kitten"))
        trial.check("edits from \"sitting\" to \"kitten\"", Double(rate.edits), .equals(3))
        var perplexity = Perplexity()
        perplexity.add(meanLoss: 0, tokens: 1)
        perplexity.add(meanLoss: 1.386_294_361_119_890_6, tokens: 1)
        trial.check("perplexity of probabilities 1 and 1/4", perplexity.value, .within(2 - 1e-12...2 + 1e-12))
        trial.note("The tokenizer of all of these is: split at spaces.")
    }
}

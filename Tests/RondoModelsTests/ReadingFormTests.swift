import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import Testing

/// All ways in which a model can read give the same scores, also of rows of different lengths.
@Suite struct ReadingFormTests {
    static let rows: [[Int32]] = [[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5], [2, 7], [1, 8, 2, 8, 1, 8]]
    static let forms: [ReadingForm] = [
        .chunk(cuts: []), .chunk(cuts: [1, 4, 9]), .step, .prefill(padding: .left), .prefill(padding: .right),
    ]

    @Test(arguments: ["lstm", "mamba2,sliding_window", "rg_lru", "rwkv7,rwkv_channel_mix", "s4"])
    func allFormsAgree(_ mixers: String) throws {
        try expectAgreement(LanguageModelTests.model(mixers, vocabSize: 12))
    }

    private func expectAgreement(_ model: LanguageModel) throws {
        let whole = try #require(try model.logits(of: Self.rows, form: .parallel))
        #expect(whole.shape == [3, 11, 12])
        for form in Self.forms {
            let other = try #require(try model.logits(of: Self.rows, form: form))
            let error: Double = try (whole - other).abs().max().scalar()
            #expect(error < 1e-9, "\(form)")
        }
        #expect(try whole.selecting(0, 1).sliced(0, 2..<11).abs().max().scalar() == 0)
    }

    @Test func valuesOfTheFirstLayerReachTheOthersInEveryForm() throws {
        let model = try LanguageModelTests.model("rwkv7", vocabSize: 12) {
            $0.nLayers = 3
            $0.layers = ["first", "upper", "upper"].map {
                .init(mixer: "rwkv7", options: ["value_mixing": .string($0)])
            }
        }
        try expectAgreement(model)
    }

    @Test func tokensReachTheLayersInEveryForm() throws {
        let model = try LanguageModelTests.model("ngram_head", vocabSize: 12) {
            $0.nLayers = 3
            $0.layers = [
                .init(mixer: "gru"), .init(mixer: "ngram_head", options: ["order": .integer(1)]),
                .init(mixer: "ngram_head", options: ["order": .integer(2)]),
            ]
        }
        try expectAgreement(model)
    }

    @Test func headsMatchTokensAndNotVectors() throws {
        // Without the embedding's vectors, which are all the same, tokens can be told apart by the head alone.
        var model = try LanguageModelTests.model("ngram_head", vocabSize: 12) { $0.nLayers = 2 }
        model.embedding.weight = try Tensor.ones(model.embedding.weight.shape, dtype: model.embedding.weight.dtype)
        let all = try #require(try model.logits(of: [[1, 2, 3, 1], [1, 2, 3, 4]], form: .parallel))
        let last = try all.selecting(1, 3)
        #expect(try (last.selecting(0, 0) - last.selecting(0, 1)).abs().max().scalar() > 1e-6)
    }

    @Test func aLearnedBeginningCountsInEveryForm() throws {
        let model = try LanguageModelTests.model("lstm", vocabSize: 12)
        var learned = try LearnedState(for: model)
        learned.forEachParameter { _, leaf in leaf = (try? leaf + 0.7) ?? leaf }
        let tuned = learned.applied(to: model)
        try expectAgreement(tuned)
        let plain = try #require(try model.logits(of: Self.rows, form: .parallel))
        let changed = try #require(try tuned.logits(of: Self.rows, form: .parallel))
        #expect(try (plain - changed).abs().max().scalar() > 1e-3)
    }

    @Test func whatCannotBeReadIsRefused() throws {
        let model = try LanguageModelTests.model("lstm", vocabSize: 12)
        func code(_ rows: [[Int32]], _ form: ReadingForm = .parallel) -> RondoError.Code? {
            do { _ = try model.logits(of: rows, form: form) } catch { return (error as? RondoError)?.code }
            return nil
        }
        #expect(code([]) == .invalidArgument)
        #expect(code([[1], []]) == .invalidArgument)
        #expect(code([[1, 12]]) == .outOfRange)
        #expect(code([[1, -1]], .step) == .outOfRange)
        #expect(code([[1, 2, 3]], .chunk(cuts: [2, 2])) == .invalidArgument)
    }

    @Test func readingStopsWhenAsked() throws {
        let model = try LanguageModelTests.model("lstm", vocabSize: 12)
        #expect(try model.logits(of: Self.rows, form: .step) { $0 < 3 } == nil)
    }

    @Test func scaleNormAndCapOfAModelCount() throws {
        let plain = try LanguageModelTests.model("lstm", vocabSize: 12)
        let changed = try LanguageModelTests.model("lstm", vocabSize: 12) {
            $0.embeddingScale = 3
            $0.embeddingNorm = .layer
            $0.logitSoftCap = 0.1
        }
        for form in [ReadingForm.parallel] + Self.forms {
            let scores = try #require(try changed.logits(of: Self.rows, form: form))
            #expect(try scores.abs().max().scalar() < 0.1)
        }
        #expect(try #require(try plain.logits(of: Self.rows, form: .step)).abs().max().scalar() > 0.1)
    }
}

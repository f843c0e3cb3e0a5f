import RondoCheckpoints
import RondoIO
import RondoMixers
import RondoModels
import RondoTensor
import RondoTestSupport
import Testing

/// What keys mean that no committed checkpoint has: those that are absent, and those of published ones.
@Suite struct FamilyKeyTests {
    private func configuration(
        _ family: any CheckpointFamily.Type, _ text: String
    ) throws -> LanguageModelConfiguration {
        let object = try #require(try JSONValue(parsing: text, source: "test").objectValue)
        var keys = ConfigurationReader(object, source: "test")
        let configuration = family.configuration(from: &keys)
        try keys.finish()
        try configuration.validate()
        return configuration
    }

    @Test func absentKeysOfXLSTMAreTheDefaultsOfItsClass() throws {
        let model = try configuration(XLSTMFamily.self, "{}")
        #expect(model.vocabSize == 50_304 && model.dModel == 4096 && model.nLayers == 32)
        #expect(model.feedForwardSize == 10_944 && model.normEpsilon == 1e-6 && model.logitSoftCap == 30)
        let mixer = try MLSTM.Configuration(options: model.mixerOptions, source: "test")
        #expect(mixer.heads == 8 && mixer.expandKey == 0.5 && mixer.expandValue == 1 && mixer.gateSoftCap == 15)
    }

    /// The spelling of NX-AI/xLSTM-7b.
    @Test func theOtherSpellingOfXLSTMIsRead() throws {
        let model = try configuration(
            XLSTMFamily.self,
            """
            {"embedding_dim": 512, "num_blocks": 3, "num_heads": 4, "head_dim": 128, "vocab_size": 99,
             "chunkwise_kernel": "chunkwise--triton_xl_chunk", "sequence_kernel": "native_sequence__triton",
             "step_kernel": "triton", "mode": "inference", "torch_dtype": "float32", "use_bias": false}
            """)
        #expect(model.dModel == 512 && model.nLayers == 3)
    }

    @Test func absentKeysOfRecurrentGemmaAreTheDefaultsOfItsClass() throws {
        let model = try configuration(RecurrentGemmaFamily.self, "{}")
        #expect(model.vocabSize == 256_000 && model.dModel == 2560 && model.everyLayer.count == 26)
        #expect(
            model.everyLayer.enumerated().allSatisfy { ($0.offset % 3 == 2) == ($0.element.mixer == "sliding_window") })
        // √2560 = 50.596…, of which bfloat16 keeps eight binary digits.
        #expect(model.embeddingScale == 50.5 && model.feedForwardSize == 3840 && model.tieEmbeddings)
        let attention = try SlidingWindowAttention.Configuration(options: model.everyLayer[2].options, source: "test")
        #expect(attention.heads == 10 && attention.kvHeads == 10 && attention.headSize == 256)
        #expect(attention.window == 2048 && attention.ropeFraction == 0.5 && attention.outputBias == true)
    }

    /// Models that Rondo made itself, with widths left to their defaults, survive being written.
    @Test func modelsOfRondosOwnCanBeWritten() throws {
        var xlstm = LanguageModelConfiguration(mixer: "mlstm", dModel: 12, nLayers: 1)
        xlstm.feedForward = .swiGLU
        xlstm.logitSoftCap = 30
        xlstm.mixerOptions = [
            "heads": .integer(3), "gate_soft_cap": .real(15.0), "norm_epsilon": .real(xlstm.normEpsilon),
            "expand_key": .real(0.75),
        ]
        var gemma = LanguageModelConfiguration(mixer: "rg_lru", dModel: 16, nLayers: 2)
        gemma.mixerOptions = ["heads": .integer(4), "gate_activation": .string("gelu_tanh")]
        gemma.embeddingScale = 4
        (gemma.feedForward, gemma.feedForwardBias, gemma.logitSoftCap) = (.geGLU, true, 30)
        for configuration in [xlstm, gemma] {
            var generator = Generator(seed: 2)
            let model = try LanguageModel(configuration, using: &generator)
            let family = try #require(model.fittingFamilies.first)
            let folder = try TemporaryFolder()
            try model.write(as: family, to: folder.path)
            let copy = try withExtendedLifetime(folder) { try LanguageModel(checkpoint: folder.path) }
            let tokens = try Tensor([Int32](0..<5), shape: [1, 5])
            var states = (try model.initialState(batch: 1), try copy.initialState(batch: 1))
            let (want, got) = (try model.logits(tokens, state: &states.0), try copy.logits(tokens, state: &states.1))
            let difference: Double = try (want - got).abs().max().cast(to: .float64).scalar()
            #expect(difference < 1e-5, "\(family)")
        }
    }
}

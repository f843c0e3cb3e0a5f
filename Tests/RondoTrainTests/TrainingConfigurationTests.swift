import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

@Suite struct TrainingConfigurationTests {
    @Test func jsonRoundTripKeepsEverything() throws {
        let configuration = TinyRun.configuration(TinyRun.everything)
        let tree = try StrictJSON.tree(of: configuration, absentAsNull: true)
        #expect(try StrictJSON.decode(TrainingConfiguration.self, from: tree, source: "test") == configuration)
        #expect(tree["model"]?["vocab_size"]?.intValue == 256)
        #expect(tree["evaluation"]?["limit_bytes"]?.intValue == 150)
        #expect(tree["optimizer"]?["learning_rate"] != nil)
        #expect(tree["minutes"] == .null)
    }

    @Test func defaultsAreValid() throws {
        try TrainingConfiguration().validate()
    }

    @Test(arguments: [
        ("batch_size=0", "batch_size 0"), ("window_length=-1", "window_length -1"), ("steps=0", "steps 0"),
        ("epochs=1", "exactly one"), ("steps=null", "exactly one"), ("clip_norm=-1", "clip_norm"),
        ("ema_decay=1", "ema_decay"), ("data.validation_fraction=1", "data.validation_fraction"),
        ("model.vocab_size=1", "model.vocab_size 1"), ("model.embedding_dropout=1.5", "model.embedding_dropout"),
        ("model.d_model=0", "d_model"), ("model.d_model=1000000", "GiB"),
        ("model.mixer=lstmm", "lstm"), ("optimizer.learning_rate=0", "learning_rate"),
        ("checkpoints.keep_last=0", "keep_last"), ("evaluation.patience=-1", "patience"), ("accumulation=0", "accumul"),
        ("gradient_noise.eta=-1", "gradient_noise.eta"), ("gradient_noise.gamma=-1", "gradient_noise.gamma"),
    ])
    func nonsenseIsRefusedByName(change: String, expected: String) throws {
        var tree = try StrictJSON.tree(of: TinyRun.configuration(), absentAsNull: true)
        try tree.apply([Override(change)])
        let configuration = try StrictJSON.decode(TrainingConfiguration.self, from: tree, source: "test")
        let error = try rondoError { _ = try Trainer(configuration, corpus: TinyRun.corpus) }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains(expected), "\(error.message)")
    }

    @Test(arguments: [0, 1, 20, 23]) func shortTextsAreRefused(count: Int) throws {
        let error = try rondoError {
            _ = try Trainer(TinyRun.configuration(), corpus: Corpus(bytes: TinyRun.text(count)))
        }
        #expect(error.message.contains("text"))
    }
}

import RondoData
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTokenizers
import RondoTrain
import Testing

/// Going on from a model, and training small additions to it.
@Suite struct AdaptedTrainingTests {
    private func base() throws -> LanguageModel {
        var generator = Generator(seed: 2)
        return try LanguageModel(LanguageModelConfiguration(mixer: "lstm", dModel: 12), using: &generator)
    }

    private func configuration(_ change: (inout TrainingConfiguration.Adapters) -> Void) throws -> TrainingConfiguration
    {
        let shape = try base().configuration
        return TinyRun.configuration {
            $0.model = shape
            $0.initialModel = "base"
            $0.optimizer.learningRate = 2e-2
            change(&$0.adapters)
        }
    }

    @Test(arguments: [(2, false), (0, true), (2, true)])
    func theLossFallsAndTheModelStays(_ rank: Int, _ tunesState: Bool) throws {
        let (model, recorder, store) = (try base(), Recorder(), try FolderStore())
        var trainer = try Trainer(
            configuration {
                $0.loraRank = rank
                $0.tunesState = tunesState
            }, corpus: TinyRun.corpus, initial: model)
        let result = try trainer.run(store: store, observer: recorder)
        // A state alone is little in windows of seven bytes; that it moves is all that is sure.
        if rank > 0 {
            let losses = recorder.steps.map(\.loss)
            #expect(losses.suffix(4).reduce(0, +) < losses.prefix(4).reduce(0, +))
        }
        guard case .adapted(let frozen, let adapters) = trainer.trained else {
            Issue.record("a whole model was trained")
            return
        }
        #expect(try frozen.parameters.fingerprint() == model.parameters.fingerprint())
        #expect(try adapters.parameters.tensors.allSatisfy { try $0.abs().max().scalar() > 1e-4 })
        #expect((adapters.lowRank != nil) == (rank > 0) && (adapters.initialState != nil) == tunesState)
        // A checkpoint holds the additions alone, and the run goes on from it.
        let again = try Trainer(resuming: result.checkpoint, corpus: TinyRun.corpus, base: model)
        #expect(try again.trained.parameters.fingerprint() == trainer.trained.parameters.fingerprint())
    }

    @Test func aRunGoesOnFromAModel() throws {
        let model = try base()
        let trainer = try Trainer(
            TinyRun.configuration { $0.model = model.configuration }, corpus: TinyRun.corpus, initial: model)
        #expect(try trainer.model.parameters.fingerprint() == model.parameters.fingerprint())
    }

    @Test func adaptersWithoutAModelAndAveragesOfThemAreRefused() throws {
        let configuration = TinyRun.configuration { $0.adapters.loraRank = 2 }
        #expect(throws: RondoError.self) { try Trainer(configuration, corpus: TinyRun.corpus) }
        var averaged = try self.configuration { $0.loraRank = 2 }
        averaged.emaDecay = 0.9
        #expect(throws: RondoError.self) { try Trainer(averaged, corpus: TinyRun.corpus, initial: base()) }
    }

    @Test func adaptersUnderTheNamesOfAFamilyGoOn() throws {
        var shape = LanguageModelConfiguration(mixer: "gla", dModel: 16, nLayers: 1)
        (shape.feedForward, shape.vocabSize) = (.swiGLU, 256)
        var generator = Generator(seed: 2)
        let model = try LanguageModel(shape, using: &generator)
        let configuration = TinyRun.configuration {
            $0.model = model.configuration
            ($0.initialModel, $0.modelFamily) = ("base", "gla")
            $0.adapters.loraRank = 2
            $0.steps = 2
        }
        var trainer = try Trainer(configuration, corpus: TinyRun.corpus, initial: model)
        let store = try FolderStore()
        defer { withExtendedLifetime(store) {} }
        let result = try trainer.run(store: store, observer: Recorder())
        let again = try Trainer(resuming: result.checkpoint, corpus: TinyRun.corpus, base: model)
        #expect(again.step == 2)
    }

    @Test func aTextOfTokensIsMeasuredInBytes() throws {
        /// Two bytes a token.
        struct Pairs: Tokenizer {
            var vocabularySize: Int { 1 << 16 }
            func encode(_ bytes: some Sequence<UInt8>) -> [Int32] {
                let all = Array(bytes)
                return stride(from: 0, to: all.count - 1, by: 2).map { Int32(all[$0]) << 8 | Int32(all[$0 + 1]) }
            }
            func decode(_ tokens: some Sequence<Int32>) throws -> [UInt8] {
                tokens.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
            }
        }
        let recorder = Recorder()
        var trainer = try Trainer(
            TinyRun.configuration {
                $0.model.vocabSize = 1 << 16
                $0.steps = 1
            }, corpus: TinyRun.corpus, tokenizer: Pairs())
        _ = try trainer.run(store: FolderStore(), observer: recorder)
        // 16 bits a token of two bytes.
        #expect(abs(recorder.steps[0].bitsPerByte - 8) < 0.5)
        let small = TinyRun.configuration { $0.model.vocabSize = 256 }
        #expect(throws: RondoError.self) { try Trainer(small, corpus: TinyRun.corpus, tokenizer: Pairs()) }
    }
}

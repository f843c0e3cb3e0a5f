import RondoData
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

@Suite struct TrainerTests {
    @Test func lossFallsAndAShortTextIsLearntByHeart() throws {
        let text = Array("the quick brown fox jumps over the lazy dog. ".utf8)
        let corpus = Corpus(bytes: Array([[UInt8]](repeating: text, count: 12).joined()))
        let configuration = TinyRun.configuration {
            $0.model = LanguageModelConfiguration(mixer: "lstm", dModel: 40, nLayers: 1)
            $0.steps = 150
            $0.batchSize = 4
            $0.windowLength = 24
            $0.optimizer.learningRate = 2e-2
            $0.evaluation.interval = 0
            $0.checkpoints.interval = 0
        }
        let (store, recorder) = (try FolderStore(), Recorder())
        var trainer = try Trainer(configuration, corpus: corpus)
        let result = try trainer.run(store: store, observer: recorder)
        #expect(recorder.steps[0].bitsPerByte > 7)
        #expect(try #require(recorder.steps.last).bitsPerByte < 0.3)
        #expect(try #require(result.evaluation).bitsPerByte < 0.6)
        #expect(store.steps == [150])
        #expect(store.best == 150)
    }

    @Test func anInterruptionBeforeAnyStepIsNoSpecialCase() throws {
        let store = try FolderStore()
        var trainer = try Trainer(TinyRun.configuration(), corpus: TinyRun.corpus)
        let result = try trainer.run(store: store, observer: Recorder()) { true }
        #expect(result.reason == .interrupted && result.step == 1)
        #expect(store.steps == [1])
    }

    @Test func trainingStopsWhenValidationGetsNoBetter() throws {
        let (store, recorder) = (try FolderStore(), Recorder())
        let configuration = TinyRun.configuration {
            $0.steps = 500
            $0.optimizer = OptimizerConfiguration(.sgd, learningRate: 1e-12)
            $0.optimizer.momentum = 0
            $0.evaluation.interval = 2
            $0.evaluation.patience = 3
            $0.checkpoints.interval = 0
        }
        var trainer = try Trainer(configuration, corpus: TinyRun.corpus)
        let result = try trainer.run(store: store, observer: recorder)
        #expect(result.reason == .earlyStop)
        #expect(result.step < 500)
        let afterBest = recorder.evaluations.reversed().prefix { !$0.isBest }
        #expect(afterBest.count == 3)
        // Resuming does not train on.
        var again = try Trainer(resuming: result.checkpoint, corpus: TinyRun.corpus)
        #expect(try again.run(store: store, observer: recorder).step == result.step)
    }

    @Test func minutesBecomeStepsOnce() throws {
        let configuration = TinyRun.configuration {
            $0.steps = nil
            $0.minutes = 0.005
            $0.evaluation.interval = 0
        }
        let (store, recorder) = (try FolderStore(), Recorder())
        var trainer = try Trainer(configuration, corpus: TinyRun.corpus)
        #expect(trainer.totalSteps == nil)
        let result = try trainer.run(store: store, observer: recorder)
        let total = try #require(trainer.totalSteps)
        #expect(recorder.plan?.totalSteps == total)
        #expect(try Trainer(resuming: result.checkpoint, corpus: TinyRun.corpus).totalSteps == total)
        // The measurement of the speed leaves no trace: a run of so many steps is the same.
        var same = try Trainer(
            TinyRun.configuration {
                $0.steps = total
                $0.evaluation.interval = 0
            }, corpus: TinyRun.corpus)
        let other = Recorder()
        _ = try same.run(store: store, observer: other)
        #expect(Array(other.steps.map(\.loss).prefix(recorder.steps.count)) == recorder.steps.map(\.loss))
    }

    // MARK: - Numbers that are not finite

    @Test func aBadWeightIsNamed() throws {
        let store = try FolderStore()
        var trainer = try Trainer(TinyRun.configuration(), corpus: TinyRun.corpus)
        let recorder = Recorder()
        _ = try trainer.run(store: store, observer: recorder) { recorder.steps.count == 5 }
        let before = try store.files(5)
        let path = try #require(trainer.trained.parameters.paths.first { $0.contains("layers.1") })
        trainer.trained.forEachParameter { name, parameter in
            if name == path, let bad = try? parameter * .nan { parameter = bad }
        }
        let error = try rondoError { _ = try trainer.run(store: store, observer: recorder) }
        #expect(error.code == .notFinite)
        #expect(error.message.contains("step 6") && error.message.contains(path) && error.message.contains("step-5"))
        #expect(store.steps.last == 5)
        #expect(try store.files(5) == before)
    }

    @Test func anOverflowNamesTheLayer() throws {
        let recorder = Recorder()
        var trainer = try Trainer(TinyRun.configuration { $0.model.norm = .layer }, corpus: TinyRun.corpus)
        // Finite weights whose products are not.
        try trainer.trained.forEachParameter { name, parameter in
            if name == "norm.bias" { parameter = try Tensor.full(parameter.shape, 10) }
            if name == "head.weight" { parameter = try Tensor.full(parameter.shape, 3e38) }
        }
        let error = try rondoError { _ = try trainer.run(store: FolderStore(), observer: recorder) }
        #expect(error.message.contains("'head'"), "\(error.message)")
        #expect(error.message.contains("No checkpoint"))
        #expect(recorder.steps.isEmpty)
    }

    // MARK: - Accumulation

    @Test func accumulatedWindowsAreAveraged() throws {
        // With a rate of zero nothing moves, so two steps see what one step of two windows sees.
        func losses(_ accumulation: Int) throws -> [Double] {
            let recorder = Recorder()
            let configuration = TinyRun.configuration {
                $0.steps = 4 / accumulation
                $0.accumulation = accumulation
                $0.optimizer = OptimizerConfiguration(.sgd, learningRate: 1e-30)
                $0.evaluation.interval = 0
            }
            var trainer = try Trainer(configuration, corpus: TinyRun.corpus)
            _ = try trainer.run(store: FolderStore(), observer: recorder)
            return recorder.steps.map(\.loss)
        }
        let (single, double) = (try losses(1), try losses(2))
        for (index, loss) in double.enumerated() {
            #expect(abs(loss - (single[2 * index] + single[2 * index + 1]) / 2) < 1e-6)
        }
    }
}

import RondoData
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

@Suite struct ResumeTests {
    /// Runs to the end, stopping and starting again from the disk after some steps.
    private func run(
        _ configuration: TrainingConfiguration, stoppingAfter stops: [Int] = []
    ) throws -> (store: FolderStore, recorder: Recorder) {
        let (store, recorder) = (try FolderStore(), Recorder())
        var trainer = try Trainer(configuration, corpus: TinyRun.corpus)
        for stop in stops {
            let result = try trainer.run(store: store, observer: recorder) { recorder.steps.count >= stop }
            #expect(result.reason == .interrupted)
            #expect(result.step == stop)
            trainer = try Trainer(resuming: result.checkpoint, corpus: TinyRun.corpus)
        }
        let result = try trainer.run(store: store, observer: recorder)
        #expect(result.reason == .completed)
        return (store, recorder)
    }

    private func expectEqual(
        _ a: (store: FolderStore, recorder: Recorder), _ b: (store: FolderStore, recorder: Recorder), _ note: Comment
    ) throws {
        let (one, other) = (try a.store.files(20), try b.store.files(20))
        #expect(one.keys.sorted() == other.keys.sorted(), note)
        for (name, bytes) in one { #expect(bytes == other[name], "\(note): \(name) differs") }
        #expect(a.recorder.steps.map(\.loss) == b.recorder.steps.map(\.loss), note)
        #expect(a.recorder.steps.map(\.gradientNorm) == b.recorder.steps.map(\.gradientNorm), note)
        #expect(a.recorder.steps.map(\.learningRate) == b.recorder.steps.map(\.learningRate), note)
        #expect(a.recorder.evaluations == b.recorder.evaluations, note)
    }

    @Test(arguments: OptimizerConfiguration.Name.allCases)
    func resumedRunEqualsUndisturbedOne(_ name: OptimizerConfiguration.Name) throws {
        let configuration = TinyRun.configuration {
            TinyRun.everything(&$0)
            $0.optimizer = OptimizerConfiguration(name, learningRate: 1e-3)
        }
        let straight = try run(configuration)
        #expect(straight.recorder.steps.count == 20)
        try expectEqual(straight, run(configuration, stoppingAfter: [7]), "\(name)")
    }

    @Test(arguments: MixerRegistry.builtIn.map { $0.architecture })
    func everyMixerResumes(_ mixer: String) throws {
        let configuration = TinyRun.configuration { $0.model = LanguageModelConfiguration(mixer: mixer, dModel: 16) }
        try expectEqual(run(configuration), run(configuration, stoppingAfter: [1, 6, 13]), "\(mixer)")
    }

    @Test func epochsWrapAroundWhileResuming() throws {
        // 2700 training bytes in windows of 3 × 100 make 8 windows an epoch.
        let configuration = TinyRun.configuration {
            $0.windowLength = 100
            $0.evaluation.interval = 0
        }
        let straight = try run(configuration)
        #expect(straight.recorder.plan?.stepsPerEpoch == 8)
        try expectEqual(straight, run(configuration, stoppingAfter: [8, 9, 16]), "epochs")
    }

    @Test func interruptedEvaluationIsMadeUpFor() throws {
        let configuration = TinyRun.configuration { $0.evaluation.interval = 5 }
        let straight = try run(configuration)
        let (store, recorder) = (try FolderStore(), Recorder())
        var trainer = try Trainer(configuration, corpus: TinyRun.corpus)
        // Asks to stop as soon as step 10 is done: in the middle of its evaluation.
        let result = try trainer.run(store: store, observer: recorder) { recorder.steps.count == 10 }
        #expect(result.step == 10 && result.evaluation?.step == 5)
        var resumed = try Trainer(resuming: result.checkpoint, corpus: TinyRun.corpus)
        _ = try resumed.run(store: store, observer: recorder)
        try expectEqual(straight, (store, recorder), "interrupted evaluation")
    }

    @Test func checkpointsOnTheWayEqualThoseOfTheUndisturbedRun() throws {
        let configuration = TinyRun.configuration(TinyRun.everything)
        let straight = try run(configuration)
        let resumed = try run(configuration, stoppingAfter: [7])
        for step in [5, 6, 10, 12, 15] where straight.store.steps.contains(step) {
            #expect(try straight.store.files(step) == resumed.store.files(step), "step \(step)")
        }
    }

    @Test func threadsDoNotMatter() throws {
        let runs = try [1, 2, 4].map { threads in
            try run(
                TinyRun.configuration {
                    TinyRun.everything(&$0)
                    $0.threads = threads
                })
        }
        defer { Runtime.threadCount = 0 }
        for other in runs.dropFirst() {
            #expect(runs[0].recorder.steps.map(\.loss) == other.recorder.steps.map(\.loss))
            for name in [ModelFolder.weights, ModelFolder.averagedWeights, "optimizer.safetensors"] {
                #expect(try runs[0].store.files(20)[name] == other.store.files(20)[name], "\(name)")
            }
        }
    }

    @Test func anotherTextIsRefused() throws {
        let straight = try run(TinyRun.configuration())
        let error = try rondoError {
            _ = try Trainer(resuming: straight.store.path(20), corpus: Corpus(bytes: TinyRun.text(3001)))
        }
        #expect(error.code == .conflict)
    }

    @Test func finishedRunCanBeExtended() throws {
        let straight = try run(TinyRun.configuration { $0.schedule.kind = .constant })
        var longer = try Trainer(resuming: straight.store.path(20), corpus: TinyRun.corpus, totalSteps: 23)
        let (store, recorder) = (try FolderStore(), Recorder())
        #expect(try longer.run(store: store, observer: recorder).step == 23)
        #expect(recorder.steps.count == 3)
        let error = try rondoError {
            _ = try Trainer(resuming: straight.store.path(20), corpus: TinyRun.corpus, totalSteps: 19)
        }
        #expect(error.message.contains("steps 19"))
    }
}

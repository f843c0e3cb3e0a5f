import RondoCheckpoints
import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

/// Notes everything.
private final class TaskRecorder: TaskObserver {
    private(set) var steps: [TaskStepMetrics] = []
    private(set) var evaluations: [TaskEvaluation] = []

    func observe(_ event: TaskEvent) throws {
        switch event {
        case .step(let metrics): steps.append(metrics)
        case .evaluation(let evaluation): evaluations.append(evaluation)
        case .started, .checkpoint, .finished: break
        }
    }
}

/// The running mean of random vectors: features in, numbers out.
private struct RunningMean: SequenceTask {
    static let card = TaskCard(name: "running_mean_for_tests", summary: "", definition: "", source: "")
    var input: TaskInput { .features(2) }
    var output: TaskOutput { .values(1) }
    var trainingLengths: ClosedRange<Int> { 2...6 }
    var testLengths: [Int] { [6] }

    func example(length: Int, using generator: inout Generator) -> TaskExample {
        var sum: Float = 0
        var (inputs, targets): ([[Float]], [[Float]?]) = ([], [])
        for position in 0..<length {
            let row = [Float.random(in: -1...1, using: &generator), Float.random(in: -1...1, using: &generator)]
            sum += row[0] + row[1]
            inputs.append(row)
            targets.append([sum / Float(position + 1)])
        }
        return TaskExample(inputs: .features(inputs), targets: .values(targets))
    }
}

@Suite struct TaskRunTests {
    private func configuration(_ change: (inout TaskRunConfiguration) -> Void = { _ in }) -> TaskRunConfiguration {
        var configuration = TaskRunConfiguration(
            task: "parity", model: LanguageModelConfiguration(mixer: "lstm", dModel: 8, nLayers: 1))
        (configuration.training.steps, configuration.training.batchSize) = (12, 4)
        (configuration.training.curriculumFraction, configuration.training.maxLength) = (0.5, 9)
        configuration.training.schedule = ScheduleConfiguration(.cosine, warmupSteps: 3)
        (configuration.evaluation.interval, configuration.evaluation.examples) = (5, 6)
        configuration.evaluation.lengths = [20, 9]
        (configuration.checkpoints.interval, configuration.threads) = (4, 1)
        change(&configuration)
        return configuration
    }

    private func run(
        _ configuration: TaskRunConfiguration, stoppingAfter stops: [Int] = []
    ) throws -> (store: FolderStore, recorder: TaskRecorder) {
        let (store, recorder) = (try FolderStore(), TaskRecorder())
        var run = try TaskRun(configuration)
        for stop in stops {
            let result = try run.run(store: store, observer: recorder) { recorder.steps.count >= stop }
            #expect(result.reason == .interrupted && result.step == stop)
            run = try TaskRun(resuming: result.checkpoint)
        }
        let result = try run.run(store: store, observer: recorder)
        #expect(result.reason == .completed && result.scores.map(\.length) == [9, 20])
        return (store, recorder)
    }

    @Test(arguments: OptimizerConfiguration.Name.allCases)
    func resumedRunEqualsUndisturbedOne(_ name: OptimizerConfiguration.Name) throws {
        let configuration = configuration { $0.training.optimizer = OptimizerConfiguration(name, learningRate: 1e-2) }
        let (whole, parts) = (try run(configuration), try run(configuration, stoppingAfter: [1, 5, 7]))
        #expect(whole.recorder.steps.map(\.loss) == parts.recorder.steps.map(\.loss))
        #expect(whole.recorder.steps.map(\.gradientNorm) == parts.recorder.steps.map(\.gradientNorm))
        #expect(whole.recorder.steps.map(\.learningRate) == parts.recorder.steps.map(\.learningRate))
        #expect(whole.recorder.evaluations == parts.recorder.evaluations)
        #expect(whole.recorder.evaluations.map(\.step) == [5, 10, 12])
        let (one, other) = (try whole.store.files(12), try parts.store.files(12))
        #expect(one == other && one.keys.contains("task_state.json"))
    }

    @Test func anInterruptedEvaluationIsMadeUpFor() throws {
        let (store, recorder) = (try FolderStore(), TaskRecorder())
        var run = try TaskRun(configuration())
        var questions = 0
        // The first question after the fifth step is asked between the lengths of its evaluation.
        let result = try run.run(store: store, observer: recorder) {
            questions += recorder.steps.count == 5 ? 1 : 0
            return questions > 0
        }
        #expect(result.reason == .interrupted && result.step == 5 && recorder.evaluations.isEmpty)
        run = try TaskRun(resuming: result.checkpoint, totalSteps: 6)
        _ = try run.run(store: store, observer: recorder)
        #expect(recorder.evaluations.map(\.step) == [5, 6] && run.evaluations == recorder.evaluations)
    }

    @Test func configurationsAreFlatAndComeBack() throws {
        let configuration = configuration()
        let tree = try StrictJSON.tree(of: configuration, absentAsNull: true)
        #expect(tree["steps"]?.intValue == 12 && tree["model"]?["mixer"]?.stringValue == "lstm")
        #expect(try StrictJSON.decode(TaskRunConfiguration.self, from: tree, source: "") == configuration)
        var wrong = tree
        try wrong.apply([Override("task_options=null")])
        guard case .object(var object) = wrong else { return }
        object["stepz"] = .integer(1)
        #expect(throws: RondoError.self) {
            try StrictJSON.decode(TaskRunConfiguration.self, from: .object(object), source: "")
        }
    }

    @Test func badRunsAreRefusedBeforeWork() throws {
        for (change, word) in [
            ({ $0.task = "paritty" }, "parity"), ({ $0.training.steps = 0 }, "steps"),
            ({ $0.evaluation.lengths = [] }, "lengths"), ({ $0.evaluation.examples = 0 }, "examples"),
            ({ $0.taskOptions = ["no_such": .integer(1)] }, "no_such"), ({ $0.training.model.mixer = "x" }, "mixer"),
            ({ $0.training.optimizer.learningRate = -1 }, "learning_rate"),
        ] as [((inout TaskRunConfiguration) -> Void, String)] {
            let error = #expect(throws: RondoError.self) { try TaskRun(configuration(change)) }
            #expect(error?.message.contains(word) == true, "\(word): \(error?.message ?? "")")
        }
    }

    @Test func damagedCheckpointsAreRefused() throws {
        let store = try run(configuration()).store
        let folder = store.path(12)
        let path = FileSystem.join(folder, "task_state.json")
        let text = try FileSystem.readText(path)
        try AtomicFile.write(text.replacingFirst("\"seed\": 0", by: "\"seed\": 1"), to: path)
        let error = #expect(throws: RondoError.self) { try TaskRun(resuming: folder) }
        #expect(error?.code == .corruptFile)
    }

    @Test func modelsOfTokensAreLanguageModels() throws {
        let store = try run(configuration()).store
        let folder = store.path(12)
        let model = try Checkpoint(folder: folder).model()
        #expect(model.configuration.vocabSize == 2)
        #expect(try TaskRun.configuration(of: folder)?.task == "parity")
    }

    @Test func modelsOfSignalsComeBackAndAreNoLanguageModels() throws {
        let folder = try TemporaryFolder()
        var generator = Generator(seed: 3)
        let shape = LanguageModelConfiguration(mixer: "gru", dModel: 6, nLayers: 2)
        let model = try TaskModel(for: RunningMean(), shape, using: &generator)
        try model.write(to: folder.path, task: RunningMean())
        let loaded = try TaskModel(folder: folder.path, for: RunningMean())
        #expect(
            try loaded.score(on: RunningMean(), length: 6, seed: 1)
                == model.score(on: RunningMean(), length: 6, seed: 1))
        #expect(loaded.signal?.configuration == model.signal?.configuration)
        let error = #expect(throws: RondoError.self) { try Checkpoint(folder: folder.path) }
        #expect(error?.message.contains("model of signals") == true)
        let other = #expect(throws: RondoError.self) { try TaskModel(folder: folder.path, for: ParityTask()) }
        #expect(other?.code == .corruptFile)
    }
}

extension String {
    /// The text with the first occurrence of another replaced.
    fileprivate func replacingFirst(_ old: String, by new: String) -> String {
        guard let range = firstRange(of: old) else { return self }
        return replacingCharacters(in: range, with: new)
    }

    private func replacingCharacters(in range: Range<Index>, with new: String) -> String {
        String(self[..<range.lowerBound]) + new + String(self[range.upperBound...])
    }
}

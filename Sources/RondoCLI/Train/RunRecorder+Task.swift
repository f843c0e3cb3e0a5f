import RondoIO
import RondoModels
import RondoNN
import RondoTracking
import RondoTrain

extension RunDescription {
    /// Describes a run on a task.
    init(_ run: TaskRun) throws {
        let (configuration, model) = (run.configuration, run.configuration.training.model)
        var charts = [Chart(yLabel: "loss", curves: [("training", "train/loss", .smoothed)])]
        let name = TaskScore.measureName(of: run.task)
        charts.append(
            Chart(yLabel: name, curves: run.lengths.map { ("length \($0)", "eval/\(name)_\($0)", .points) }))
        self.init(
            configuration: try StrictJSON.tree(of: configuration), model: model.shortName,
            parameterCount: run.trainer.model.parameterCount, seed: configuration.training.seed,
            keepLast: configuration.checkpoints.keepLast, charts: charts)
    }
}

extension RunRecorder {
    /// The scores of all evaluations.
    static let scoresFile = "scores.json"

    /// Takes note of an event of a run on a task.
    func record(_ event: TaskEvent) throws {
        switch event {
        case .started: break
        case .step(let step):
            try log(
                step: step.step,
                [
                    ("train/loss", step.loss), ("train/grad_norm", step.gradientNorm),
                    ("train/lr", step.learningRate), ("train/examples_per_s", step.examplesPerSecond),
                ])
            update {
                $0.step = step.step
                $0.trainLoss = step.loss
                $0.seconds = step.elapsedSeconds
            }
        case .evaluation(let evaluation):
            try log(
                step: evaluation.step,
                evaluation.scores.map { ("eval/\($0.measureName)_\($0.length)", $0.measure) })
        case .checkpoint: try drawPictures()
        case .finished(let result):
            try finish {
                $0.step = result.step
                $0.seconds = result.elapsedSeconds
                $0.status = result.reason == .completed ? .finished : .stopped
            }
        }
    }

    /// Writes all evaluations of a run into its folder.
    func write(_ evaluations: [TaskEvaluation], of task: String) throws {
        var object = JSONObject()
        object["task"] = .string(task)
        object["evaluations"] = try StrictJSON.tree(of: evaluations)
        try AtomicFile.write(
            JSONValue.object(object).text(.pretty) + "\n", to: FileSystem.join(folder.path, Self.scoresFile))
    }
}

import RondoTensor
import RondoTrain

/// Tells the user how training on a task goes, and writes it down.
final class TaskReporter: TaskObserver {
    private let console: Console
    private let recorder: RunRecorder
    private let task: String
    private let trained: ClosedRange<Int>
    private let totalSteps: Int
    private var evaluations: [TaskEvaluation]
    private var lastDrawn = -Double.infinity
    private let started = Timer()

    init(_ run: TaskRun, console: Console, recorder: RunRecorder) {
        self.console = console
        self.recorder = recorder
        task = run.configuration.task
        trained = run.trainer.allLengths
        totalSteps = run.configuration.training.steps
        evaluations = run.evaluations
    }

    func observe(_ event: TaskEvent) throws {
        try recorder.record(event)
        switch event {
        case .started(let plan): for line in lines(for: plan) { console.note(line) }
        case .step(let step): show(step)
        case .evaluation(let evaluation):
            evaluations.append(evaluation)
            try recorder.write(evaluations, of: task)
            // The last one is what the command prints.
            if evaluation.step < totalSteps {
                console.note("step \(evaluation.step)\n" + TaskScoreTable.text(evaluation.scores, trained: trained))
            }
        case .checkpoint(let checkpoint): console.detail("step \(checkpoint.step)  saved \(checkpoint.path)")
        case .finished: console.clearProgress()
        }
    }

    private func show(_ step: TaskStepMetrics) {
        let seconds = started.seconds
        let interval = console.isTerminal ? TrainingReporter.terminalInterval : TrainingReporter.pipeInterval
        guard seconds - lastDrawn >= interval else { return }
        lastDrawn = seconds
        let line =
            "step \(step.step)/\(totalSteps)  loss \(Format.decimals(step.loss, 4))"
            + "  \(Format.count(step.examplesPerSecond)) examples/s  \(Format.duration(step.secondsLeft)) left"
        if console.isTerminal { console.showProgress(line) } else { console.note(line) }
    }

    private func lines(for plan: TaskPlan) -> [String] {
        let resumed = plan.firstStep > 0 ? ", going on after \(plan.firstStep)" : ""
        let (low, high) = (plan.trainingLengths.lowerBound, plan.trainingLengths.upperBound)
        return [
            "Task:   \(task), lengths from \(low) to \(high)",
            "Model:  \(Format.count(plan.parameterCount)) parameters",
            "Plan:   \(plan.totalSteps) steps of \(plan.batchSize) examples, measured at "
                + plan.evaluationLengths.map(String.init).joined(separator: ", ") + resumed,
        ]
    }
}

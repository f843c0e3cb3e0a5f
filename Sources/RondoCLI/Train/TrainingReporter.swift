import RondoTensor
import RondoTrain

/// Tells the user how training goes: a line drawn over and over on a terminal, now and then a line in a pipe.
final class TrainingReporter: TrainingObserver {
    private let console: Console
    private let recorder: RunRecorder
    private var plan: TrainingPlan?
    private var lastDrawn = Timer()
    private var isFirstStep = true

    /// Seconds between two drawings of the line on a terminal, and between two lines in a pipe.
    static let terminalInterval = 0.1
    static let pipeInterval = 10.0

    init(console: Console, recorder: RunRecorder) {
        self.console = console
        self.recorder = recorder
    }

    func observe(_ event: TrainingEvent) throws {
        try recorder.record(event)
        switch event {
        case .started(let plan):
            self.plan = plan
            for line in Self.lines(for: plan) { console.note(line) }
        case .step(let step): show(step)
        case .evaluation(let evaluation):
            let best = evaluation.isBest ? " (best so far)" : ", best \(Format.decimals(evaluation.bestBitsPerByte, 4))"
            console.note(
                "step \(evaluation.step)  validation \(Format.decimals(evaluation.bitsPerByte, 4)) bits per byte"
                    + " over \(Format.count(evaluation.predictedBytes)) bytes\(best)")
        case .checkpoint(let checkpoint): console.detail("step \(checkpoint.step)  saved \(checkpoint.path)")
        case .finished: console.clearProgress()
        }
    }

    private func show(_ step: StepMetrics) {
        let line = Self.line(for: step, of: plan?.totalSteps ?? step.step)
        let interval = console.isTerminal ? Self.terminalInterval : Self.pipeInterval
        guard isFirstStep || lastDrawn.seconds >= interval else { return }
        isFirstStep = false
        lastDrawn = Timer()
        if console.isTerminal { console.showProgress(line) } else { console.note(line) }
    }

    static func lines(for plan: TrainingPlan) -> [String] {
        let epochs = Double(plan.totalSteps) / max(plan.stepsPerEpoch, 1e-9)
        let resumed = plan.firstStep > 0 ? ", going on after \(plan.firstStep)" : ""
        return [
            "Text:   \(Format.count(plan.trainingBytes)) bytes to learn from, "
                + "\(Format.count(plan.validationBytes)) for validation",
            "Model:  \(Format.count(plan.parameterCount)) parameters",
            "Plan:   \(plan.totalSteps) steps of \(plan.tokensPerStep) bytes, "
                + "\(Format.decimals(epochs, 1)) passes over the text\(resumed)",
        ]
    }

    static func line(for step: StepMetrics, of totalSteps: Int) -> String {
        "step \(step.step)/\(totalSteps)  \(Format.decimals(step.bitsPerByte, 3)) bits per byte"
            + "  loss \(Format.decimals(step.loss, 3))  \(Format.count(step.tokensPerSecond)) bytes/s"
            + "  \(Format.duration(step.secondsLeft)) left  \(Format.bytes(step.peakMemoryBytes))"
    }
}

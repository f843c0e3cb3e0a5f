import RondoIO
import RondoModels
import RondoTracking
import RondoTrain

extension RunDescription {
    /// Describes a run on a text.
    init(_ configuration: TrainingConfiguration, parameterCount: Int) throws {
        self.init(
            configuration: try StrictJSON.tree(of: configuration), model: configuration.model.shortName,
            parameterCount: parameterCount, seed: configuration.seed, keepLast: configuration.checkpoints.keepLast,
            charts: [
                Chart(
                    yLabel: "bits per byte",
                    curves: [
                        ("training", "train/bits_per_byte", .smoothed), ("validation", "eval/bits_per_byte", .points),
                    ])
            ])
    }
}

extension RunRecorder {
    /// Takes note of an event of a run on a text.
    func record(_ event: TrainingEvent) throws {
        switch event {
        case .started(let plan): update { $0.parameterCount = plan.parameterCount }
        case .step(let step): try record(step)
        case .evaluation(let evaluation): try record(evaluation)
        case .checkpoint: try drawPictures()
        case .finished(let result): try record(result)
        }
    }

    private func record(_ step: StepMetrics) throws {
        try log(
            step: step.step,
            [
                ("train/loss", step.loss), ("train/bits_per_byte", step.bitsPerByte),
                ("train/grad_norm", step.gradientNorm), ("train/lr", step.learningRate),
                ("train/tokens_per_s", step.tokensPerSecond),
            ])
        update {
            $0.step = step.step
            $0.tokens = step.tokens
            $0.trainLoss = step.loss
            $0.seconds = step.elapsedSeconds
        }
    }

    private func record(_ evaluation: EvaluationMetrics) throws {
        try log(
            step: evaluation.step,
            [("eval/loss", evaluation.loss), ("eval/bits_per_byte", evaluation.bitsPerByte)])
        update { $0.bestBitsPerByte = evaluation.bestBitsPerByte }
    }

    private func record(_ result: TrainingResult) throws {
        try finish {
            $0.step = result.step
            $0.tokens = result.tokens
            $0.seconds = result.elapsedSeconds
            $0.bestBitsPerByte = result.bestBitsPerByte
            $0.status = result.isComplete ? .finished : .stopped
        }
    }
}

extension TrainingResult {
    /// Whether there is nothing left to do.
    var isComplete: Bool { reason == .completed || reason == .earlyStop }
}

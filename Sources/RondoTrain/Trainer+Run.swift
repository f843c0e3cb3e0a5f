import RondoData
import RondoModels
import RondoNN
import RondoTensor

extension Trainer {
    /// Trains until the plan is done, the validation part stops getting better, or somebody asks to stop.
    ///
    /// - Parameters:
    ///   - store: Keeps the checkpoints.
    ///   - observer: Hears of every step.
    ///   - shouldStop: Asked after every step and during evaluations; `true` saves a checkpoint and returns.
    /// - Returns: How the run ended.
    /// - Throws: `RondoError` of code `notFinite` that names the first bad layer when a number stops being finite, or
    ///   what the store or the observer throws.
    public mutating func run(
        store: any CheckpointStore, observer: any TrainingObserver, shouldStop: () -> Bool = { false }
    ) throws -> TrainingResult {
        Runtime.threadCount = configuration.threads
        var watch = StopWatch()
        let totalSteps = try plannedSteps(shouldStop: shouldStop)
        try observer.observe(.started(plan(totalSteps)))
        watch.limit = timeLimit(totalSteps)
        var end =
            try isEvaluationMissing ? finishStep(totalSteps, watch, store, observer, shouldStop) : endReason(totalSteps)
        while end == nil {
            let outcome = try takeStep(totalSteps: totalSteps)
            watch.lap()
            try observer.observe(.step(metrics(outcome, watch, totalSteps)))
            end = try finishStep(totalSteps, watch, store, observer, shouldStop)
            watch.skip()
        }
        let result = TrainingResult(
            reason: end ?? .completed, step: step, tokens: progress.tokens, elapsedSeconds: watch.elapsed,
            evaluation: progress.lastEvaluation, bestBitsPerByte: progress.bestBitsPerByte,
            checkpoint: lastCheckpoint ?? "")
        try observer.observe(.finished(result))
        return result
    }

    /// What comes after a step's update: evaluation, checkpoint, and the question whether to go on.
    ///
    /// - Returns: Why the run ends, or `nil` if it goes on.
    private mutating func finishStep(
        _ totalSteps: Int, _ watch: StopWatch, _ store: any CheckpointStore, _ observer: any TrainingObserver,
        _ shouldStop: () -> Bool
    ) throws -> TrainingResult.Reason? {
        var isBest = false
        if isEvaluationDue(totalSteps), let evaluation = try evaluate(shouldStop: shouldStop) {
            isBest = evaluation.isBest
            try observer.observe(.evaluation(evaluation))
        }
        let end = endReason(totalSteps) ?? (shouldStop() ? .interrupted : watch.isOver ? .timeLimit : nil)
        let interval = configuration.checkpoints.interval
        if end != nil || isBest || (interval > 0 && step.isMultiple(of: interval)) {
            let path = try store.save(step: step, isBest: isBest) { try write(to: $0) }
            lastCheckpoint = path
            try observer.observe(.checkpoint(CheckpointSummary(step: step, path: path, isBest: isBest)))
        }
        return end
    }

    private func endReason(_ totalSteps: Int) -> TrainingResult.Reason? {
        if step >= totalSteps, !isEvaluationMissing { return .completed }
        let patience = configuration.evaluation.patience
        return patience > 0 && progress.evaluationsSinceBest >= patience ? .earlyStop : nil
    }

    // MARK: - Evaluation

    private func isEvaluationDue(_ totalSteps: Int) -> Bool {
        let interval = configuration.evaluation.interval
        guard !corpus.split.validation.isEmpty else { return false }
        return step == totalSteps || (interval > 0 && step.isMultiple(of: interval))
    }

    /// How many tokens of the validation part are measured at most.
    private var evaluationLimit: Int {
        let bytes = configuration.evaluation.limitBytes
        return bytes > 0
            ? max(2, Int(Double(bytes) / corpus.validationBytesPerToken)) : corpus.split.validation.count
    }

    /// Whether the run was interrupted in the middle of the evaluation that belongs to the last step.
    private var isEvaluationMissing: Bool {
        guard step > 0, let totalSteps, isEvaluationDue(totalSteps) else { return false }
        return progress.lastEvaluation?.step != step
    }

    /// Measures the model on the validation part; `nil` if it was asked to stop.
    private mutating func evaluate(shouldStop: () -> Bool) throws -> EvaluationMetrics? {
        let evaluation = configuration.evaluation
        let range = corpus.split.validation.prefix(evaluationLimit)
        var isStopped = false
        let result = try Evaluator.evaluate(
            try bestEstimate, on: corpus.text, in: range, batchSize: evaluation.batchSize,
            bytesPerToken: corpus.validationBytesPerToken, windowLength: configuration.windowLength
        ) { done, total in
            isStopped = done < total && shouldStop()
            return !isStopped
        }
        if isStopped { return nil }
        let best = progress.bestBitsPerByte ?? .infinity
        let isBest = result.bitsPerByte < best
        let metrics = EvaluationMetrics(
            step: step, loss: result.loss, bitsPerByte: result.bitsPerByte, predictedBytes: result.predictedBytes,
            isComplete: range == corpus.split.validation, isBest: isBest,
            bestBitsPerByte: min(best, result.bitsPerByte))
        progress.bestBitsPerByte = metrics.bestBitsPerByte
        progress.evaluationsSinceBest = isBest ? 0 : progress.evaluationsSinceBest + 1
        progress.lastEvaluation = metrics
        return metrics
    }

    // MARK: - Plan and time

    private func plan(_ totalSteps: Int) -> TrainingPlan {
        TrainingPlan(
            firstStep: step, totalSteps: totalSteps, tokensPerStep: configuration.tokensPerStep,
            stepsPerEpoch: Double(streams.windowsPerEpoch) / Double(configuration.accumulation),
            parameterCount: trained.parameterCount, trainingBytes: corpus.bytes.training.count,
            validationBytes: corpus.bytes.validation.count, corpusFingerprint: corpus.fingerprint)
    }

    private func metrics(_ outcome: StepOutcome, _ watch: StopWatch, _ totalSteps: Int) -> StepMetrics {
        let windows = Double(step * configuration.accumulation)
        return StepMetrics(
            step: step, epoch: windows / Double(streams.windowsPerEpoch), loss: outcome.loss,
            bitsPerByte: outcome.loss.bitsFromNats / corpus.trainingBytesPerToken, gradientNorm: outcome.gradientNorm,
            learningRate: outcome.learningRate, tokens: progress.tokens,
            tokensPerSecond: Double(configuration.tokensPerStep) / watch.secondsPerLap,
            secondsLeft: Double(totalSteps - step) * watch.secondsPerLap, elapsedSeconds: watch.elapsed,
            peakMemoryBytes: Runtime.hostAllocator.statistics.peakBytes)
    }

    /// The seconds after which a run in minutes gives up its plan: half as much again as was planned for what is left.
    private func timeLimit(_ totalSteps: Int) -> Double? {
        configuration.minutes.map { $0 * 60 * 1.5 * Double(totalSteps - step) / Double(totalSteps) }
    }

    /// The steps of the run; a limit in minutes becomes a number of steps once and for all.
    ///
    /// The speed is measured on a copy that is thrown away, so that the run itself depends on the number alone.
    private mutating func plannedSteps(shouldStop: () -> Bool) throws -> Int {
        if let totalSteps { return totalSteps }
        let budget = (configuration.minutes ?? 0) * 60
        var copy = self
        var watch = StopWatch()
        repeat {
            _ = try copy.takeStep(totalSteps: .max)
            watch.lap()
        } while !shouldStop() && (copy.step < 3 || watch.elapsed < min(5, budget / 50))
        let steps = stepsThatFit(seconds: budget - watch.elapsed, secondsPerStep: watch.secondsPerLap)
        progress.totalSteps = steps
        return steps
    }

    /// How many steps fit, evaluations included: these take about a third of the time a byte that training takes.
    private func stepsThatFit(seconds: Double, secondsPerStep: Double) -> Int {
        let evaluation = configuration.evaluation
        let bytes = Double(min(evaluationLimit, corpus.split.validation.count))
        let secondsPerEvaluation = bytes / Double(configuration.tokensPerStep) * secondsPerStep / 3
        let share = evaluation.interval > 0 ? secondsPerEvaluation / Double(evaluation.interval) : 0
        return max(1, Int((seconds - secondsPerEvaluation) / (secondsPerStep + share)))
    }
}

/// Measures the time of steps, and of nothing between them.
struct StopWatch {
    /// Seconds after which time is over, if there is a limit.
    var limit: Double?
    private let start = ContinuousClock.now
    private var lapStart = ContinuousClock.now
    private var laps: [Double] = []

    /// Seconds since the beginning.
    var elapsed: Double { start.duration(to: .now).seconds }
    /// Whether the limit is reached.
    var isOver: Bool { limit.map { elapsed > $0 } ?? false }
    /// The mean of the last laps; the very first, which warms everything up, counts only while it is alone.
    var secondsPerLap: Double { laps.isEmpty ? 0 : max(1e-9, laps.reduce(0, +) / Double(laps.count)) }

    private static let memory = 20
    private var isWarm = false

    /// Ends a lap and begins the next.
    mutating func lap() {
        let now = ContinuousClock.now
        if laps.count == 1, !isWarm {
            isWarm = true
            laps = []
        }
        laps.append(lapStart.duration(to: now).seconds)
        if laps.count > Self.memory { laps.removeFirst() }
        lapStart = now
    }

    /// Leaves out the time since the last lap.
    mutating func skip() { lapStart = .now }
}

extension Duration {
    fileprivate var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}

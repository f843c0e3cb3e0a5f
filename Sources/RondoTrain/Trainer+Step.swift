import RondoData
import RondoModels
import RondoNN
import RondoTensor

extension Trainer {
    /// What a step measured.
    struct StepOutcome {
        var loss: Double
        var gradientNorm: Double
        var learningRate: Double
    }

    /// Does one step: windows, derivatives, clipping, update, average.
    ///
    /// - Parameter totalSteps: The length of the run, for the schedule.
    /// - Returns: The measurements.
    /// - Throws: `RondoError` of code `notFinite` that names the first bad layer; then nothing has changed.
    mutating func takeStep(totalSteps: Int) throws -> StepOutcome {
        var next = StepInputs(streams: streams, state: carried, generator: progress.generator)
        let (loss, gradients) = try averagedGradients(&next)
        let norm = try GradientNorm(of: gradients)
        guard loss.isFinite, norm.value.isFinite else {
            throw try nonFiniteError(loss: loss, gradients: gradients)
        }
        let multiplier = configuration.schedule.multiplier(step: step, totalSteps: totalSteps)
        let prepared = try configuration.gradientNoise.prepare(
            gradients, norm: norm, clipNorm: configuration.clipNorm > 0 ? configuration.clipNorm : nil, update: step,
            seed: configuration.seed)
        try optimizerState.update(
            &trained, gradients: prepared.gradients, by: optimizer, rateMultiplier: multiplier,
            gradientScale: prepared.scale)
        try average?.update(with: trained)
        streams = next.streams
        carried = next.state
        progress.generator = next.generator
        progress.cursor = streams.cursor
        progress.step += 1
        progress.tokens += configuration.tokensPerStep
        return StepOutcome(
            loss: loss, gradientNorm: norm.value, learningRate: optimizer.learningRate * multiplier)
    }

    /// What a step reads, and what it leaves for the next.
    struct StepInputs {
        var streams: ContiguousStreams
        var state: ModelState
        var generator: Generator
    }

    /// The mean loss of the step's windows and its derivatives.
    private func averagedGradients(_ next: inout StepInputs) throws -> (loss: Double, gradients: ParameterSet) {
        var accumulator = GradientAccumulator()
        var loss = 0.0
        for _ in 0..<configuration.accumulation {
            let batch = try nextBatch(&next)
            let (value, gradients, state) = try trained.valueGradientsAndExtra { tracked in
                let model = try tracked.model()
                // A learned beginning gets its derivatives from windows that begin with it: all of them.
                let before =
                    try configuration.adapters.tunesState
                    ? model.initialState(batch: configuration.batchSize) : next.state
                return try model.loss(
                    batch.inputs, batch.targets, state: before, labelSmoothing: configuration.labelSmoothing,
                    training: true, using: &next.generator)
            }
            next.state = try trained.base.carrying(state)
            loss += try value.scalar() / Double(configuration.accumulation)
            try accumulator.add(gradients, tokens: batch.targets.count)
        }
        guard let gradients = try accumulator.finish() else {
            throw RondoError(.invalidArgument, "training step: there was no window to learn from")
        }
        return (loss, gradients)
    }

    /// Takes the next window; at the beginning of an epoch the state begins anew.
    func nextBatch(_ next: inout StepInputs) throws -> (inputs: Tensor, targets: Tensor) {
        let window = next.streams.nextWindow()
        if window.resets.contains(true) { next.state = try trained.base.initialState(batch: configuration.batchSize) }
        let shape: Shape = [configuration.batchSize, configuration.windowLength]
        return (try Tensor(window.inputs, shape: shape), try Tensor(window.targets, shape: shape))
    }

    // MARK: - Numbers that are not finite

    /// Finds out where a step went wrong by doing it again, layer by layer.
    private func nonFiniteError(loss: Double, gradients: ParameterSet) throws -> RondoError {
        var message = "training stopped at step \(step + 1): "
        if let culprit = try firstNonFiniteValue() {
            message += "\(culprit) is the first that is not finite"
        } else if let path = try lastNonFinite(gradients) {
            // Derivatives flow from the loss towards the input: the last bad one is where it began.
            message += "the loss is \(loss), but the derivative of '\(path)' is not finite"
        } else {
            message += "the loss is \(loss)"
        }
        message += "; lower optimizer.learning_rate or clip_norm, or lengthen schedule.warmup_steps. "
        message += lastCheckpoint.map { "The last good checkpoint is '\($0)'" } ?? "No checkpoint was saved yet"
        return RondoError(.notFinite, message)
    }

    private func firstNonFiniteValue() throws -> String? {
        let parameters = trained.parameters
        for (path, tensor) in zip(parameters.paths, parameters.tensors) where try !tensor.isFinite() {
            return "the parameter '\(path)'"
        }
        var next = StepInputs(streams: streams, state: carried, generator: progress.generator)
        for _ in 0..<configuration.accumulation {
            let batch = try nextBatch(&next)
            if let layer = try trained.model().firstNonFinitePart(
                batch.inputs, state: &next.state, training: true, using: &next.generator)
            {
                return "the output of '\(layer)'"
            }
        }
        return nil
    }

    private func lastNonFinite(_ gradients: ParameterSet) throws -> String? {
        try zip(gradients.paths, gradients.tensors).reversed().first { try !$1.isFinite() }?.0
    }
}

extension TrainingConfiguration {
    /// Bytes read in a step.
    var tokensPerStep: Int { batchSize * windowLength * accumulation }

    /// The number of steps, unless it depends on the speed.
    func totalSteps(windowsPerEpoch: Int) -> Int? {
        steps ?? epochs.map { max(1, Int((Double(windowsPerEpoch) * $0 / Double(accumulation)).rounded())) }
    }
}

public import RondoTensor

/// Losses: each is a scalar, a mean over what counts.
public enum Loss {
    /// Mean cross-entropy in nats of logits `[..., classes]` against int32 targets `[...]`.
    ///
    /// - Parameters:
    ///   - logits: scores before the softmax.
    ///   - targets: the right classes.
    ///   - labelSmoothing: probability spread evenly over all classes.
    ///   - ignoredTarget: targets of this value do not count.
    /// - Returns: a scalar.
    /// - Throws: ``RondoError`` when shapes do not fit or a target is not a class.
    public static func crossEntropy(
        _ logits: Tensor, _ targets: Tensor, labelSmoothing: Double = 0, ignoredTarget: Int32 = -100
    ) throws -> Tensor {
        try CrossEntropy(
            labelSmoothing: labelSmoothing, ignoredTarget: ignoredTarget, makesGradient: logits.requiresGradient)([
                logits, targets,
            ])[0]
    }

    /// Mean of (log Σ eᶻ)² over the targets that count: added with a small factor (10⁻⁴) it keeps logits from drifting.
    public static func logPartition(
        _ logits: Tensor, _ targets: Tensor, ignoredTarget: Int32 = -100
    ) throws -> Tensor {
        guard Shape(logits.shape.dropLast()) == targets.shape, !logits.shape.isEmpty else {
            throw RondoError(
                .shapeMismatch,
                "logPartition: logits [..., classes] need targets [...]; got shapes \(logits.shape) and \(targets.shape)"
            )
        }
        let ignored = try Tensor.full([], Double(ignoredTarget), dtype: targets.dtype)
        let counted = try targets.detached().notEqual(to: ignored).cast(to: logits.dtype)
        let count = try max(1, counted.sum().scalar())
        return try (logits.logSumExp().square() * counted).sum() / count
    }

    /// Connectionist temporal classification: how unlikely labels are, wherever in a longer sequence they may stand.
    ///
    /// For every sequence -log p(labels) in nats, divided by the number of its labels (1 if there is none), and the mean
    /// of these over the batch: the mean of torch's `ctc_loss`. ``TemporalClassification`` gives the loss of each
    /// sequence, ``CTCDecoder`` reads labels from the scores of a trained model.
    ///
    /// - Parameters:
    ///   - logits: Scores before the softmax, `[batch, time, classes]`.
    ///   - targets: The labels of every sequence, without blanks and padding.
    ///   - inputLengths: The frames of every sequence; all if `nil`.
    ///   - blank: The class that stands for no label.
    ///   - zeroInfinity: Whether labels that need more frames than there are have the loss 0 instead of infinity; their
    ///     gradient is 0 in both cases.
    /// - Returns: A scalar.
    /// - Throws: ``RondoError`` when shapes do not fit, or a label is no class or the blank.
    public static func ctc(
        _ logits: Tensor, targets: [[Int32]], inputLengths: [Int]? = nil, blank: Int32 = 0, zeroInfinity: Bool = false
    ) throws -> Tensor {
        let frames = logits.rank == 3 ? logits.shape[1] : 0
        let losses = try TemporalClassification(
            targets: targets, inputLengths: inputLengths ?? Array(repeating: frames, count: targets.count),
            blank: blank, zeroInfinity: zeroInfinity, makesGradient: logits.requiresGradient)([logits])[0]
        let counts = try Tensor(targets.map { Double(max(1, $0.count)) }).cast(to: logits.dtype)
        return try (losses / counts).mean()
    }

    /// Mean of squared differences.
    public static func meanSquaredError(_ prediction: Tensor, _ target: Tensor) throws -> Tensor {
        try difference(prediction, target, "meanSquaredError").square().mean()
    }

    /// Mean of e² / 2 where |e| ≤ δ, and of δ (|e| - δ / 2) beyond.
    public static func huber(_ prediction: Tensor, _ target: Tensor, delta: Double = 1) throws -> Tensor {
        guard delta > 0, delta.isFinite else {
            throw RondoError(.invalidArgument, "huber: delta \(delta) must be a number above 0")
        }
        let error = try difference(prediction, target, "huber").abs()
        let inner = try error.clamped(0, delta)
        return try (inner.square() * 0.5 + (error - inner) * delta).mean()
    }

    /// No broadcasting here: a loss over accidentally repeated targets is a classic silent mistake.
    private static func difference(_ prediction: Tensor, _ target: Tensor, _ name: String) throws -> Tensor {
        guard prediction.shape == target.shape else {
            throw RondoError(
                .shapeMismatch,
                "\(name): prediction and target have shapes \(prediction.shape) and \(target.shape); "
                    + "make them equal with reshaped(_:) or broadcast(to:)")
        }
        return try prediction - target
    }
}

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
        guard Array(logits.shape.dropLast()) == targets.shape, !logits.shape.isEmpty else {
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

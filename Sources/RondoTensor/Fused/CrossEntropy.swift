internal import CRondoKernels

/// Mean cross-entropy of logits `[..., classes]` against int32 targets `[...]`, in nats over the targets that count.
///
/// With smoothing s the target is (1 - s) one-hot + s / classes. The gradient is made together with the loss, in
/// the same sweep over the logits.
public struct CrossEntropy: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "crossEntropy"
    /// Probability mass spread evenly over all classes.
    public var labelSmoothing: Double
    /// Targets of this value have neither loss nor gradient.
    public var ignoredTarget: Int32
    /// Whether the gradient is made at once.
    ///
    /// Off, only the loss is computed (evaluation).
    public var makesGradient: Bool

    /// Creates the operation.
    public init(labelSmoothing: Double = 0, ignoredTarget: Int32 = -100, makesGradient: Bool = true) {
        self.labelSmoothing = labelSmoothing
        self.ignoredTarget = ignoredTarget
        self.makesGradient = makesGradient
    }

    /// Refuses targets of another shape than the logits' rows, or outside the classes.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 2, let classes = inputs[0].shape.last,
            Shape(inputs[0].shape.dropLast()) == inputs[1].shape,
            inputs[1].dtype == .int32
        else {
            throw RondoError(
                .shapeMismatch,
                "crossEntropy: logits [..., classes] need int32 targets [...]; got shapes \(inputs.map(\.shape)), types \(inputs.map(\.dtype.rawValue))"
            )
        }
        guard (0..<1).contains(labelSmoothing) else {
            throw RondoError(.invalidArgument, "crossEntropy: label smoothing \(labelSmoothing) lies outside 0..<1")
        }
        for target in try inputs[1].array(of: Int32.self)
        where target != ignoredTarget && !(0..<Int32(classes)).contains(target) {
            throw RondoError(
                .outOfRange,
                "crossEntropy: target \(target) lies outside 0..<\(classes); mark padding with \(ignoredTarget)")
        }
    }

    /// The definition.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let logProbabilities = try inputs[0].logSoftmax()
        let targets = inputs[1]
        let ignored = try targets.equal(to: Tensor.full([], Double(ignoredTarget), dtype: .int32))
        let counted = try (1 - ignored.cast(to: inputs[0].dtype))
        let safe = try Tensor.select(ignored, Tensor.zeros([], dtype: .int32), targets)
        let picked = try logProbabilities.takingAlong(safe.expanded(at: -1), axis: -1).squeezed(-1)
        let row = try -(picked * (1 - labelSmoothing) + logProbabilities.mean([-1]) * labelSmoothing)
        return [try (row * counted).sum() / counted.sum().clamped(1, .infinity)]
    }

    /// One sweep over the logits for loss and gradient.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let logits = try inputs[0].dense()
        let targets = try inputs[1].dense()
        let type = try logits.dtype.kernelType(Self.name)
        let counted = try targets.array(of: Int32.self).count { $0 != ignoredTarget }
        let losses = try Tensor.uninitialized(targets.shape, logits.dtype)
        let gradient = try makesGradient ? Tensor.uninitialized(logits.shape, logits.dtype) : nil
        let scale = 1 / Double(max(1, counted))
        forEachRowBlock(logits) { rows, classes, start in
            let row = start / classes
            rk_cross_entropy(
                type, rows, classes, logits.bytes + start, targets.int32 + row / logits.dtype.byteCount, labelSmoothing,
                ignoredTarget, scale, losses.mutableBytes + row, gradient.map { $0.mutableBytes + start })
        }
        let loss = try losses.sum() * scale
        return FusedResult(outputs: [loss], saved: gradient.map { [$0] } ?? [], retained: [])
    }

    /// The saved gradient times the cotangent.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = cotangents[0] else { return [nil, nil] }
        guard let gradient = context.saved.first else {
            throw RondoError(.invalidArgument, "crossEntropy: made without its gradient; set makesGradient")
        }
        let scale = try g.scalar()
        return [try scale == 1 ? gradient : gradient * scale, nil]
    }
}

internal import CRondoKernels

/// The recurrence of state-space duality one position at a time, without allocation.
///
/// With Δ = softplus(dt + b) within its limits: S = exp(Δ A) S + Δ B xᵀ, y = Sᵀ C + D x, times SiLU(z) where there is a
/// gate (Dao and Gu, Transformers are SSMs, 2024). A value: copies share A, D and b, and each writes results of its own.
public struct StateSpaceDualStep: Sendable {
    private let a: Tensor
    private let d: Tensor
    private let timeStepBias: Tensor
    private let timeStepLimits: ClosedRange<Double>
    private let groups: Int
    private let stateShape: Shape
    /// The latest y, `[batch, H P]`.
    ///
    /// Do not hold on to it across calls: that would force a copy.
    public private(set) var output: Tensor

    /// Prepares the steps of `batch` sequences.
    ///
    /// - Parameters:
    ///   - a: A, `[H]`, negative.
    ///   - d: D, `[H]`.
    ///   - timeStepBias: b, `[H]`.
    ///   - timeStepLimits: Between which Δ is kept.
    ///   - groups: How many groups of heads share B and C; it divides H.
    ///   - stateSize: N.
    ///   - headSize: P.
    ///   - batch: How many sequences each call advances.
    /// - Throws: ``RondoError`` when the shapes do not fit.
    public init(
        a: Tensor, d: Tensor, timeStepBias: Tensor, timeStepLimits: ClosedRange<Double> = 0...Double.infinity,
        groups: Int, stateSize: Int, headSize: Int, batch: Int
    ) throws {
        guard a.rank == 1, d.shape == a.shape, timeStepBias.shape == a.shape, d.dtype == a.dtype,
            timeStepBias.dtype == a.dtype, groups > 0, a.count > 0, a.count % groups == 0, stateSize > 0, headSize > 0,
            batch > 0
        else {
            throw RondoError(
                .shapeMismatch,
                "StateSpaceDualStep: needs A, D and the step's offsets [H] of one type, groups that divide H, and sizes "
                    + "above 0; got \(a.shape), \(d.shape), \(timeStepBias.shape), \(groups) groups, N \(stateSize), "
                    + "P \(headSize) and \(batch) sequences")
        }
        _ = try a.dtype.kernelType("StateSpaceDualStep")
        self.a = try a.detached().dense()
        self.d = try d.detached().dense()
        self.timeStepBias = try timeStepBias.detached().dense()
        self.timeStepLimits = timeStepLimits
        self.groups = groups
        stateShape = Shape(batch, a.count, stateSize, headSize)
        output = try Tensor.zeros(Shape(batch, a.count * headSize), dtype: a.dtype)
    }

    /// Advances the state by one position and computes its y into ``output``.
    ///
    /// - Parameters:
    ///   - x: x, `[batch, H P]`. This and the next four may be slices of wider rows.
    ///   - dt: What Δ is made from, `[batch, H]`.
    ///   - b: B, `[batch, G N]`.
    ///   - c: C, `[batch, G N]`.
    ///   - gate: z, `[batch, H P]`, if there is one.
    ///   - state: S, `[batch, H, N, P]`; becomes the state after, in place where nobody else holds it.
    /// - Throws: ``RondoError`` when the shapes do not fit.
    public mutating func callAsFunction(
        x: Tensor, dt: Tensor, b: Tensor, c: Tensor, gate: Tensor? = nil, state: inout Tensor
    ) throws {
        let shared = Shape(stateShape[0], groups * stateShape[2])
        guard fits(x, output.shape), fits(dt, Shape(stateShape[0], stateShape[1])), fits(b, shared), fits(c, shared),
            fits(gate ?? output, output.shape), fits(state, stateShape)
        else {
            throw RondoError(
                .shapeMismatch,
                "StateSpaceDualStep: needs x and a gate \(output.shape), dt \([stateShape[0], stateShape[1]]), B and C "
                    + "\(shared) and a state \(stateShape) of \(a.dtype.rawValue); got "
                    + "\([x, gate ?? output, dt, b, c, state].map(\.shape))")
        }
        let (x, dt, gate) = try (x.withDenseColumns(), dt.withDenseColumns(), gate?.withDenseColumns())
        let (b, c) = try (b.withDenseColumns(), c.withDenseColumns())
        defer { withExtendedLifetime((x, dt, gate, b, c)) {} }
        try state.mutateInPlace { _ in }
        try output.mutateInPlace { _ in }
        var step = rk_dual_step()
        (step.heads, step.groups) = (Int64(stateShape[1]), Int64(groups))
        (step.states, step.width) = (Int64(stateShape[2]), Int64(stateShape[3]))
        (step.least, step.most) = (timeStepLimits.lowerBound, timeStepLimits.upperBound)
        (step.x, step.dt, step.b, step.c, step.gate) = (x.bytes, dt.bytes, b.bytes, c.bytes, gate?.bytes)
        (step.x_row, step.dt_row) = (Int64(x.strides[0]), Int64(dt.strides[0]))
        (step.b_row, step.c_row) = (Int64(b.strides[0]), Int64(c.strides[0]))
        step.gate_row = Int64(gate?.strides[0] ?? 0)
        (step.a, step.d, step.dt_bias) = (a.bytes, d.bytes, timeStepBias.bytes)
        (step.state, step.y) = (state.mutableBytes, output.mutableBytes)
        let work = Heads(type: try a.dtype.kernelType("StateSpaceDualStep"), step: step, rows: stateShape[0])
        work.run(pieces: work.pieces)
    }

    private func fits(_ operand: Tensor, _ shape: Shape) -> Bool { operand.shape == shape && operand.dtype == a.dtype }

    /// A step of all heads.
    private struct Heads: ParallelWork {
        let type: rk_type
        let step: rk_dual_step
        let rows: Int

        private var heads: Int { Int(step.heads) }
        /// Small states together: handing one over takes as long as computing with it.
        private var grain: Int { max(1, (1 << 14) / Int(step.states * step.width)) }

        var pieces: Int { (rows * heads + grain - 1) / grain }

        func compute(_ piece: Int) {
            withUnsafePointer(to: step) { step in
                for pair in piece * grain..<min(rows * heads, (piece + 1) * grain) {
                    let (row, head) = pair.quotientAndRemainder(dividingBy: heads)
                    rk_state_space_dual_step(type, step, row, head, head + 1)
                }
            }
        }
    }
}

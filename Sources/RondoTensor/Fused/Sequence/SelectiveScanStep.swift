internal import CRondoKernels

/// ``SelectiveScan`` one position at a time, without allocation.
///
/// A value: copies share A and D, and each writes results of its own.
public struct SelectiveScanStep: Sendable {
    private let a: Tensor
    private let d: Tensor
    private let isSymmetric: Bool
    private let appliesSoftplus: Bool
    /// The latest y, `[batch, channels]`.
    ///
    /// Do not hold on to it across calls: that would force a copy.
    public private(set) var output: Tensor

    /// Prepares the steps of `batch` sequences.
    ///
    /// - Parameters:
    ///   - a: A, `[channels, N]`, negative.
    ///   - d: D, `[channels]`.
    ///   - batch: how many sequences each call advances.
    ///   - isSymmetric: whether the decay is 2 exp(dt A) - 1 instead of exp(dt A).
    ///   - appliesSoftplus: whether dt is the softplus of what each call gives.
    /// - Throws: ``RondoError`` when the shapes do not fit.
    public init(
        a: Tensor, d: Tensor, batch: Int, isSymmetric: Bool = false, appliesSoftplus: Bool = false
    ) throws {
        guard a.rank == 2, batch > 0, d.shape == [a.shape[0]], d.dtype == a.dtype else {
            throw RondoError(
                .shapeMismatch,
                "SelectiveScanStep: needs A [channels, N] and D [channels] of one type and at least one sequence; "
                    + "got \(a.shape), \(d.shape) and \(batch)")
        }
        _ = try a.dtype.kernelType("SelectiveScanStep")
        self.a = try a.detached().dense()
        self.d = try d.detached().dense()
        self.isSymmetric = isSymmetric
        self.appliesSoftplus = appliesSoftplus
        output = try Tensor.zeros([batch, a.shape[0]], dtype: a.dtype)
    }

    /// Advances the state by one position and computes its y into ``output``.
    ///
    /// - Parameters:
    ///   - x: x, `[batch, channels]`. This and the next three may be slices of wider rows.
    ///   - dt: dt, `[batch, channels]`, positive, or what it is the softplus of.
    ///   - b: B, `[batch, N]`.
    ///   - c: C, `[batch, N]`.
    ///   - gate: z, `[batch, channels]`, if y is to be multiplied by its SiLU. It may be a slice too.
    ///   - state: h, `[batch, channels, N]`; becomes the state after, in place where nobody else holds it.
    /// - Throws: ``RondoError`` when the shapes do not fit.
    public mutating func callAsFunction(
        x: Tensor, dt: Tensor, b: Tensor, c: Tensor, gate: Tensor? = nil, state: inout Tensor
    ) throws {
        let (batch, channels, states) = (output.shape[0], a.shape[0], a.shape[1])
        guard fits(x), fits(dt), fits(gate ?? output), fits(b, Shape(batch, states)),
            fits(c, Shape(batch, states)), fits(state, Shape(batch, channels, states))
        else {
            throw RondoError(
                .shapeMismatch,
                "SelectiveScanStep: needs x, dt and a gate \([batch, channels]), B and C \([batch, states]) and a state "
                    + "\([batch, channels, states]) of \(a.dtype.rawValue); got "
                    + "\([x, dt, gate ?? output, b, c, state].map(\.shape))")
        }
        let (x, dt, gate) = try (x.withDenseColumns(), dt.withDenseColumns(), gate?.withDenseColumns())
        let (b, c) = try (b.withDenseColumns(), c.withDenseColumns())
        defer { withExtendedLifetime((x, dt, gate, b, c)) {} }
        try state.mutateInPlace { _ in }
        try output.mutateInPlace { _ in }
        var step = rk_selective_step()
        (step.channels, step.states) = (Int64(channels), Int64(states))
        (step.symmetric, step.softplus) = (isSymmetric ? 1 : 0, appliesSoftplus ? 1 : 0)
        (step.x, step.dt, step.b, step.c, step.gate) = (x.bytes, dt.bytes, b.bytes, c.bytes, gate?.bytes)
        (step.x_row, step.dt_row) = (Int64(x.strides[0]), Int64(dt.strides[0]))
        (step.b_row, step.c_row) = (Int64(b.strides[0]), Int64(c.strides[0]))
        step.gate_row = Int64(gate?.strides[0] ?? 0)
        (step.a, step.d) = (a.bytes, d.bytes)
        (step.state, step.y) = (state.mutableBytes, output.mutableBytes)
        let work = SelectiveScanPieces(step, try a.dtype.kernelType("SelectiveScanStep"), batch: batch)
        work.run(pieces: work.pieces)
    }

    private func fits(_ operand: Tensor, _ shape: Shape? = nil) -> Bool {
        operand.shape == shape ?? output.shape && operand.dtype == a.dtype
    }
}

/// A step in pieces of channels.
private struct SelectiveScanPieces: ParallelWork {
    let type: rk_type
    let step: rk_selective_step
    let batch: Int
    let channels: Int
    /// Channels of one piece, or of several rows that are one piece together: handing less to another thread takes longer
    /// than computing it.
    let width: Int

    init(_ step: rk_selective_step, _ type: rk_type, batch: Int) {
        (self.step, self.type, self.batch) = (step, type, batch)
        channels = Int(step.channels)
        width = max(64, (1 << 13) / max(1, Int(step.states)) / 64 * 64)
    }

    private var parts: Int { (channels + width - 1) / width }
    private var rows: Int { max(1, width / max(1, channels)) }

    var pieces: Int { (batch + rows - 1) / rows * parts }

    func compute(_ index: Int) {
        let (first, part) = index.quotientAndRemainder(dividingBy: parts)
        withUnsafePointer(to: step) { step in
            for row in first * rows..<min(batch, (first + 1) * rows) {
                rk_selective_scan_step(type, step, row, part * width, min(channels, (part + 1) * width))
            }
        }
    }
}

extension Tensor {
    /// The matrix itself if its rows are dense, else a dense copy.
    func withDenseColumns() throws -> Tensor {
        strides[1] == 1 || shape[1] == 1 ? detached() : try dense()
    }
}

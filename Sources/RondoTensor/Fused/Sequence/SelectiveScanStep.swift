internal import CRondoKernels

/// ``SelectiveScan`` one position at a time, without allocation.
///
/// A value: copies share A and D, and each writes results of its own.
public struct SelectiveScanStep: Sendable {
    private let a: Tensor
    private let d: Tensor
    private let isSymmetric: Bool
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
    /// - Throws: ``RondoError`` when the shapes do not fit.
    public init(a: Tensor, d: Tensor, batch: Int, isSymmetric: Bool = false) throws {
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
        output = try Tensor.zeros([batch, a.shape[0]], dtype: a.dtype)
    }

    /// Advances the state by one position and computes its y into ``output``.
    ///
    /// - Parameters:
    ///   - x: x, `[batch, channels]`. This and the next three may be slices of wider rows.
    ///   - dt: dt, `[batch, channels]`, positive.
    ///   - b: B, `[batch, N]`.
    ///   - c: C, `[batch, N]`.
    ///   - state: h, `[batch, channels, N]`; becomes the state after, in place where nobody else holds it.
    /// - Throws: ``RondoError`` when the shapes do not fit.
    public mutating func callAsFunction(x: Tensor, dt: Tensor, b: Tensor, c: Tensor, state: inout Tensor) throws {
        let (batch, channels, states) = (output.shape[0], a.shape[0], a.shape[1])
        guard x.shape == output.shape, dt.shape == output.shape, b.shape == [batch, states], c.shape == b.shape,
            state.shape == [batch, channels, states], [x, dt, b, c, state].allSatisfy({ $0.dtype == a.dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "SelectiveScanStep: needs x and dt \([batch, channels]), B and C \([batch, states]) and a state "
                    + "\([batch, channels, states]) of \(a.dtype.rawValue); got "
                    + "\([x, dt, b, c, state].map(\.shape))")
        }
        let rows = try [x, dt, b, c].map { try $0.withDenseColumns() }
        defer { withExtendedLifetime(rows) {} }
        try state.mutateInPlace { _ in }
        try output.mutateInPlace { _ in }
        var step = rk_selective_step()
        (step.channels, step.states, step.symmetric) = (Int64(channels), Int64(states), isSymmetric ? 1 : 0)
        (step.x, step.dt, step.b, step.c) = (rows[0].bytes, rows[1].bytes, rows[2].bytes, rows[3].bytes)
        (step.x_row, step.dt_row) = (Int64(rows[0].strides[0]), Int64(rows[1].strides[0]))
        (step.b_row, step.c_row) = (Int64(rows[2].strides[0]), Int64(rows[3].strides[0]))
        (step.a, step.d) = (a.bytes, d.bytes)
        (step.state, step.y) = (state.mutableBytes, output.mutableBytes)
        try run(step, batch: batch, channels: channels, states: states)
    }

    /// Small steps on the calling thread: waking another takes longer than they do.
    private func run(_ step: rk_selective_step, batch: Int, channels: Int, states: Int) throws {
        let type = try a.dtype.kernelType("SelectiveScanStep")
        let piece = max(64, (1 << 15) / max(1, states) / 64 * 64)
        let pieces = (channels + piece - 1) / piece
        withUnsafePointer(to: step) { step in
            parallelFor(batch * pieces, grain: max(1, piece / max(1, channels))) { range in
                for index in range {
                    let (row, part) = index.quotientAndRemainder(dividingBy: pieces)
                    rk_selective_scan_step(type, step, row, part * piece, min(channels, (part + 1) * piece))
                }
            }
        }
    }
}

extension Tensor {
    /// The matrix itself if its rows are dense, else a dense copy.
    fileprivate func withDenseColumns() throws -> Tensor {
        strides[1] == 1 || shape[1] == 1 ? detached() : try dense()
    }
}

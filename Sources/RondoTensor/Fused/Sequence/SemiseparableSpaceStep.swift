internal import CRondoKernels

/// One position of state spaces that share real dynamics A = -(diag(d) + tril(l rᵀ, -1)), made discrete by the
/// generalised bilinear transform: (I - α Δ A) s = (I + (1 - α) Δ A) s⁻ + Δ b u and y = C s + D u.
///
/// HiPPO matrices have this form (Gu et al., *Combining recurrent, convolutional and continuous-time models with linear
/// state space layers*, 2021): a position takes O(N) for each channel. Nothing is allocated but y. Derivatives do not flow through it.
public struct SemiseparableSpaceStep: Sendable {
    /// The dynamics and what enters them, `[N]` each.
    public struct Dynamics: Sendable {
        /// d.
        public var diagonal: Tensor
        /// l.
        public var left: Tensor
        /// r.
        public var right: Tensor
        /// b.
        public var input: Tensor

        /// Creates dynamics.
        public init(diagonal: Tensor, left: Tensor, right: Tensor, input: Tensor) {
            (self.diagonal, self.left, self.right, self.input) = (diagonal, left, right, input)
        }

        fileprivate var all: [Tensor] { [diagonal, left, right, input] }
    }

    private let dynamics: [Tensor]
    private let alpha: Double
    private let step: Tensor
    private let readout: Tensor
    private let skip: Tensor

    /// Prepares the steps.
    ///
    /// - Parameters:
    ///   - dynamics: A and b.
    ///   - alpha: α: 0 Euler, 1/2 bilinear, 1 backward Euler.
    ///   - step: Δ, `[channels]`.
    ///   - readout: C, `[channels, outputs, N]`.
    ///   - skip: D, `[channels, outputs]`.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public init(_ dynamics: Dynamics, alpha: Double, step: Tensor, readout: Tensor, skip: Tensor) throws {
        let all = dynamics.all
        guard readout.rank == 3, skip.shape == Shape(readout.shape.prefix(2)), step.shape == [readout.shape[0]],
            all.allSatisfy({ $0.shape == [readout.shape[2]] }),
            (all + [step, skip]).allSatisfy({ $0.dtype == readout.dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "SemiseparableSpaceStep: needs vectors [N], steps [channels], a readout [channels, outputs, N] and d "
                    + "[channels, outputs] of one type; got \(all.map(\.shape)), \(step.shape), \(readout.shape) and "
                    + "\(skip.shape)")
        }
        _ = try readout.dtype.kernelType("SemiseparableSpaceStep")
        self.dynamics = try all.map { try $0.detached().dense() }
        self.alpha = alpha
        self.step = try step.detached().dense()
        self.readout = try readout.detached().dense()
        self.skip = try skip.detached().dense()
    }

    /// Advances the state by one position, in place where nobody else holds it.
    ///
    /// - Parameters:
    ///   - u: `[batch, channels]`.
    ///   - state: s, `[batch, channels, N]`.
    /// - Returns: y, `[batch, channels, outputs]`.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public func callAsFunction(_ u: Tensor, state: inout Tensor) throws -> Tensor {
        let (channels, outputs, size) = (readout.shape[0], readout.shape[1], readout.shape[2])
        let batch = u.shape.first ?? 0
        guard u.shape == [batch, channels], state.shape == [batch, channels, size], u.dtype == readout.dtype,
            state.dtype == u.dtype
        else {
            throw RondoError(
                .shapeMismatch,
                "SemiseparableSpaceStep: needs u [batch, \(channels)] and a state [batch, \(channels), \(size)] of "
                    + "\(readout.dtype.rawValue); got \(u.shape) and \(state.shape)")
        }
        let type = try u.dtype.kernelType("SemiseparableSpaceStep")
        let u = try u.detached().dense()
        let y = try Tensor.uninitialized([batch, channels, outputs], u.dtype)
        try state.mutateInPlace { _ in }
        var space = rk_semiseparable_space()
        (space.channels, space.states, space.outputs) = (Int64(channels), Int64(size), Int64(outputs))
        space.alpha = alpha
        (space.diagonal, space.left) = (dynamics[0].bytes, dynamics[1].bytes)
        (space.right, space.input) = (dynamics[2].bytes, dynamics[3].bytes)
        (space.step, space.readout, space.skip) = (step.bytes, readout.bytes, skip.bytes)
        (space.u, space.state, space.y) = (u.bytes, state.mutableBytes, y.mutableBytes)
        // Pieces are whole vectors of channels, and small steps are one piece: waking a thread takes longer.
        let piece = max(1, (1 << 14) / size / 16) * 16
        let pieces = (channels + piece - 1) / piece
        withUnsafePointer(to: space) { space in
            parallelFor(batch * pieces, grain: max(1, piece / max(1, channels))) { range in
                for index in range {
                    let (row, part) = index.quotientAndRemainder(dividingBy: pieces)
                    rk_semiseparable_space_step(type, space, row, part * piece, min(channels, (part + 1) * piece))
                }
            }
        }
        withExtendedLifetime((u, state)) {}
        return y
    }
}

internal import CRondoKernels

/// One position of independent state spaces with complex dynamics, diagonal plus at most rank one:
/// s = λ ⊙ s⁻ + b u - p Re(q · s⁻) and y = Re(c · s) + d u, for each of D channels with n states.
///
/// One pass over the states; nothing is allocated but y. Derivatives do not flow through it.
public struct DiagonalSpaceStep: Sendable {
    private let lambda: ComplexTensor
    private let input: ComplexTensor?
    private let readout: ComplexTensor
    private let write: ComplexTensor?
    private let read: ComplexTensor?
    private let skip: Tensor

    /// Prepares the steps.
    ///
    /// - Parameters:
    ///   - lambda: λ, `[D, n]`.
    ///   - input: b, `[D, n]`; 1 if `nil`.
    ///   - readout: c, `[D, n]`.
    ///   - lowRank: p and q, `[D, n]` each, if the dynamics are more than diagonal.
    ///   - skip: d, `[D]`.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public init(
        lambda: ComplexTensor, input: ComplexTensor?, readout: ComplexTensor,
        lowRank: (write: ComplexTensor, read: ComplexTensor)? = nil, skip: Tensor
    ) throws {
        let all = [lambda, input, readout, lowRank?.write, lowRank?.read].compactMap { $0 }
        let parts = all.flatMap { [$0.real, $0.imaginary] }
        guard lambda.shape.count == 2, skip.shape == [lambda.shape[0]],
            parts.allSatisfy({ $0.shape == lambda.shape && $0.dtype == skip.dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "DiagonalSpaceStep: needs matrices [channels, states] and d [channels] of one type; got "
                    + "\(parts.map(\.shape)) and \(skip.shape)")
        }
        _ = try skip.dtype.kernelType("DiagonalSpaceStep")
        func dense(_ x: ComplexTensor) throws -> ComplexTensor {
            ComplexTensor(try x.real.detached().dense(), try x.imaginary.detached().dense())
        }
        self.lambda = try dense(lambda)
        self.input = try input.map(dense)
        self.readout = try dense(readout)
        (write, read) = (try lowRank.map { try dense($0.write) }, try lowRank.map { try dense($0.read) })
        self.skip = try skip.detached().dense()
    }

    /// Advances the states by one position, in place where nobody else holds them.
    ///
    /// - Parameters:
    ///   - u: `[batch, D]`.
    ///   - states: Re s and Im s, `[batch, D, n]` each, or one tensor `[batch, D, 2 n]` with Re s before Im s.
    /// - Returns: y, `[batch, D]`.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public func callAsFunction(_ u: Tensor, states: inout [Tensor]) throws -> Tensor {
        let (channels, size) = (lambda.shape[0], lambda.shape[1])
        let joined = states.count == 1
        let batch = u.shape.first ?? 0
        let shape: Shape = [batch, channels, joined ? 2 * size : size]
        guard u.shape == [batch, channels], u.dtype == skip.dtype, joined || states.count == 2,
            states.allSatisfy({ $0.shape == shape && $0.dtype == u.dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "DiagonalSpaceStep: needs u [batch, \(channels)] and states [batch, \(channels), \(size)] twice, or "
                    + "both parts in one, of \(skip.dtype.rawValue); got \(u.shape) and \(states.map(\.shape))")
        }
        let u = try u.detached().dense()
        let y = try Tensor.uninitialized(u.shape, u.dtype)
        for index in states.indices { try states[index].mutateInPlace { _ in } }
        var space = description
        (space.u, space.y) = (u.bytes, y.mutableBytes)
        space.state_stride = Int64(shape[2])
        space.state_re = states[0].mutableBytes
        space.state_im = joined ? states[0].mutableBytes + size * u.dtype.byteCount : states[1].mutableBytes
        try run(&space, batch: batch)
        withExtendedLifetime((u, states)) {}
        return y
    }

    private var description: rk_diagonal_space {
        var space = rk_diagonal_space()
        (space.channels, space.states) = (Int64(lambda.shape[0]), Int64(lambda.shape[1]))
        (space.lambda_re, space.lambda_im) = (lambda.real.bytes, lambda.imaginary.bytes)
        (space.input_re, space.input_im) = (input?.real.bytes, input?.imaginary.bytes)
        (space.readout_re, space.readout_im) = (readout.real.bytes, readout.imaginary.bytes)
        (space.write_re, space.write_im) = (write?.real.bytes, write?.imaginary.bytes)
        (space.read_re, space.read_im) = (read?.real.bytes, read?.imaginary.bytes)
        space.skip = skip.bytes
        return space
    }

    /// Small steps on the calling thread: waking another takes longer than they do.
    private func run(_ space: inout rk_diagonal_space, batch: Int) throws {
        let type = try skip.dtype.kernelType("DiagonalSpaceStep")
        let (channels, size) = (lambda.shape[0], max(1, lambda.shape[1]))
        let piece = max(1, (1 << 14) / size)
        let pieces = (channels + piece - 1) / piece
        withUnsafePointer(to: space) { space in
            parallelFor(batch * pieces, grain: max(1, piece / max(1, channels))) { range in
                for index in range {
                    let (row, part) = index.quotientAndRemainder(dividingBy: pieces)
                    rk_diagonal_space_step(type, space, row, part * piece, min(channels, (part + 1) * piece))
                }
            }
        }
    }
}

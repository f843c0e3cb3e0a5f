internal import CRondoKernels

extension DiagonalCellLoop {
    /// One position after the other, or all at once by Newton's method.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let dense = try inputs.map { try $0.dense() }
        let (hidden, finals) = try newton.map { try solve(dense, $0).result } ?? sequential(dense)
        // The first is what callers see; all are what the derivative computes the gates from again.
        return FusedResult(outputs: [hidden[0]] + finals, saved: dense + hidden, retained: [])
    }

    /// Computes the layer by Newton's method and says how that went.
    ///
    /// - Parameters:
    ///   - inputs: as of the operation.
    ///   - newton: the solver.
    ///   - guess: all states, `[batch, time, k, channels]`, where it begins; `nil`: a step from zero states.
    /// - Returns: the operation's outputs, through which no derivative flows, and the solver's report.
    /// - Throws: ``RondoError`` when shapes do not fit.
    public func solved(
        _ inputs: [Tensor], by newton: NewtonRecurrence, guess: Tensor? = nil
    ) throws -> (outputs: [Tensor], report: NewtonRecurrence.Report) {
        try validate(inputs)
        let (result, report) = try solve(inputs.map { try $0.detached().dense() }, newton, guess)
        return ([result.hidden[0]] + result.finals, report)
    }

    /// From cotangents of all hidden states and the last ones, backwards in time.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let count = cell.stateCount
        let kept = Array(context.saved.suffix(count))
        let all = Operands(cell, context.saved.dropLast(count))
        let shape = all.projection.shape
        let dtype = all.projection.dtype
        let g = try cotangents[0]?.dense()
        let finals = try (1...count).map {
            try ElementwiseRecurrence.cotangent(cotangents[$0], like: [shape[0], shape[3]], dtype)
        }
        let pieces = try BackwardPieces(self, all, kept, g, finals)
        try pieces.run()
        let (dweights, dpeepholes) = (try pieces.dweights.sum([0]), try pieces.dpeepholes.sum([0]))
        return [pieces.dprojection, dweights] + (cell == .lstm ? [dpeepholes] : []) + (try pieces.initial())
    }

    /// States over time (h; of the LSTM also c), `[batch, time, channels]`, and the last ones.
    typealias States = (hidden: [Tensor], finals: [Tensor])

    func sequential(_ inputs: [Tensor]) throws -> States {
        let all = Operands(cell, inputs)
        let type = try all.projection.dtype.kernelType(Self.name)
        let (batch, time, channels) = (all.projection.shape[0], all.projection.shape[1], all.projection.shape[3])
        let dtype = all.projection.dtype
        let over = try all.states.map { _ in try Tensor.uninitialized([batch, time, channels], dtype) }
        let finals = try all.states.map { try Tensor.uninitialized($0.shape, dtype) }
        let row = channels * dtype.byteCount
        ElementwiseRecurrence.forEachBlock(batch, channels, time: time) { b, first, last in
            let projection = all.projection.bytes + 3 * b * time * row
            let (h, hidden, final) = (all.states[0], over[0], finals[0])
            guard let peepholes = all.peepholes else {
                return rk_diagonal_gru(
                    type, time, channels, first, last, projection, all.weights.bytes, h.bytes + b * row,
                    hidden.mutableBytes + b * time * row, final.mutableBytes + b * row)
            }
            rk_diagonal_lstm(
                type, time, channels, first, last, projection, all.weights.bytes, peepholes.bytes, h.bytes + b * row,
                all.states[1].bytes + b * row, hidden.mutableBytes + b * time * row,
                over[1].mutableBytes + b * time * row, final.mutableBytes + b * row,
                finals[1].mutableBytes + b * row)
        }
        withExtendedLifetime(inputs) {}
        return (over, finals)
    }

    private func solve(
        _ inputs: [Tensor], _ newton: NewtonRecurrence, _ guess: Tensor? = nil
    ) throws -> (result: States, report: NewtonRecurrence.Report) {
        let all = Operands(cell, inputs)
        let time = all.projection.shape[1]
        let (stacked, report) = try newton.solve(
            initial: Tensor.stack(all.states, axis: 1), time: time, guess: guess,
            linearize: { try self.linearized(all, $0) },
            sequential: { try Tensor.stack(self.sequential(inputs).hidden, axis: 2) })
        let over = try (0..<cell.stateCount).map { try stacked.selecting(2, $0).contiguous() }
        let finals = try time > 0 ? over.map { try $0.selecting(1, time - 1).contiguous() } : all.states
        return ((over, finals), report)
    }

    /// One step from each of the states `[batch, time, k, channels]`, and its Jacobian.
    func linearized(_ all: Operands, _ previous: Tensor) throws -> (next: Tensor, jacobian: Tensor) {
        let type = try previous.dtype.kernelType(Self.name)
        let from = try previous.dense()
        let (k, channels) = (previous.shape[2], previous.shape[3])
        let rows = previous.shape[0] * previous.shape[1]
        let next = try Tensor.uninitialized(previous.shape, previous.dtype)
        let jacobian = try Tensor.uninitialized(previous.shape.prefix(2) + [k, k, channels], previous.dtype)
        let row = channels * previous.dtype.byteCount
        parallelFor(rows, grain: 64) { range in
            let start = range.lowerBound * row
            rk_diagonal_cell_jacobian(
                type, range.count, channels, all.projection.bytes + 3 * start, all.weights.bytes, all.peepholes?.bytes,
                from.bytes + k * start, next.mutableBytes + k * start, jacobian.mutableBytes + k * k * start)
        }
        withExtendedLifetime((all, from)) {}
        return (next, jacobian)
    }
}

/// The derivative of the loop, in pieces of time when it was computed so: what flows back into the end of each piece
/// comes from a linear recurrence over all positions, the pieces are then independent of each other.
private struct BackwardPieces {
    let loop: DiagonalCellLoop
    let all: DiagonalCellLoop.Operands
    let kept: [Tensor]
    let g: Tensor?
    let chunks: Int
    let length: Int
    /// `[batch, chunks, channels]` each: what flows into the ends of the pieces, then out of their beginnings.
    let carries: [Tensor]
    let dprojection: Tensor
    let dweights: Tensor
    let dpeepholes: Tensor

    init(
        _ loop: DiagonalCellLoop, _ all: DiagonalCellLoop.Operands, _ kept: [Tensor], _ g: Tensor?, _ finals: [Tensor]
    ) throws {
        (self.loop, self.all, self.kept, self.g) = (loop, all, kept, g)
        let (batch, time, channels) = (all.projection.shape[0], all.projection.shape[1], all.projection.shape[3])
        let dtype = all.projection.dtype
        length = loop.newton == nil ? max(1, time) : BlockLinearRecurrence.chunk
        chunks = max(1, (time + length - 1) / length)
        dprojection = try Tensor.uninitialized(all.projection.shape, dtype)
        dweights = try Tensor.uninitialized([batch * chunks, 3, channels], dtype)
        dpeepholes = try Tensor.uninitialized([loop.cell == .lstm ? batch * chunks : 0, 2, channels], dtype)
        if chunks == 1 {
            carries = try finals.map { try $0.expanded(at: 1) }
        } else {
            carries = try Self.carries(loop, all, kept, g, finals, length)
        }
    }

    /// Jᵀ λ of the first positions of all pieces but the first, and the last states' cotangents.
    private static func carries(
        _ loop: DiagonalCellLoop, _ all: DiagonalCellLoop.Operands, _ kept: [Tensor], _ g: Tensor?, _ finals: [Tensor],
        _ length: Int
    ) throws -> [Tensor] {
        let time = all.projection.shape[1]
        let before = try Tensor.stack(all.states, axis: 1).expanded(at: 1)
        let states = try Tensor.stack(kept, axis: 2)
        let previous = try Tensor.concatenate([before, states.sliced(1, 0..<time - 1)], axis: 1)
        let jacobian = try loop.linearized(all, previous).jacobian
        let last = try Tensor.stack(finals, axis: 1).expanded(at: 1).padded(1, before: time - 1, after: 0)
        let upstream = try g.map { try last + $0.expanded(at: 2).padded(2, before: 0, after: finals.count - 1) } ?? last
        let lambda = try BlockLinearRecurrence.solve(jacobian, upstream.dense(), initial: nil, reversed: true)
        var parts: [Tensor] = []
        for start in stride(from: length, to: time, by: length) {
            parts.append(
                try BlockLinearRecurrence.transposedProduct(jacobian.selecting(1, start), lambda.selecting(1, start)))
        }
        parts.append(try Tensor.stack(finals, axis: 1))
        let joined = try Tensor.stack(parts, axis: 1)
        return try finals.indices.map { try joined.selecting(2, $0).copied() }
    }

    /// What flows out of the first piece: the derivatives of the initial states.
    func initial() throws -> [Tensor] { try carries.map { try $0.selecting(1, 0).contiguous() } }

    func run() throws {
        let type = try all.projection.dtype.kernelType(DiagonalCellLoop.name)
        let (batch, time, channels) = (all.projection.shape[0], all.projection.shape[1], all.projection.shape[3])
        let row = channels * all.projection.dtype.byteCount
        ElementwiseRecurrence.forEachBlock(batch * chunks, channels, time: time) { piece, first, last in
            let (b, part) = piece.quotientAndRemainder(dividingBy: chunks)
            let start = part * length
            let count = max(0, min(length, time - start))
            let at = (b * time + start) * row
            // The states before a piece are the last ones of the piece before it.
            func before(_ state: Int) -> UnsafeRawPointer {
                part == 0 ? all.states[state].bytes + b * row : kept[state].bytes + at - row
            }
            func carry(_ state: Int) -> UnsafeMutableRawPointer { carries[state].mutableBytes + piece * row }
            guard let peepholes = all.peepholes else {
                return rk_diagonal_gru_gradient(
                    type, count, channels, first, last, all.projection.bytes + 3 * at, all.weights.bytes, before(0),
                    kept[0].bytes + at, g.map { $0.bytes + at }, carry(0), dprojection.mutableBytes + 3 * at,
                    dweights.mutableBytes + 3 * piece * row)
            }
            rk_diagonal_lstm_gradient(
                type, count, channels, first, last, all.projection.bytes + 3 * at, all.weights.bytes, peepholes.bytes,
                before(0), before(1), kept[0].bytes + at, kept[1].bytes + at, g.map { $0.bytes + at }, carry(0),
                carry(1), dprojection.mutableBytes + 3 * at, dweights.mutableBytes + 3 * piece * row,
                dpeepholes.mutableBytes + 2 * piece * row)
        }
    }
}

internal import CRondoKernels

/// The linear recurrence whose matrix is diagonal: hₜ = aₜ ⊙ hₜ₋₁ + bₜ (minGRU, QRNN, SRU, HGRN, RG-LRU and others).
///
/// Inputs: a `[batch, time, channels / channelsPerGate]`, or without batch and time if it never changes;
/// b `[batch, time, channels]`; h₀ `[batch, channels]`. Outputs: h `[batch, time, channels]`, and the last of them
/// `[batch, channels]` (h₀ if there are no positions).
///
/// The backward pass is the scan reversed (Martin and Cundy, "Parallelizing linear recurrent neural nets over sequence
/// length", 2018, equation 11): ∂bₜ = ∂hₜ + aₜ₊₁ ⊙ ∂bₜ₊₁, ∂aₜ = ∂bₜ ⊙ hₜ₋₁.
public struct DiagonalScan: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "diagonalScan"
    /// How many channels side by side share an element of a: 1, or the width of a head with one gate.
    public var channelsPerGate: Int

    /// Creates the operation.
    public init(channelsPerGate: Int = 1) { self.channelsPerGate = channelsPerGate }

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 3, inputs[1].rank == 3, channelsPerGate >= 1,
            inputs[1].shape[2] % channelsPerGate == 0, isGate(inputs[0].shape, of: inputs[1].shape),
            inputs[2].shape == [inputs[1].shape[0], inputs[1].shape[2]],
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            let gates = channelsPerGate == 1 ? "channels" : "channels / \(channelsPerGate)"
            throw RondoError(
                .shapeMismatch,
                "diagonalScan: needs a [batch, time, \(gates)] or [\(gates)], b [batch, time, channels] and h0 [batch, channels] of one type; got \(inputs.map(\.shape)) of \(inputs.map(\.dtype.rawValue))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    private func isGate(_ shape: Shape, of sequence: Shape) -> Bool {
        let gates = sequence[2] / channelsPerGate
        return shape == [gates] || shape == [sequence[0], sequence[1], gates]
    }

    /// Position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let a = try perChannel(inputs[0])
        return try scanned(inputs[1].shape, from: [inputs[2]]) { t, states in
            [try a.scanRow(t) * states[0] + inputs[1].selecting(1, t)]
        }
    }

    /// Each gate repeated for its channels.
    private func perChannel(_ a: Tensor) throws -> Tensor {
        guard channelsPerGate > 1 else { return a }
        let channels = a.shape[a.rank - 1] * channelsPerGate
        return try a.expanded(at: a.rank).broadcast(to: a.shape + [channelsPerGate])
            .reshaped(a.shape.dropLast() + [channels])
    }

    /// Sequences and blocks of channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        // A constant is small: it is repeated here, so that the kernel shares only gates that change.
        let a = try ScanOperand(inputs[0].rank == 1 ? perChannel(inputs[0]) : inputs[0])
        let (b, h0) = (try ScanOperand(inputs[1]), try inputs[2].dense())
        let extents = ScanExtents(inputs[1])
        let type = try extents.dtype.kernelType(Self.name)
        let h = try Tensor.uninitialized(extents.sequenceShape, extents.dtype)
        let group = a.isConstant ? 1 : channelsPerGate
        extents.forEachBlock(group: group) { row, channels in
            rk_diagonal_scan(
                type, extents.time, extents.channels, channels.lowerBound, channels.upperBound, extents.isLarge, group,
                a.bytes(row),
                a.time, b.bytes(row), b.time, extents.state(h0, row), extents.sequence(h, row))
        }
        return FusedResult(
            outputs: [h, try extents.final(h, initial: h0)], saved: [a.tensor, h0, h], retained: [])
    }

    /// The same scan from the end; sequences have sums of their own for a constant a, summed in order afterwards.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let (a, h0, h) = (try ScanOperand(context.saved[0]), context.saved[1], context.saved[2])
        let extents = ScanExtents(h)
        let type = try extents.dtype.kernelType(Self.name)
        let g = try cotangents[0].map(ScanOperand.init)
        let dh0 = try extents.carry(cotangents[1])
        let group = a.isConstant ? 1 : channelsPerGate
        let gates = extents.channels / group
        let shape: Shape = a.isConstant ? [extents.batch, gates] : [extents.batch, extents.time, gates]
        let da = try context.wanted[0] ? Tensor.uninitialized(shape, extents.dtype) : nil
        let db = try context.wanted[1] ? Tensor.uninitialized(h.shape, extents.dtype) : nil
        extents.forEachBlock(group: group) { row, channels in
            rk_diagonal_scan_gradient(
                type, extents.time, extents.channels, channels.lowerBound, channels.upperBound, extents.isLarge, group,
                a.isConstant,
                a.bytes(row), a.time, extents.state(h0, row), extents.sequence(h, row), g?.bytes(row), g?.time ?? 0,
                extents.state(dh0, row),
                da.map { a.isConstant ? extents.state($0, row) : extents.sequence($0, row, width: gates) },
                db.map { extents.sequence($0, row) })
        }
        return [try a.isConstant ? da?.sum([0]).summedPerGate(channelsPerGate) : da, db, dh0]
    }
}

extension Tensor {
    /// The gradient of gates from that of the channels `[channels]` that share them.
    fileprivate func summedPerGate(_ channelsPerGate: Int) throws -> Tensor {
        try channelsPerGate == 1 ? self : reshaped([count / channelsPerGate, channelsPerGate]).sum([1])
    }
}

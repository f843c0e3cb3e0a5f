internal import CRondoKernels

/// The linear recurrence over (max, +): mₜ = max(fₜ + mₜ₋₁, iₜ), the running stabiliser of exponential gates.
///
/// Inputs: f `[batch, time, channels]`, or `[channels]` if it never changes (zeros give the running maximum);
/// i `[batch, time, channels]`; m₀ `[batch, channels]`, which may be -∞ (nothing came before). Outputs: m
/// `[batch, time, channels]`, and the last of them `[batch, channels]` (m₀ if there are no positions). See Beck et al.,
/// "xLSTM" (2024), equation 15, and Feng et al., "Attention as an RNN" (2024), section 3.2.
///
/// The gradient goes to the operand that won: to fₜ and mₜ₋₁ when both are equal.
public struct MaxPlusScan: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "maxPlusScan"

    /// Creates the operation.
    public init() {}

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 3, inputs[1].rank == 3,
            inputs[0].shape == inputs[1].shape || inputs[0].shape == [inputs[1].shape[2]],
            inputs[2].shape == [inputs[1].shape[0], inputs[1].shape[2]],
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "maxPlusScan: needs f [batch, time, channels] or [channels], i [batch, time, channels] and m0 [batch, channels] of one type; got \(inputs.map(\.shape)) of \(inputs.map(\.dtype.rawValue))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// Position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        try scanned(inputs[1].shape, from: [inputs[2]]) { t, states in
            let kept = try inputs[0].scanRow(t) + states[0]
            let input = try inputs[1].selecting(1, t)
            // A NaN is larger than all, wherever it comes from.
            let first = try kept.detached().greaterOrEqual(to: input.detached())
                .maximum(kept.detached().notEqual(to: kept.detached()))
            return [try Tensor.select(first, kept, input)]
        }
    }

    /// Sequences and blocks of channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let (f, i, m0) = (try ScanOperand(inputs[0]), try ScanOperand(inputs[1]), try inputs[2].dense())
        let extents = ScanExtents(inputs[1])
        let type = try extents.dtype.kernelType(Self.name)
        let m = try Tensor.uninitialized(extents.sequenceShape, extents.dtype)
        extents.forEachBlock { row, channels in
            rk_max_plus_scan(
                type, extents.time, extents.channels, channels.lowerBound, channels.upperBound, extents.isLarge,
                f.bytes(row), f.time,
                i.bytes(row), i.time, extents.state(m0, row), extents.sequence(m, row))
        }
        return FusedResult(
            outputs: [m, try extents.final(m, initial: m0)], saved: [f.tensor, m0, m], retained: [])
    }

    /// From the end, along the operands that won; sequences have sums of their own for a constant f.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let (f, m0, m) = (try ScanOperand(context.saved[0]), context.saved[1], context.saved[2])
        let extents = ScanExtents(m)
        let type = try extents.dtype.kernelType(Self.name)
        let g = try cotangents[0].map(ScanOperand.init)
        let dm0 = try extents.carry(cotangents[1])
        let df = try extents.gradientMemory(of: f, wanted: context.wanted[0])
        let di = try context.wanted[1] ? Tensor.uninitialized(m.shape, extents.dtype) : nil
        extents.forEachBlock { row, channels in
            rk_max_plus_scan_gradient(
                type, extents.time, extents.channels, channels.lowerBound, channels.upperBound, extents.isLarge,
                f.isConstant,
                f.bytes(row), f.time, extents.state(m0, row), extents.sequence(m, row), g?.bytes(row), g?.time ?? 0,
                extents.state(dm0, row), extents.gradient(df, of: f, row), di.map { extents.sequence($0, row) })
        }
        return [try f.isConstant ? df?.sum([0]) : df, di, dm0]
    }
}

internal import CRondoKernels

/// The diagonal linear recurrence of complex numbers: hₜ = aₜ ⊙ hₜ₋₁ + bₜ (LRU, S4D, S5).
///
/// Inputs: the real and the imaginary parts of a (each `[batch, time, channels]`, or `[channels]` if it never changes),
/// of b (`[batch, time, channels]`) and of h₀ (`[batch, channels]`). Outputs: the parts of h
/// (`[batch, time, channels]`), then of the last h (`[batch, channels]`; h₀ if there are no positions).
///
/// With ∂z = ∂/∂Re z + i ∂/∂Im z, the backward pass is ∂bₜ = ∂hₜ + conj(aₜ₊₁) ⊙ ∂bₜ₊₁, ∂aₜ = ∂bₜ ⊙ conj(hₜ₋₁).
public struct ComplexDiagonalScan: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "complexDiagonalScan"

    /// Creates the operation.
    public init() {}

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 6, inputs[2].rank == 3, inputs[3].shape == inputs[2].shape,
            inputs[0].shape == inputs[2].shape || inputs[0].shape == [inputs[2].shape[2]],
            inputs[1].shape == inputs[0].shape,
            inputs[4].shape == [inputs[2].shape[0], inputs[2].shape[2]], inputs[5].shape == inputs[4].shape,
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "complexDiagonalScan: needs the real and imaginary parts of a [batch, time, channels] or [channels], of b [batch, time, channels] and of h0 [batch, channels], of one type; got \(inputs.map(\.shape)) of \(inputs.map(\.dtype.rawValue))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// Position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        try scanned(inputs[2].shape, from: [inputs[4], inputs[5]]) { t, states in
            let a = ComplexTensor(try inputs[0].scanRow(t), try inputs[1].scanRow(t))
            let b = ComplexTensor(try inputs[2].selecting(1, t), try inputs[3].selecting(1, t))
            let next = try a * ComplexTensor(states[0], states[1]) + b
            return [next.real, next.imaginary]
        }
    }

    /// Sequences and blocks of channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let (aReal, aImaginary) = try Self.pair(inputs[0], inputs[1])
        let (bReal, bImaginary) = try Self.pair(inputs[2], inputs[3])
        let (h0Real, h0Imaginary) = (try inputs[4].dense(), try inputs[5].dense())
        let extents = ScanExtents(inputs[2])
        let type = try extents.dtype.kernelType(Self.name)
        let hReal = try Tensor.uninitialized(extents.sequenceShape, extents.dtype)
        let hImaginary = try Tensor.uninitialized(extents.sequenceShape, extents.dtype)
        extents.forEachBlock { row, channels in
            rk_complex_diagonal_scan(
                type, extents.time, extents.channels, channels.lowerBound, channels.upperBound, extents.isLarge,
                aReal.bytes(row),
                aImaginary.bytes(row), aReal.time, bReal.bytes(row), bImaginary.bytes(row), bReal.time,
                extents.state(h0Real, row), extents.state(h0Imaginary, row), extents.sequence(hReal, row),
                extents.sequence(hImaginary, row))
        }
        let final = [
            try extents.final(hReal, initial: h0Real), try extents.final(hImaginary, initial: h0Imaginary),
        ]
        return FusedResult(
            outputs: [hReal, hImaginary] + final,
            saved: [aReal.tensor, aImaginary.tensor, h0Real, h0Imaginary, hReal, hImaginary], retained: [])
    }

    /// The scan with conjugate a from the end; sequences have sums of their own for a constant a.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let saved = context.saved
        let (aReal, aImaginary) = try Self.pair(saved[0], saved[1])
        let extents = ScanExtents(saved[4])
        let type = try extents.dtype.kernelType(Self.name)
        let (gReal, gImaginary) = try Self.cotangents(cotangents[0], cotangents[1])
        let (dh0Real, dh0Imaginary) = (try extents.carry(cotangents[2]), try extents.carry(cotangents[3]))
        let wantsA = context.wanted[0] || context.wanted[1]
        let daReal = try extents.gradientMemory(of: aReal, wanted: wantsA)
        let daImaginary = try extents.gradientMemory(of: aReal, wanted: wantsA)
        let dbReal = try context.wanted[2] ? Tensor.uninitialized(extents.sequenceShape, extents.dtype) : nil
        let dbImaginary = try context.wanted[3] ? Tensor.uninitialized(extents.sequenceShape, extents.dtype) : nil
        extents.forEachBlock { row, channels in
            rk_complex_diagonal_scan_gradient(
                type, extents.time, extents.channels, channels.lowerBound, channels.upperBound, extents.isLarge,
                aReal.isConstant,
                aReal.bytes(row), aImaginary.bytes(row), aReal.time, extents.state(saved[2], row),
                extents.state(saved[3], row), extents.sequence(saved[4], row), extents.sequence(saved[5], row),
                gReal?.bytes(row), gImaginary?.bytes(row), (gReal ?? gImaginary)?.time ?? 0,
                extents.state(dh0Real, row), extents.state(dh0Imaginary, row),
                extents.gradient(daReal, of: aReal, row), extents.gradient(daImaginary, of: aReal, row),
                dbReal.map { extents.sequence($0, row) }, dbImaginary.map { extents.sequence($0, row) })
        }
        let da = try [daReal, daImaginary].map { try aReal.isConstant ? $0?.sum([0]) : $0 }
        return da + [dbReal, dbImaginary, dh0Real, dh0Imaginary]
    }

    /// Two operands that step through time alike.
    private static func pair(_ real: Tensor, _ imaginary: Tensor) throws -> (ScanOperand, ScanOperand) {
        let pair = (try ScanOperand(real), try ScanOperand(imaginary))
        if pair.0.time == pair.1.time { return pair }
        return (try ScanOperand(real.dense()), try ScanOperand(imaginary.dense()))
    }

    private static func cotangents(_ real: Tensor?, _ imaginary: Tensor?) throws -> (ScanOperand?, ScanOperand?) {
        guard let real, let imaginary else {
            return (try real.map(ScanOperand.init), try imaginary.map(ScanOperand.init))
        }
        return try pair(real, imaginary)
    }
}

import RondoTensor

/// Continuous dynamics A = diag(Λ) - P P* of D channels, in half of the spectrum: every P* v stands for 2 Re(P* v).
struct LowRankDynamics {
    /// Λ, `[D, n]`.
    var eigenvalues: ComplexTensor
    /// P, `[D, n]`.
    var lowRank: ComplexTensor
    /// B, `[D, n]`.
    var input: ComplexTensor
    /// C, `[D, n]`.
    var readout: ComplexTensor
    /// Δ, `[D, 1]`.
    var step: Tensor

    private var width: Int { eigenvalues.shape[0] }
    private var half: Int { eigenvalues.shape[1] }

    /// 2 Re(P* v), `[..., D, 1]`.
    private func projected(_ v: ComplexTensor) throws -> Tensor {
        try (lowRank.real * v.real + lowRank.imaginary * v.imaginary).sum([-1], keepingAxes: true) * 2
    }

    /// One position of the trapezoidal rule in O(n).
    ///
    /// - Parameters:
    ///   - x: States `[batch, D, n]`.
    ///   - u: Inputs `[batch, D, 1]`.
    /// - Returns: The states after the position.
    /// - Throws: `RondoError` when shapes do not fit.
    func advance(_ x: ComplexTensor, input u: Tensor) throws -> ComplexTensor {
        let rate = try 2 / step
        let forward = ComplexTensor(try rate + eigenvalues.real, eigenvalues.imaginary)
        let one = ComplexTensor(try Tensor.ones([1], dtype: step.dtype), try Tensor.zeros([1], dtype: step.dtype))
        let inverse = try one / ComplexTensor(rate - eigenvalues.real, -eigenvalues.imaginary)
        let lost = try projected(x)
        let z = try forward * x - lowRank.mapped { try $0 * lost } + input.mapped { try $0 * u * 2 }
        let solved = try inverse * z
        let share = try projected(solved) / (projected(inverse * lowRank) + 1)
        return try solved - inverse * lowRank.mapped { try $0 * share }
    }

    /// Single positions of the trapezoidal rule in place, with the direct path d `[D]`.
    ///
    /// As in ``system()``, Ā = 2 M - I and M = G - column row: diagonal plus rank one again.
    func stepping(skip: Tensor) throws -> DiagonalSpaceStep {
        let (g, column, row) = try inverse()
        let two = try column.mapped { try $0 * 2 }
        let entered = try input.mapped { try $0 * step }
        // M Δ B, the row applied to Δ B being a number.
        let lost = try (row * entered).real.sum([-1], keepingAxes: true)
        return try DiagonalSpaceStep(
            lambda: ComplexTensor(g.real * 2 - 1, g.imaginary * 2),
            input: g * entered - column.mapped { try $0 * lost },
            readout: readout.mapped { try $0 * 2 }, lowRank: (write: two, read: row), skip: skip)
    }

    /// M = (I - Δ/2 A)⁻¹ = G - column Re(row ·), by the formula of Sherman and Morrison for G = (1 - Δ/2 Λ)⁻¹, a
    /// complex number for each state.
    private func inverse() throws -> (g: ComplexTensor, column: ComplexTensor, row: ComplexTensor) {
        let below = ComplexTensor(
            try 1 - eigenvalues.real * step * 0.5, try -(eigenvalues.imaginary * step * 0.5))
        let one = ComplexTensor(try Tensor.ones([1], dtype: step.dtype), try Tensor.zeros([1], dtype: step.dtype))
        let g = try one / below
        let column = try g * lowRank
        let scale = try step * 0.5 / (projected(column) * (step * 0.5) + 1)
        // 2 Re(P* G ·).
        let row = try g * lowRank.conjugate()
        return (g, try column.mapped { try $0 * scale }, try row.mapped { try $0 * 2 })
    }

    /// The recurrence as real matrices of states (Re s, Im s): with M = (I - Δ/2 A)⁻¹, Ā = 2 M - I and B̄ = Δ M B.
    func system() throws -> DenseSystem {
        let (g, column, rowParts) = try inverse()
        let row = try Tensor.concatenate([rowParts.real, -rowParts.imaginary], axis: -1)
        let identity = try Tensor.identity(half, dtype: step.dtype)
        let (re, im) = (try g.real.expanded(at: 1) * identity, try g.imaginary.expanded(at: 1) * identity)
        let diagonal = try Tensor.concatenate(
            [Tensor.concatenate([re, -im], axis: 2), Tensor.concatenate([im, re], axis: 2)], axis: 1)
        let columns = try Tensor.concatenate([column.real, column.imaginary], axis: -1)
        let solved = try diagonal - columns.expanded(at: 2) * row.expanded(at: 1)
        let entry = try Tensor.concatenate([input.real, input.imaginary], axis: -1) * step
        let read = try Tensor.concatenate([readout.real, -readout.imaginary], axis: -1) * 2
        return DenseSystem(
            matrix: try solved * 2 - Tensor.identity(2 * half, dtype: step.dtype),
            input: try solved.matmul(entry.expanded(at: 2)).squeezed(2), readout: try read.expanded(at: 1))
    }

    /// The first `length` taps of the convolution kernel, `[D, length]`, from the generating function at the roots of
    /// unity (algorithm 1 of the source).
    ///
    /// With ω = exp(-i θ) the nodes 2 (1 - ω) / (1 + ω) are 2 i tan(θ/2); Δ is put into the poles, so that all channels
    /// share them. C is replaced by C (I - Ā^length), which cuts the series off.
    func kernel(length: Int) throws -> Tensor {
        let dtype = step.dtype
        let cut = try truncatedReadout(length)
        let (c, poles) = (cut, try eigenvalues.mapped { try $0 * step })
        // At ω = -1 the node is infinite; the limit is Δ/2 of C · B over the whole spectrum.
        let count = (length + 1) / 2
        let angles = try Tensor.range(count).cast(to: .float64) * (.pi / Double(length))
        let tangent = try (angles.unary(.sin) / angles.unary(.cos)).cast(to: dtype)
        let zeros = try Tensor.zeros([count], dtype: dtype)
        let p = lowRank
        let numerators = try [c * input, c * p, p.conjugate() * input, p.conjugate() * p].map { v in
            try v.mapped { try $0 * step }
        }
        let sums = try CauchyKernel(conjugated: true)([
            Tensor.stack(numerators.map(\.real)), Tensor.stack(numerators.map(\.imaginary)), poles.real,
            poles.imaginary, zeros, tangent * 2,
        ])
        let k = try (0..<4).map { ComplexTensor(try sums[0].selecting(0, $0), try sums[1].selecting(0, $0)) }
        let denominator = ComplexTensor(try k[3].real + 1, k[3].imaginary)
        let turn = ComplexTensor(try Tensor.ones([count], dtype: dtype), tangent)
        var spectrum = try turn * (k[0] - k[1] * k[2] / denominator)
        if length % 2 == 0 {
            let limit = try (c * input).real.sum([-1], keepingAxes: true) * step
            let last = ComplexTensor(limit, try Tensor.zeros(limit.shape, dtype: dtype))
            spectrum = try ComplexTensor.concatenate([spectrum, last], axis: 1)
        }
        return try spectrum.inverseRealFourierTransform(length: length)
    }

    /// C (I - Ā^length), by squaring.
    private func truncatedReadout(_ length: Int) throws -> ComplexTensor {
        let system = try system()
        var (row, power) = (system.readout, system.matrix)
        var rest = length
        while rest > 0 {
            if rest & 1 == 1 { row = try row.matmul(power) }
            rest >>= 1
            if rest > 0 { power = try power.matmul(power) }
        }
        let parts = try (system.readout - row).squeezed(1).split(2, axis: -1)
        return ComplexTensor(try parts[0] * 0.5, try parts[1] * -0.5)
    }
}

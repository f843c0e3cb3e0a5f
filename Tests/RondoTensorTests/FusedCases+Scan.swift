import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/Scan` at odd sizes.
    static func scan(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 23)
        var cases: [FusedCase] = []
        for (batch, time, channels) in [
            (1, 1, 1), (2, 5, 3), (3, 0, 4), (1, 17, 1), (1, 7, 33), (3, 64, 65), (2, 129, 100), (1, 200, 300),
            (18, 1, 40),
            (2, 400, 1),
        ] {
            let shape = Extents(batch: batch, time: time, channels: channels)
            cases += try diagonal(dtype, shape, &generator) + complex(dtype, shape, &generator)
            cases += try maxPlus(dtype, shape, &generator) + spiking(dtype, shape, &generator)
        }
        for (batch, time, gates, width) in [
            (1, 1, 1, 1), (2, 5, 3, 7), (1, 66, 2, 33), (2, 130, 5, 64), (2, 3, 1, 300),
        ] {
            let operation = DiagonalScan(channelsPerGate: width)
            let shape = Extents(batch: batch, time: time, channels: gates * width)
            let gate = try generator.uniform([batch, time, gates], low: -1, high: 1, dtype: dtype)
            let rest = try [shape.sequence, shape.state].map { try generator.normal($0, dtype: dtype) }
            cases.append(shape.fused("diagonalScan of heads", operation, [gate] + rest))
            let constant = try generator.uniform([gates], low: -1, high: 1, dtype: dtype)
            cases.append(shape.fused("diagonalScan of constant heads", operation, [constant] + rest))
        }
        return cases
    }

    private struct Extents {
        var batch: Int
        var time: Int
        var channels: Int
        var sequence: Shape { [batch, time, channels] }
        var state: Shape { [batch, channels] }

        func fused(_ name: String, _ operation: any FusedOperation, _ inputs: [Tensor]) -> FusedCase {
            FusedCase(name: name, operation: operation, inputs: inputs, length: batch * max(time, channels))
        }
    }

    private static func diagonal(_ dtype: DType, _ shape: Extents, _ generator: inout Generator) throws -> [FusedCase] {
        let b = try generator.normal(shape.sequence, dtype: dtype)
        let h0 = try generator.normal(shape.state, dtype: dtype)
        let a = try generator.uniform(shape.sequence, low: -1, high: 1, dtype: dtype)
        let constant = try generator.uniform([shape.channels], low: -1, high: 1, dtype: dtype)
        // Views that the kernel reads as they are, and one that it cannot.
        let timeMajor = try a.transposed(0, 1).contiguous().transposed(0, 1)
        let wide = try Tensor.concatenate([b, a, b], axis: 2)
        let part = try wide.sliced(2, shape.channels..<2 * shape.channels)
        let across = try b.transposed().contiguous().transposed()
        return [
            shape.fused("diagonalScan", DiagonalScan(), [a, b, h0]),
            shape.fused("diagonalScan, constant", DiagonalScan(), [constant, b, h0]),
            shape.fused("diagonalScan of views", DiagonalScan(), [timeMajor, part, h0]),
            shape.fused("diagonalScan of views", DiagonalScan(), [part, across, h0]),
        ]
    }

    private static func complex(_ dtype: DType, _ shape: Extents, _ generator: inout Generator) throws -> [FusedCase] {
        func draw(_ shape: Shape, _ limit: Double) throws -> Tensor {
            try generator.uniform(shape, low: -limit, high: limit, dtype: dtype)
        }
        let rest = try [shape.sequence, shape.sequence, shape.state, shape.state].map { try draw($0, 2) }
        let a = try [draw(shape.sequence, 0.7), draw(shape.sequence, 0.7)]
        let constant = try [draw([shape.channels], 0.7), draw([shape.channels], 0.7)]
        let timeMajor = try a[1].transposed(0, 1).contiguous().transposed(0, 1)
        return [
            shape.fused("complexDiagonalScan", ComplexDiagonalScan(), a + rest),
            shape.fused("complexDiagonalScan, constant", ComplexDiagonalScan(), constant + rest),
            shape.fused("complexDiagonalScan of views", ComplexDiagonalScan(), [a[0], timeMajor] + rest),
        ]
    }

    /// Eighths, which potentials keep exactly for some time, so that kernel and reference meet the same ties.
    private static func spiking(_ dtype: DType, _ shape: Extents, _ generator: inout Generator) throws -> [FusedCase] {
        func eighths(_ shape: Shape) throws -> Tensor {
            try (generator.normal(shape, dtype: dtype) * 12).unary(.floor) * 0.125
        }
        let (x, v) = (try eighths(shape.sequence), try eighths(shape.state))
        let timeMajor = try x.transposed(0, 1).contiguous().transposed(0, 1)
        return [
            (LeakyIntegrateAndFire(), [x, v]), (LeakyIntegrateAndFire(threshold: 0.5, sharpness: 1.5), [timeMajor, v]),
            (LeakyIntegrateAndFire(tau: 1), [x, v]), (LeakyIntegrateAndFire(tau: 4), [x, v]),
        ].map { operation, inputs in
            var fused = shape.fused("leakyIntegrateAndFire", operation, inputs)
            fused.hasSurrogate = true
            return fused
        }
    }

    /// Inputs whose fractions tell the position they come from, so that differences never meet a tie.
    private static func maxPlus(_ dtype: DType, _ shape: Extents, _ generator: inout Generator) throws -> [FusedCase] {
        func halves(_ shape: Shape) throws -> Tensor {
            try (generator.normal(shape, dtype: dtype) * 2).unary(.floor) * 0.5
        }
        let fractions = try (Tensor.range(shape.time).cast(to: dtype) + 1) * 0.0078125
        let position = try (fractions - fractions.unary(.floor)).reshaped([shape.time, 1]) * 0.5
        let (f, i, m0) = (try halves(shape.sequence), try halves(shape.sequence) + position, try halves(shape.state))
        let nothing = try Tensor.full(shape.state, -.infinity, dtype: dtype)
        let constant = try halves([shape.channels])
        var cases = [
            shape.fused("maxPlusScan", MaxPlusScan(), [f, i, m0]),
            shape.fused("maxPlusScan, constant", MaxPlusScan(), [constant, i, m0]),
        ]
        if shape.time > 0 { cases.append(shape.fused("maxPlusScan from nothing", MaxPlusScan(), [f, i, nothing])) }
        return cases
    }
}

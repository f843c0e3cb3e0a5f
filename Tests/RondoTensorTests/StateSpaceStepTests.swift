import RondoTensor
import RondoTestSupport
import Testing

/// Single positions of state spaces against their equations.
@Suite struct StateSpaceStepTests {
    private static func complex(
        _ generator: inout Generator, _ shape: Shape, _ dtype: DType, scale: Double = 0.5
    ) throws -> ComplexTensor {
        ComplexTensor(
            try generator.normal(shape, deviation: scale, dtype: dtype),
            try generator.normal(shape, deviation: scale, dtype: dtype))
    }

    private static func real(_ a: ComplexTensor, _ b: ComplexTensor) throws -> Tensor {
        try (a * b).real.sum([-1], keepingAxes: true)
    }

    /// Batch, channels, states, with b, with p and q, both parts in one tensor.
    @Test(
        arguments: [
            (1, 1, 1, true, false, false), (2, 5, 3, true, true, true), (3, 33, 17, false, false, false),
            (1, 65, 32, true, true, true), (2, 100, 33, false, true, false), (1, 700, 40, true, true, false),
        ], [DType.float32, .float64])
    func diagonalStepsAreTheEquations(
        _ size: (batch: Int, channels: Int, states: Int, hasInput: Bool, hasLowRank: Bool, isJoined: Bool),
        _ dtype: DType
    ) throws {
        var generator = Generator(seed: 3)
        let shape: Shape = [size.channels, size.states]
        let lambda = try Self.complex(&generator, shape, dtype)
        let input = try size.hasInput ? Self.complex(&generator, shape, dtype) : nil
        let readout = try Self.complex(&generator, shape, dtype)
        let write = try Self.complex(&generator, shape, dtype, scale: 0.1)
        let read = try Self.complex(&generator, shape, dtype, scale: 0.1)
        let skip = try generator.normal([size.channels], dtype: dtype)
        let step = try DiagonalSpaceStep(
            lambda: lambda, input: input, readout: readout, lowRank: size.hasLowRank ? (write, read) : nil, skip: skip)
        var s = try Self.complex(&generator, [size.batch] + shape, dtype)
        var states = try size.isJoined ? [Tensor.concatenate([s.real, s.imaginary], axis: -1)] : [s.real, s.imaginary]
        let kept = states
        let saved = try states.map { try $0.copied() }
        let tolerance = Tolerance(dtype, length: 2 * size.states, depth: 8)
        for _ in 0..<4 {
            let u = try generator.normal([size.batch, size.channels], dtype: dtype)
            let column = try u.expanded(at: 2)
            var next = try lambda * s
            next.real = try next.real + (input?.real ?? Tensor.ones([1], dtype: dtype)) * column
            if let input { next.imaginary = try next.imaginary + input.imaginary * column }
            if size.hasLowRank {
                let lost = try Self.real(read, s)
                next = try next - ComplexTensor(write.real * lost, write.imaginary * lost)
            }
            s = next
            let expected = try Self.real(readout, s).squeezed(2) + skip * u
            #expect(try tolerance.mismatch(step(u, states: &states), expected) == nil)
            let parts = try size.isJoined ? states[0].split(2, axis: -1) : states
            #expect(try tolerance.mismatch(parts[0], s.real) == nil)
            #expect(try tolerance.mismatch(parts[1], s.imaginary) == nil)
        }
        for (copy, original) in zip(kept, saved) { #expect(try sameBits(copy, original)) }
    }

    /// A from its parts, and the discretised recurrence by solving for every channel.
    @Test(
        arguments: [(1, 1, 1, 1, 0.5), (2, 5, 3, 2, 1), (3, 33, 17, 1, 0), (1, 300, 33, 3, 0.5)],
        [DType.float32, .float64])
    func semiseparableStepsSolveTheTransform(
        _ size: (batch: Int, channels: Int, states: Int, outputs: Int, alpha: Double), _ dtype: DType
    ) throws {
        var generator = Generator(seed: 4)
        func vector() throws -> Tensor { try generator.uniform([size.states], low: 0.2, high: 1, dtype: dtype) }
        let parts = SemiseparableSpaceStep.Dynamics(
            diagonal: try vector(), left: try vector(), right: try vector(), input: try vector())
        let steps = try generator.uniform([size.channels], low: 0.01, high: 0.1, dtype: dtype)
        let readout = try generator.normal([size.channels, size.outputs, size.states], dtype: dtype)
        let skip = try generator.normal([size.channels, size.outputs], dtype: dtype)
        let step = try SemiseparableSpaceStep(parts, alpha: size.alpha, step: steps, readout: readout, skip: skip)

        let index = try Tensor.range(size.states, dtype: dtype)
        let below = try index.expanded(at: 1).greater(than: index.expanded(at: 0))
        let identity = try Tensor.identity(size.states, dtype: dtype)
        let a = try -(identity * parts.diagonal + below * parts.left.expanded(at: 1) * parts.right)
        let scaled = try steps.reshaped([-1, 1, 1]) * a
        let inverse = try MatrixInverse()([identity - scaled * size.alpha])[0]
        let matrix = try inverse.matmul(identity + scaled * (1 - size.alpha))
        let entry = try inverse.matmul(steps.reshaped([-1, 1, 1]) * parts.input.expanded(at: 1)).squeezed(2)

        var state = try generator.normal([size.batch, size.channels, size.states], dtype: dtype)
        var expected = state
        let (kept, saved) = (state, try state.copied())
        let tolerance = Tolerance(dtype, length: size.states, depth: 16)
        for _ in 0..<4 {
            let u = try generator.normal([size.batch, size.channels], dtype: dtype)
            expected = try (matrix * expected.expanded(at: 2)).sum([-1]) + entry * u.expanded(at: 2)
            let y = try (readout * expected.expanded(at: 2)).sum([-1]) + skip * u.expanded(at: 2)
            #expect(try tolerance.mismatch(step(u, state: &state), y) == nil)
            #expect(try tolerance.mismatch(state, expected) == nil)
        }
        #expect(try sameBits(kept, saved))
    }

    @Test func wrongShapesAreRefused() throws {
        let (one, two) = (try Tensor.ones([3, 2]), try Tensor.ones([3]))
        let numbers = ComplexTensor(one, one)
        #expect(throws: RondoError.self) {
            try DiagonalSpaceStep(lambda: numbers, input: nil, readout: numbers, skip: Tensor.ones([2]))
        }
        let step = try DiagonalSpaceStep(lambda: numbers, input: nil, readout: numbers, skip: two)
        var states = [try Tensor.ones([1, 3, 2])]
        #expect(throws: RondoError.self) { try step(Tensor.ones([1, 3]), states: &states) }
        #expect(throws: RondoError.self) {
            try SemiseparableSpaceStep(
                .init(diagonal: two, left: two, right: two, input: two), alpha: 0.5, step: two, readout: one, skip: two)
        }
    }
}

/// What streaming keeps of the past.
@Suite struct StreamingMemoryTests {
    @Test(arguments: [1, 3]) func appendedEntriesFollow(_ batch: Int) throws {
        var generator = Generator(seed: 5)
        let all = try generator.normal([batch, 60, 2, 3])
        var grown = try all.sliced(1, 0..<2)
        for time in stride(from: 2, to: 60, by: 2) {
            let before = grown
            try grown.append(all.sliced(1, time..<time + 2))
            #expect(try sameBits(before, all.sliced(1, 0..<time)))
            #expect(try sameBits(grown, all.sliced(1, 0..<time + 2)))
        }
    }

    @Test(arguments: [1, 3]) func forksGrowApart(_ batch: Int) throws {
        var first = try Tensor.zeros([batch, 0, 2])
        try first.append(Tensor.ones([batch, 1, 2]))
        var second = first
        try first.append(Tensor.full([batch, 1, 2], 2))
        try second.append(Tensor.full([batch, 1, 2], 3))
        #expect(try first.sliced(1, 1..<2).array(of: Float.self) == Array(repeating: 2, count: 2 * batch))
        #expect(try second.sliced(1, 1..<2).array(of: Float.self) == Array(repeating: 3, count: 2 * batch))
    }

    @Test(arguments: [1, 2]) func aWindowKeepsItsMemory(_ batch: Int) throws {
        var generator = Generator(seed: 6)
        let all = try generator.normal([batch, 200, 4])
        var window = try all.sliced(1, 0..<7).copied()
        var addresses: Set<UInt> = []
        for time in 7..<200 {
            try window.append(all.sliced(1, time..<time + 1))
            window = try window.sliced(1, 1..<8)
            #expect(try sameBits(window, all.sliced(1, time - 6..<time + 1)))
            addresses.insert(UInt(bitPattern: window.storage.pointer))
        }
        #expect(addresses.count == 1)
    }

    @Test func appendingRefusesOtherShapes() throws {
        var rows = try Tensor.zeros([2, 3, 4])
        #expect(throws: RondoError.self) { try rows.append(Tensor.zeros([2, 1, 5])) }
        #expect(throws: RondoError.self) { try rows.append(Tensor.zeros([1, 1, 4])) }
        #expect(throws: RondoError.self) { try rows.append(Tensor.zeros([2, 1, 4], dtype: .float64)) }
    }

    @Test(arguments: [(1, 1, 1), (2, 5, 4), (3, 70, 2)], [true, false])
    func convolutionStepsEqualTheSequence(_ size: (batch: Int, channels: Int, width: Int), _ hasBias: Bool) throws {
        var generator = Generator(seed: 7)
        let x = try generator.normal([size.batch, 9, size.channels])
        let weight = try generator.normal([size.channels, size.width])
        let bias = try hasBias ? generator.normal([size.channels]) : nil
        var history = try generator.normal([size.batch, size.width - 1, size.channels])
        let expected = try CausalConvolution()([x, weight, history] + (bias.map { [$0] } ?? []))
        let (kept, saved) = (history, try history.copied())
        let step = try CausalConvolutionStep(weight: weight, bias: bias)
        var y = Tensor.empty
        for time in 0..<9 {
            try step(x.selecting(1, time), history: &history, into: &y)
            #expect(try Tolerance(.float32, length: size.width).mismatch(y, expected[0].selecting(1, time)) == nil)
        }
        #expect(try sameBits(history, expected[1]))
        #expect(try sameBits(kept, saved))
    }
}

import RondoTensor
import RondoTestSupport
import Testing

/// Single positions of state-space duality against their equations.
@Suite struct StateSpaceDualStepTests {
    typealias Size = (batch: Int, heads: Int, groups: Int, states: Int, width: Int, isGated: Bool)

    @Test(
        arguments: [
            (1, 1, 1, 1, 1, false), (2, 6, 2, 5, 3, true), (3, 4, 4, 17, 33, true), (1, 24, 1, 128, 64, true),
        ], [DType.float32, .float64])
    func stepsAreTheEquations(_ size: Size, _ dtype: DType) throws { try Self.check(size, dtype) }

    /// In a process of its own, because the instruction set belongs to the process.
    @Test(arguments: Runtime.InstructionSet.allCases)
    func everyInstructionSetAgrees(_ set: Runtime.InstructionSet) async {
        guard Runtime.InstructionSet.available.contains(set) else { return }
        await #expect(processExitsWith: .success) { [name = set.rawValue as String] in
            try Runtime.useInstructionSet(#require(Runtime.InstructionSet(rawValue: name)))
            for dtype in [DType.float32, .float64] { try StateSpaceDualStepTests.check((2, 6, 2, 5, 19, true), dtype) }
        }
    }

    private static func check(_ size: Size, _ dtype: DType) throws {
        var generator = Generator(seed: 8)
        let (inner, shared) = (size.heads * size.width, size.groups * size.states)
        let a = try -generator.uniform([size.heads], low: 0.5, high: 4, dtype: dtype)
        let d = try generator.normal([size.heads], dtype: dtype)
        let offsets = try generator.normal([size.heads], dtype: dtype)
        var step = try StateSpaceDualStep(
            a: a, d: d, timeStepBias: offsets, timeStepLimits: 0.2...1.5, groups: size.groups, stateSize: size.states,
            headSize: size.width, batch: size.batch)
        var state = try generator.normal([size.batch, size.heads, size.states, size.width], dtype: dtype)
        var expected = state
        let (kept, saved) = (state, try state.copied())
        let tolerance = Tolerance(dtype, length: size.states, depth: 8)
        for _ in 0..<4 {
            // All in one row, as a layer's input map gives them.
            let row = try generator.normal([size.batch, 2 * inner + 2 * shared + size.heads], dtype: dtype)
            func part(_ start: Int, _ count: Int) throws -> Tensor { try row.sliced(1, start..<start + count) }
            func heads(_ x: Tensor) throws -> Tensor { try x.reshaped([size.batch, size.heads, 1, size.width]) }
            let (z, x) = (try part(0, inner), try part(inner, inner))
            let (b, c) = (try part(2 * inner, shared), try part(2 * inner + shared, shared))
            let dt = try part(2 * inner + 2 * shared, size.heads)
            try step(x: x, dt: dt, b: b, c: c, gate: size.isGated ? z : nil, state: &state)

            let delta = try (dt + offsets).softplus().clamped(0.2, 1.5).reshaped([size.batch, size.heads, 1, 1])
            func column(_ vector: Tensor) throws -> Tensor {
                try vector.reshaped([size.batch, size.groups, 1, size.states, 1])
                    .broadcast(to: [size.batch, size.groups, size.heads / size.groups, size.states, 1])
                    .reshaped([size.batch, size.heads, size.states, 1])
            }
            let decay = try (delta * a.reshaped([1, -1, 1, 1])).exp()
            expected = try decay * expected + column(b) * (delta * heads(x))
            let read = try (column(c) * expected).sum([2], keepingAxes: true) + d.reshaped([1, -1, 1, 1]) * heads(x)
            let y = try read.reshaped([size.batch, inner])
            #expect(try tolerance.mismatch(step.output, size.isGated ? y * z.silu() : y) == nil)
            #expect(try tolerance.mismatch(state, expected) == nil)
        }
        #expect(try sameBits(kept, saved))
    }

    @Test func wrongShapesAreRefused() throws {
        let (three, two) = (try Tensor.ones([3]), try Tensor.ones([2]))
        func make(_ d: Tensor, groups: Int) throws -> StateSpaceDualStep {
            try StateSpaceDualStep(
                a: -three, d: d, timeStepBias: three, groups: groups, stateSize: 2, headSize: 2, batch: 1)
        }
        #expect(throws: RondoError.self) { try make(two, groups: 1) }
        #expect(throws: RondoError.self) { try make(three, groups: 2) }
        var (step, state) = (try make(three, groups: 1), try Tensor.zeros([1, 3, 2, 2]))
        let (x, dt, shared) = (try Tensor.ones([1, 6]), try Tensor.ones([1, 3]), try Tensor.ones([1, 2]))
        try step(x: x, dt: dt, b: shared, c: shared, state: &state)
        #expect(throws: RondoError.self) { try step(x: x, dt: dt, b: shared, c: dt, state: &state) }
        #expect(throws: RondoError.self) { try step(x: dt, dt: dt, b: shared, c: shared, state: &state) }
        #expect(throws: RondoError.self) {
            try step(x: x, dt: dt, b: shared, c: shared, gate: Tensor.ones([1, 6], dtype: .float64), state: &state)
        }
    }
}

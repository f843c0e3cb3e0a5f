import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct RecurrentStepperTests {
    init() { poisonFreshMemory() }

    /// A stack of odd sizes with random extras, so that no parameter is left at a neutral value.
    private func stack(_ cell: RecurrentCell, heads: Int, dtype: DType, zoneout: Double = 0) throws -> RecurrentStack {
        var generator = Generator(seed: 5)
        let configuration = RecurrentConfiguration(
            cell: cell, inputSize: 7, hiddenSize: 33, layers: 2, heads: heads, zoneout: zoneout)
        var stack = try RecurrentStack(configuration, dtype: dtype, using: &generator)
        try stack.forEachParameter { _, parameter in
            parameter = try parameter + generator.normal(parameter.shape, deviation: 0.1, dtype: dtype)
        }
        return stack
    }

    @Test(arguments: RecurrentCell.allCases, [1, 3])
    func stepsEqualOneChunk(cell: RecurrentCell, heads: Int) throws {
        for (dtype, tolerance) in [(DType.float32, 2e-5), (.float64, 1e-12)] {
            let stack = try stack(cell, heads: heads, dtype: dtype, zoneout: 0.2)
            var generator = Generator(seed: 6)
            let x = try generator.normal([3, 9, 7], dtype: dtype)
            let start = try stack.initialState(batch: 3)
            let chunk = try stack(x, state: start)
            #expect(try chunk.output.isFinite(), "chunk of \(cell)")
            var stepper = try RecurrentStepper(stack, batch: 3)
            var state = start
            for t in 0..<9 {
                try stepper(x.selecting(1, t), state: &state)
                let output = try #require(state.layers.last?.first)
                let difference = try (output - chunk.output.selecting(1, t)).abs().max().scalar()
                #expect(difference <= tolerance, "\(cell) at \(t)")
            }
            for (mine, whole) in zip(state.named.tensors, chunk.state.named.tensors) {
                #expect(try (mine - whole).abs().max().scalar() <= tolerance * 10)
            }
        }
    }

    @Test func copiesContinueOnTheirOwn() throws {
        let stack = try stack(.lstm, heads: 1, dtype: .float32)
        var generator = Generator(seed: 8)
        let (x, other) = (try generator.normal([1, 7]), try generator.normal([1, 7]))
        var stepper = try RecurrentStepper(stack, batch: 1)
        var state = try stack.initialState(batch: 1)
        try stepper(x, state: &state)
        let kept = try state.named.tensors.map { try $0.array(of: Float.self) }
        var (fork, forkState) = (stepper, state)
        try fork(other, state: &forkState)
        #expect(try state.named.tensors.map { try $0.array(of: Float.self) } == kept)
        try stepper(other, state: &state)
        let ours = try state.named.tensors.map { try $0.array(of: Float.self) }
        #expect(try forkState.named.tensors.map { try $0.array(of: Float.self) } == ours)
    }

    @Test func bidirectionalStacksCannotStream() throws {
        var generator = Generator(seed: 1)
        let both = try RecurrentStack(
            RecurrentConfiguration(inputSize: 3, hiddenSize: 3, bidirectional: true), using: &generator)
        let error = #expect(throws: RondoError.self) { try RecurrentStepper(both, batch: 1) }
        #expect(error?.message.contains("bidirectional") == true)
    }
}

import RondoTensor
import RondoTestSupport
import Testing

/// The selective scan beyond what every fused operation is tested for.
@Suite struct SelectiveScanTests {
    private static func inputs(_ batch: Int, _ time: Int, _ channels: Int, _ states: Int) throws -> [Tensor] {
        var generator = Generator(seed: 29)
        func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape)) }
        return [
            try draw(batch, time, channels), try (draw(batch, time, channels) - 2).softplus(),
            try -draw(channels, states).exp(), try draw(batch, time, states), try draw(batch, time, states),
            try draw(channels), try draw(batch, channels, states),
        ]
    }

    private static func part(_ inputs: [Tensor], _ range: Range<Int>, _ state: Tensor) throws -> [Tensor] {
        try inputs.enumerated().map { index, input in
            index == 6 ? state : [0, 1, 3, 4].contains(index) ? try input.sliced(1, range) : input
        }
    }

    @Test(arguments: [(1, 33, 16), (3, 100, 5), (2, 17, 1)], [false, true])
    func stepsEqualTheSequence(_ shape: (batch: Int, channels: Int, states: Int), isSymmetric: Bool) throws {
        let (batch, channels, states) = shape
        let inputs = try Self.inputs(batch, 40, channels, states)
        let expected = try SelectiveScan(isSymmetric: isSymmetric)(inputs)
        var step = try SelectiveScanStep(a: inputs[2], d: inputs[5], batch: batch, isSymmetric: isSymmetric)
        var state = try inputs[6].copied()
        for t in 0..<40 {
            let now = try [0, 1, 3, 4].map { try inputs[$0].selecting(1, t) }
            try step(x: now[0], dt: now[1], b: now[2], c: now[3], state: &state)
            let y = try expected[0].selecting(1, t)
            #expect(try Tolerance(.float32, length: states, depth: 40).mismatch(step.output, y) == nil)
        }
        #expect(try Tolerance(.float32, depth: 40).mismatch(state, expected[1]) == nil)
    }

    /// The softplus of dt, a gate, and operands that are slices of wider rows.
    @Test(arguments: [(1, 33, 16), (3, 100, 5), (2, 17, 1)])
    func stepsFuseWhatStandsAround(_ shape: (batch: Int, channels: Int, states: Int)) throws {
        let (batch, channels, states) = shape
        let inputs = try Self.inputs(batch, 1, channels, states).map {
            $0.rank == 3 && $0.shape[1] == 1 ? try $0.squeezed(1) : $0
        }
        var generator = Generator(seed: 30)
        let wide = try generator.normal([batch, 3 * channels + 1])
        let (raw, gate) = try (wide.sliced(1, 0..<channels), wide.sliced(1, channels + 1..<2 * channels + 1))
        let a = inputs[2]
        var plain = try SelectiveScanStep(a: a, d: inputs[5], batch: batch)
        var fused = try SelectiveScanStep(a: a, d: inputs[5], batch: batch, appliesSoftplus: true)
        var (first, second) = (try inputs[6].copied(), try inputs[6].copied())
        try plain(x: inputs[0], dt: raw.softplus(), b: inputs[3], c: inputs[4], state: &first)
        try fused(x: inputs[0], dt: raw, b: inputs[3], c: inputs[4], gate: gate, state: &second)
        #expect(try Tolerance(.float32).mismatch(fused.output, plain.output * gate.silu()) == nil)
        #expect(try Tolerance(.float32).mismatch(second, first) == nil)
        #expect(throws: RondoError.self) {
            try fused(x: inputs[0], dt: raw, b: inputs[3], c: inputs[4], gate: wide, state: &second)
        }
    }

    @Test(arguments: [0, 1, 31, 32, 33, 64, 70])
    func theSequenceMayBeCutAnywhere(_ cut: Int) throws {
        let inputs = try Self.inputs(2, 70, 19, 6)
        let whole = try SelectiveScan()(inputs)
        let first = try SelectiveScan()(Self.part(inputs, 0..<cut, inputs[6]))
        let second = try SelectiveScan()(Self.part(inputs, cut..<70, first[1]))
        let y = try Tensor.concatenate([first[0], second[0]], axis: 1)
        #expect(try Tolerance(.float32, length: 6, depth: 70).mismatch(y, whole[0]) == nil)
        #expect(try Tolerance(.float32, depth: 70).mismatch(second[1], whole[1]) == nil)
    }

    @Test func extremeStepsStayFinite() throws {
        var inputs = try Self.inputs(1, 50, 5, 3)
        let large = try inputs[1] * 1e6
        inputs[1] = large
        let (outputs, pullback) = try valuesAndPullback(of: inputs) { try SelectiveScan()($0) }
        let gradients = try pullback(outputs.map { try Tensor.ones($0.shape) })
        for result in outputs + gradients { #expect(try result.isFinite()) }
        // A step of 0 leaves the state exactly as it is.
        inputs[1] = try Tensor.zeros(large.shape)
        let still = try SelectiveScan()(inputs)
        #expect(try still[1].array(of: Float.self) == inputs[6].array(of: Float.self))
    }

    @Test func errorsNameTheShapes() throws {
        var inputs = try Self.inputs(1, 4, 5, 3)
        inputs[5] = try Tensor.zeros([4])
        #expect(throws: RondoError.self) { try SelectiveScan()(inputs) }
        #expect(throws: RondoError.self) { try SelectiveScanStep(a: inputs[2], d: inputs[5], batch: 1) }
    }
}

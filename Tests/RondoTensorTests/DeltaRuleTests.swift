import RondoTensor
import RondoTestSupport
import Testing

/// What must hold for states of the delta rule over long or divided sequences.
@Suite struct DeltaRuleTests {
    /// Operands by name, in the order of the operation's inputs except for the state.
    struct Sequence {
        var form: DeltaRule.Form
        var inputs: [Tensor]
        var state: Tensor

        init(_ form: DeltaRule.Form, _ batch: Int, _ time: Int, _ heads: Int, _ keys: Int, _ values: Int) throws {
            var generator = Generator(seed: 3)
            func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape)) }
            let scale = 1 / Double(keys).squareRoot()
            let q = try draw(batch, time, heads, keys)
            let k = try draw(batch, time, heads, keys) * scale
            let v = try draw(batch, time, heads, values)
            self.form = form
            switch form {
            case .delta:
                let decay = try -draw(batch, time, heads).square()
                inputs = [q, k, v, try draw(batch, time, heads).sigmoid(), decay]
            case .general:
                let (a, b) = (try draw(batch, time, heads, keys) * scale, try draw(batch, time, heads, keys) * scale)
                inputs = [q, k, v, a, b, try -draw(batch, time, heads, keys).square()]
            }
            state = try draw(batch, heads, keys, values)
        }

        func run(_ inputs: [Tensor], _ state: Tensor) throws -> (output: Tensor, state: Tensor) {
            switch form {
            case .delta:
                try DeltaRule.delta(
                    q: inputs[0], k: inputs[1], v: inputs[2], beta: inputs[3], logDecay: inputs[4], state: state)
            case .general:
                try DeltaRule.general(
                    q: inputs[0], k: inputs[1], v: inputs[2], a: inputs[3], b: inputs[4], logDecay: inputs[5],
                    state: state)
            }
        }

        func step(_ t: Int, _ state: inout Tensor) throws -> Tensor {
            let x = try inputs.map { try $0.selecting(1, t) }
            switch form {
            case .delta:
                return try DeltaRule.deltaStep(q: x[0], k: x[1], v: x[2], beta: x[3], logDecay: x[4], state: &state)
            case .general:
                return try DeltaRule.generalStep(
                    q: x[0], k: x[1], v: x[2], a: x[3], b: x[4], logDecay: x[5], state: &state)
            }
        }
    }

    @Test(arguments: DeltaRule.Form.allCases, [20, 140]) func dividedSequencesGiveTheSame(
        _ form: DeltaRule.Form, _ keys: Int
    ) throws {
        let sequence = try Sequence(form, 2, 150, 2, keys, 20)
        let (output, state) = try sequence.run(sequence.inputs, sequence.state)
        let tolerance = Tolerance(.float32, length: 150 * keys, depth: 4)
        for cut in [1, 31, 64, 149] {
            let first = try sequence.run(sequence.inputs.map { try $0.sliced(1, 0..<cut) }, sequence.state)
            let second = try sequence.run(sequence.inputs.map { try $0.sliced(1, cut..<150) }, first.state)
            #expect(try tolerance.mismatch(second.state, state) == nil)
            let joined = try Tensor.concatenate([first.output, second.output], axis: 1)
            #expect(try tolerance.mismatch(joined, output) == nil)
        }
    }

    @Test(arguments: DeltaRule.Form.allCases, [16, 19]) func stepsEqualTheSequence(
        _ form: DeltaRule.Form, _ values: Int
    ) throws {
        let sequence = try Sequence(form, 2, 20, 3, 10, values)
        let expected = try sequence.run(sequence.inputs, sequence.state)
        var state = try sequence.state.copied()
        let address = try state.mutateInPlace { UInt(bitPattern: $0.baseAddress) }
        let outputs = try (0..<20).map { try sequence.step($0, &state) }
        let tolerance = Tolerance(.float32, length: 200, depth: 4)
        #expect(try tolerance.mismatch(Tensor.stack(outputs, axis: 1), expected.output) == nil)
        #expect(try tolerance.mismatch(state, expected.state) == nil)
        #expect(try state.mutateInPlace { UInt(bitPattern: $0.baseAddress) } == address)
    }

    /// With β = 2 and keys of norm 1 every transition is a reflection: the state keeps its norm.
    @Test func reflectionsKeepTheNorm() throws {
        var generator = Generator(seed: 4)
        let (time, width) = (100_000, 8)
        let drawn = try generator.normal([1, time, 1, width])
        let k = try drawn / drawn.square().sum([3], keepingAxes: true).sqrt()
        let state = try generator.normal([1, 1, width, width])
        let v = try Tensor.zeros([1, time, 1, width])
        let inputs = [k, k, v, try Tensor.full([1, time, 1], 2), state]
        let (outputs, pullback) = try valuesAndPullback(of: inputs) { try DeltaRule(.delta)($0) }
        let ratio = try outputs[1].square().sum().scalar() / state.square().sum().scalar()
        #expect(abs(ratio - 1) < 1e-2)
        let gradients = try pullback([Tensor.ones(outputs[0].shape), Tensor.ones(state.shape)])
        for result in outputs + gradients { #expect(try result.array(of: Float.self).allSatisfy(\.isFinite)) }
    }

    @Test(arguments: DeltaRule.Form.allCases, [-1e4, -Double.infinity]) func resetsForgetEverything(
        _ form: DeltaRule.Form, _ logDecay: Double
    ) throws {
        var sequence = try Sequence(form, 1, 90, 1, 12, 7)
        let last = sequence.inputs.count - 1
        let decay = sequence.inputs[last]
        let reset = try Tensor.full(decay.selecting(1, 0).expanded(at: 1).shape, logDecay)
        sequence.inputs[last] = try Tensor.concatenate(
            [decay.sliced(1, 0..<70), reset, decay.sliced(1, 71..<90)], axis: 1)
        let all = form == .delta ? sequence.inputs.prefix(4) + [sequence.state] + sequence.inputs.suffix(1) : []
        let inputs = form == .delta ? Array(all) : sequence.inputs + [sequence.state]
        let (outputs, pullback) = try valuesAndPullback(of: inputs) { try DeltaRule(form)($0) }
        for result in outputs { #expect(try result.array(of: Float.self).allSatisfy(\.isFinite)) }
        let gradients = try pullback([Tensor.zeros(outputs[0].shape), Tensor.ones(outputs[1].shape)])
        for gradient in gradients { #expect(try gradient.array(of: Float.self).allSatisfy(\.isFinite)) }
        if form == .delta {
            // e^g also multiplies what the key reads: nothing at all is left of the state.
            #expect(try gradients[4].array(of: Float.self).allSatisfy { $0 == 0 })
            let rest = try sequence.run(
                sequence.inputs.map { try $0.sliced(1, 70..<90) }, Tensor.zeros(sequence.state.shape))
            #expect(try Tolerance(.float32, length: 200, depth: 4).mismatch(rest.state, outputs[1]) == nil)
        }
    }

    @Test func wrongOperandsAreRefused() throws {
        let sequence = try Sequence(.delta, 1, 3, 2, 4, 5)
        var inputs = sequence.inputs
        inputs[3] = try Tensor.ones([1, 3, 4])
        #expect(throws: RondoError.self) { try sequence.run(inputs, sequence.state) }
        #expect(throws: RondoError.self) { try sequence.run(sequence.inputs, sequence.state.transposed()) }
        #expect(throws: RondoError.self) { try DeltaRule(.general)(sequence.inputs) }
        var state = try sequence.state.cast(to: .float64)
        #expect(throws: RondoError.self) { try sequence.step(0, &state) }
    }
}

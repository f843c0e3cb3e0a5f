import RondoTensor
import RondoTestSupport
import Testing

/// Linear attention beyond what every fused operation is tested for: streaming, splitting, long sequences.
@Suite struct LinearAttentionTests {
    init() { poisonFreshMemory() }

    static let kinds: [(decay: LinearAttention.Decay, hasBonus: Bool)] = [
        (.none, false), (.scalar, false), (.vector, false), (.vector, true),
    ]

    /// q, k, v, state, then g and u as the kind wants: two sequences, four heads in two groups.
    static func inputs(
        _ decay: LinearAttention.Decay, _ hasBonus: Bool, time: Int, _ dtype: DType = .float64
    ) throws -> [Tensor] {
        var generator = Generator(seed: 31)
        var inputs = [
            try generator.normal([2, time, 2, 5], dtype: dtype), try generator.normal([2, time, 2, 5], dtype: dtype),
            try generator.normal([2, time, 4, 37], dtype: dtype), try generator.normal([2, 4, 5, 37], dtype: dtype),
        ]
        if decay != .none {
            let shape: Shape = decay == .scalar ? [2, time, 4] : [2, time, 2, 5]
            inputs.append(try generator.normal(shape, dtype: dtype).logSigmoid())
        }
        if hasBonus { inputs.append(try generator.normal([4, 5], dtype: dtype)) }
        return inputs
    }

    @Test(arguments: kinds) func stepsEqualTheWhole(_ kind: (decay: LinearAttention.Decay, hasBonus: Bool)) throws {
        let operation = LinearAttention(decay: kind.decay, hasBonus: kind.hasBonus)
        let inputs = try Self.inputs(kind.decay, kind.hasBonus, time: 70)
        let expected = try operation(inputs)
        var state = inputs[3]
        let outputs = try (0..<70).map { t in
            func at(_ index: Int) throws -> Tensor { try inputs[index].selecting(1, t) }
            return try operation.step(
                q: at(0), k: at(1), v: at(2), g: kind.decay == .none ? nil : at(4),
                bonus: kind.hasBonus ? inputs[5] : nil,
                state: &state)
        }
        let tolerance = Tolerance(.float64, length: 70 * 5, depth: 8)
        #expect(try tolerance.mismatch(Tensor.stack(outputs, axis: 1), expected[0]) == nil)
        #expect(try tolerance.mismatch(state, expected[1]) == nil)
        // The state that the caller still holds is as it was.
        #expect(try operation(inputs)[0].array(of: Double.self) == expected[0].array(of: Double.self))
    }

    @Test(arguments: kinds) func splittingDoesNotShow(_ kind: (decay: LinearAttention.Decay, hasBonus: Bool)) throws {
        let operation = LinearAttention(decay: kind.decay, hasBonus: kind.hasBonus, keepsIntermediates: false)
        let inputs = try Self.inputs(kind.decay, kind.hasBonus, time: 150)
        let expected = try operation(inputs)
        let tolerance = Tolerance(.float64, length: 150 * 5, depth: 8)
        for position in [1, 17, 64, 65, 149] {
            func part(_ range: Range<Int>, _ state: Tensor) throws -> [Tensor] {
                try operation(
                    inputs.enumerated().map { index, input in
                        index == 3 ? state : index == 5 ? input : try input.sliced(1, range)
                    })
            }
            let first = try part(0..<position, inputs[3])
            let second = try part(position..<150, first[1])
            let output = try Tensor.concatenate([first[0], second[0]], axis: 1)
            #expect(try tolerance.mismatch(output, expected[0]) == nil, "split at \(position)")
            #expect(try tolerance.mismatch(second[1], expected[1]) == nil, "split at \(position)")
        }
    }

    /// Small decays after a reset keep their digits, in float32 too.
    @Test(arguments: [LinearAttention.Decay.scalar, .vector])
    func resetsCostNoPrecision(_ decay: LinearAttention.Decay) throws {
        let time = 100
        var wide = try Self.inputs(decay, false, time: time)
        let position = try Tensor.range(time, dtype: .float64).reshaped([1, time, 1] + (decay == .vector ? [1] : []))
        let isReset = try position.equal(to: Tensor(37, dtype: .float64))
        wide[4] = try wide[4] * 0.01 - isReset * 10_000
        let narrow = try wide.map { try $0.cast(to: .float32) }
        let operation = LinearAttention(decay: decay)
        let tolerance = Tolerance(.float32, length: time, depth: 4)
        for (value, expected) in zip(try operation(narrow), try operation(wide, mode: .reference)) {
            #expect(try tolerance.mismatch(value, expected) == nil)
        }
    }

    @Test(arguments: [LinearAttention.Decay.scalar, .vector])
    func longSequencesStayFinite(_ decay: LinearAttention.Decay) throws {
        let time = 100_000
        var generator = Generator(seed: 7)
        let shape: Shape = [1, time, 1, 4]
        for scale in [0, -0.001, -10_000] {
            let g = try Tensor.full(decay == .scalar ? [1, time, 1] : shape, scale)
            let inputs = [
                try generator.normal(shape), try generator.normal(shape), try generator.normal(shape),
                try Tensor.zeros([1, 1, 4, 4]), g,
            ]
            let operation = LinearAttention(decay: decay)
            let (outputs, pullback) = try valuesAndPullback(of: inputs) { try operation($0) }
            let gradients = try pullback(outputs.map { try Tensor.ones($0.shape) })
            for tensor in outputs + gradients {
                #expect(try tensor.abs().sum().scalar().isFinite, "\(decay), g = \(scale)")
            }
        }
    }

    @Test func viewsAreReadInPlace() throws {
        let inputs = try Self.inputs(.scalar, false, time: 33)
        // Head-major memory seen time-major.
        let views = try inputs.enumerated().map { index, input in
            index == 3 ? input : try input.transposed(1, 2).contiguous().transposed(1, 2)
        }
        let operation = LinearAttention(decay: .scalar)
        for (a, b) in zip(try operation(inputs), try operation(views)) { #expect(try sameBits(a, b)) }
    }

    @Test func wrongOperandsAreRefused() throws {
        let inputs = try Self.inputs(.scalar, false, time: 3)
        let bonus = try rondoError { _ = try LinearAttention(decay: .scalar, hasBonus: true)(inputs) }
        #expect(bonus.code == .invalidArgument)
        let count = try rondoError { _ = try LinearAttention(decay: .none)(inputs) }
        #expect(count.code == .shapeMismatch)
        let shape = try rondoError { _ = try LinearAttention(decay: .vector)(inputs) }
        #expect(shape.code == .shapeMismatch && shape.message.contains("[batch, time, G, K]"))
        var mixed = inputs
        mixed[4] = try mixed[4].cast(to: .float32)
        let type = try rondoError { _ = try LinearAttention(decay: .scalar)(mixed) }
        #expect(type.code == .dtypeMismatch)
    }
}

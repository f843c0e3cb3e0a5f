import RondoMixers
import RondoNN
import RondoTensor

extension Subject {
    /// All that derivatives flow to: input, parameters, initial state.
    private var operands: [Tensor] { [x] + mixer.parameters.tensors + begun.named.tensors }

    private var operandNames: [String] {
        ["the input"] + mixer.parameters.paths.map { "parameter '\($0)'" } + begun.names.map { "initial state '\($0)'" }
    }

    /// One number from outputs and final state, by fixed random weights.
    private func objective(
        _ operands: [Tensor], _ form: (Mixer, Tensor, inout MixerState) throws -> Tensor
    ) throws -> Tensor {
        let parameterCount = mixer.parameters.tensors.count
        let tracked = mixer.replacingParameters(Array(operands[1..<1 + parameterCount]))
        var state = try begun.replacingTensors(Array(operands[(1 + parameterCount)...]))
        let y = try form(tracked, operands[0], &state)
        var generator = Generator(seed: 99)
        var total = try Tensor(0, dtype: dtype)
        for tensor in [y] + state.named.tensors {
            total = try total + (tensor * generator.normal(tensor.shape, dtype: dtype)).sum()
        }
        return total
    }

    func gradients(_ findings: inout Findings) throws {
        let forms: [(String, (Mixer, Tensor, inout MixerState) throws -> Tensor)] = [
            ("chunk", { try $0.chunk($1, state: &$2) }),
            (
                "chunk in two",
                { mixer, x, state in
                    let first = try mixer.chunk(x.sliced(1, 0..<7), state: &state)
                    let second = try mixer.chunk(x.sliced(1, 7..<x.shape[1]), state: &state)
                    return try Tensor.concatenate([first, second], axis: 1)
                }
            ),
        ]
        let (_, expected) = try valueAndGradient(of: operands) {
            try objective($0) { try $0.reference($1, state: &$2) }
        }
        for (name, form) in forms {
            let (_, actual) = try valueAndGradient(of: operands) { try objective($0, form) }
            for (operand, (a, b)) in zip(operandNames, zip(actual, expected)) {
                try findings.compare(a, b, length: length, scale: 4, "\(name): derivative of \(operand)")
            }
        }
        // Surrogates are not what differences give; the equations, as recorded, define them.
        if dtype == .float64, !mixer.hasThresholds { try compareWithDifferences(expected, &findings) }
    }

    /// Along random directions, operand by operand.
    ///
    /// A step may cross a kink of a mixer that is not smooth, so shorter steps along other directions get a chance; a
    /// wrong derivative fails along all of them.
    private func compareWithDifferences(_ gradients: [Tensor], _ findings: inout Findings) throws {
        var generator = Generator(seed: 5)
        for (target, name) in operandNames.enumerated() where gradients[target].count > 0 {
            var failure: String?
            for step in [1e-5, 1e-6, 1e-6, 1e-7] {
                let direction = try generator.normal(gradients[target].shape, dtype: dtype)
                failure = try difference(from: gradients[target], of: target, along: direction, step: step)
                if failure == nil { break }
            }
            if let failure { findings.fail("derivative of \(name): \(failure)") }
        }
    }

    /// Says how a derivative misses the differences along a direction, or `nil` if it does not.
    private func difference(
        from gradient: Tensor, of target: Int, along direction: Tensor, step: Double
    ) throws -> String? {
        func value(_ shift: Double) throws -> Double {
            var moved = operands
            moved[target] = try moved[target] + direction * shift
            return try objective(moved) { try $0.chunk($1, state: &$2) }.scalar()
        }
        let difference = try (8 * (value(step) - value(-step)) - (value(2 * step) - value(-2 * step))) / (12 * step)
        let slope = try (gradient * direction).sum().scalar()
        // Rounding of the objective, about 1e-15 of its terms, is divided by the step.
        let limit = (1e-6 + 1e-12 / step) * max(1, abs(slope))
        return abs(difference - slope) <= limit ? nil : "\(slope) along a direction, differences give \(difference)"
    }
}

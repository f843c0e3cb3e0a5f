import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

@Suite struct TruncatedBackpropagationTests {
    private let length = 7
    private let units = 3
    private let inputs = 2

    /// A tiny Elman network in float64, a sequence, and weights of the outputs in the loss.
    private func problem() throws -> (stack: RecurrentStack, x: Tensor, weights: Tensor) {
        var generator = Generator(seed: 6)
        let stack = try RecurrentStack(
            RecurrentConfiguration(cell: .elmanTanh, inputSize: inputs, hiddenSize: units), dtype: .float64,
            using: &generator)
        return (
            stack, try generator.normal([1, length, inputs], dtype: .float64),
            try generator.normal([1, length, units], dtype: .float64)
        )
    }

    private func gradients(_ interval: Int, _ span: Int) throws -> (loss: Double, gradients: ParameterSet) {
        let (stack, x, weights) = try problem()
        let rule = try TruncatedBackpropagation(interval: interval, span: span)
        return try rule.gradients(stack, length: length, state: stack.initialState(batch: 1)) {
            stack, positions, state in
            let result = try stack(x.sliced(1, positions), state: state)
            state = result.state
            return try (result.output * weights.sliced(1, positions)).sum()
        }
    }

    private func difference(_ a: ParameterSet, _ b: ParameterSet) throws -> Double {
        try zip(a.tensors, b.tensors).map { try ($0 - $1).abs().max().scalar() }.max() ?? 0
    }

    @Test func windowsFollowTheTwoLengths() throws {
        let rule = try TruncatedBackpropagation(interval: 3, span: 5)
        let windows = rule.windows(length: 8)
        #expect(windows.map(\.start) == [0, 1, 3])
        #expect(windows.map(\.nextStart) == [1, 3, 3])
        #expect(windows.map(\.scored) == [0..<3, 3..<6, 6..<8])
        #expect(rule.windows(length: 0).isEmpty)
        #expect(try rondoError { _ = try TruncatedBackpropagation(interval: 0, span: 5) }.code == .invalidArgument)
        #expect(try rondoError { _ = try TruncatedBackpropagation(interval: 3, span: 2) }.code == .invalidArgument)
    }

    /// Real-time recurrent learning: ∂h/∂θ is carried forwards, so nothing of back-propagation is shared.
    @Test func fullSpansEqualRealTimeRecurrentLearning() throws {
        let (stack, x, weights) = try problem()
        let layer = stack.layers[0]
        let w = try layer.weight.array(of: Double.self)
        let r = try layer.recurrent.array(of: Double.self)
        let b = try layer.bias.array(of: Double.self)
        let (xs, ls) = (try x.array(of: Double.self), try weights.array(of: Double.self))
        let count = w.count + r.count + b.count
        var h = Array(repeating: 0.0, count: units)
        var carried = Array(repeating: Array(repeating: 0.0, count: count), count: units)
        var gradient = Array(repeating: 0.0, count: count)
        for t in 0..<length {
            let (before, derivatives) = (h, carried)
            for i in 0..<units {
                var sum = b[i]
                for j in 0..<inputs { sum += w[i * inputs + j] * xs[t * inputs + j] }
                for j in 0..<units { sum += r[i * units + j] * before[j] }
                h[i] = try Tensor(sum, dtype: .float64).tanh().scalar()
                var own = Array(repeating: 0.0, count: count)
                for j in 0..<units {
                    for p in 0..<count { own[p] += r[i * units + j] * derivatives[j][p] }
                    own[w.count + i * units + j] += before[j]
                }
                for j in 0..<inputs { own[i * inputs + j] += xs[t * inputs + j] }
                own[w.count + r.count + i] += 1
                carried[i] = own.map { $0 * (1 - h[i] * h[i]) }
            }
            for i in 0..<units { for p in 0..<count { gradient[p] += ls[t * units + i] * carried[i][p] } }
        }
        for (interval, span) in [(length, length), (1, length), (2, 20), (3, length)] {
            let found = try gradients(interval, span).gradients.tensors.flatMap { try $0.array(of: Double.self) }
            #expect(zip(found, gradient).allSatisfy { abs($0 - $1) < 1e-13 }, "k1 \(interval), k2 \(span)")
        }
    }

    /// k₁ = k₂ = 1 is Elman's original training: the state before is a constant.
    @Test func aSpanOfOneTreatsTheStateAsAnInput() throws {
        let (stack, x, weights) = try problem()
        let (_, expected) = try stack.valueAndGradients { stack in
            var state = try stack.initialState(batch: 1)
            var total = try Tensor(0, dtype: .float64)
            for t in 0..<length {
                let result = try stack(x.sliced(1, t..<t + 1), state: state.detached())
                state = result.state
                total = try total + (result.output * weights.sliced(1, t..<t + 1)).sum()
            }
            return total
        }
        let found = try gradients(1, 1)
        #expect(try difference(found.gradients, expected) < 1e-14)
        #expect(try difference(found.gradients, gradients(length, length).gradients) > 1e-3)
    }

    /// The derivative of the loss at t must reach exactly k₂ positions back.
    @Test(arguments: [(1, 3), (2, 3), (2, 5)]) func theSpanIsTheReach(interval: Int, span: Int) throws {
        let (stack, x, weights) = try problem()
        let (_, expected) = try stack.valueAndGradients { stack in
            var total = try Tensor(0, dtype: .float64)
            for begin in stride(from: 0, to: length, by: interval) {
                let end = min(length, begin + interval)
                var state = try stack.initialState(batch: 1)
                let start = max(0, end - span)
                if start > 0 { state = try stack(x.sliced(1, 0..<start), state: state).state.detached() }
                let output = try stack(x.sliced(1, start..<end), state: state).output
                let scored = try output.sliced(1, begin - start..<end - start)
                total = try total + (scored * weights.sliced(1, begin..<end)).sum()
            }
            return total
        }
        #expect(try difference(gradients(interval, span).gradients, expected) < 1e-14)
    }

    @Test func aLearnerDoesOneStepForEveryWindow() throws {
        let (stack, x, weights) = try problem()
        var learner = try Learner(
            stack,
            optimizer: SGD(learningRate: 0.1, momentum: 0, nesterov: false, weightDecay: 0, decoupledDecay: false),
            clipping: .norm(1))
        let outcomes = try learner.steps(
            by: TruncatedBackpropagation(interval: 3, span: 4), length: length, from: stack.initialState(batch: 1)
        ) { stack, positions, state in
            let result = try stack(x.sliced(1, positions), state: state)
            state = result.state
            return try (result.output * weights.sliced(1, positions)).sum()
        }
        #expect(outcomes.count == 3 && learner.step == 3)
    }
}

@Suite struct GradientClippingTests {
    private func set(_ values: [[Double]]) throws -> ParameterSet {
        ParameterSet(paths: values.indices.map { "p\($0)" }, tensors: try values.map { try Tensor($0) })
    }

    @Test func theNormIsThatOfAllParametersTogether() throws {
        let clipped = try GradientClipping.norm(1)(set([[3], [4, 0]]))
        #expect(try clipped.tensors.map { try $0.array(of: Double.self) } == [[3 * 0.2], [4 * 0.2, 0]])
        let small = try set([[0.3], [0.4]])
        #expect(try GradientClipping.norm(1)(small).tensors[0].array(of: Double.self) == [0.3])
    }

    @Test(arguments: [1e160, 1e300, 1e308]) func hugeGradientsKeepTheirDirection(scale: Double) throws {
        let huge = try set([[0.6 * scale], [-0.8 * scale, 0]])
        let norm = try GradientNorm(of: huge)
        #expect(abs(norm.value / scale - 1) < 1e-14 && norm.firstNonFinite == nil)
        let clipped = try GradientClipping.norm(5)(huge).tensors.flatMap { try $0.array(of: Double.self) }
        for (found, expected) in zip(clipped, [3.0, -4, 0]) { #expect(abs(found - expected) < 1e-13) }
    }

    @Test func valuesAreLimitedOneByOne() throws {
        let clipped = try GradientClipping.value(0.5)(set([[3, -0.2], [-7]]))
        #expect(try clipped.tensors.map { try $0.array(of: Double.self) } == [[0.5, -0.2], [-0.5]])
    }

    @Test(arguments: [GradientClipping.none, .norm(1), .value(1)])
    func whatIsNotFiniteIsRefusedByName(clipping: GradientClipping) throws {
        for bad in [Double.nan, .infinity] {
            let error = try rondoError { _ = try clipping(set([[1], [2, bad]])) }
            #expect(error.code == .notFinite && error.message.contains("p1"))
        }
    }

    @Test func aLearnerClips() throws {
        var generator = Generator(seed: 0)
        let linear = try Linear(inputSize: 1, outputSize: 1, bias: false, dtype: .float64, using: &generator)
        let before = try linear.weight.scalar()
        var learner = try Learner(
            linear,
            optimizer: SGD(learningRate: 1, momentum: 0, nesterov: false, weightDecay: 0, decoupledDecay: false),
            clipping: .value(0.25))
        let outcome = try learner.step { try ($0.weight * 100).sum() }
        #expect(outcome.gradientNorm == 100)
        #expect(try abs(before - 0.25 - learner.model.weight.scalar()) < 1e-14)
    }
}

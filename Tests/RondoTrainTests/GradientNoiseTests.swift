import RondoIO
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

@Suite struct GradientNoiseTests {
    private func zeros(_ count: Int, paths: [String] = ["a"], dtype: DType = .float32) throws -> ParameterSet {
        ParameterSet(paths: paths, tensors: try paths.map { _ in try Tensor.zeros([count], dtype: dtype) })
    }

    @Test(arguments: [(0, 0.31623), (1, 0.26135), (9, 0.16788), (99, 0.08913), (999, 0.04732)])
    func etaIsAVariance(update: Int, expected: Double) {
        #expect(abs(GradientNoise(eta: 0.1).deviation(update: update) - expected) < 5.1e-6)
        #expect(GradientNoise(eta: 0.1, gamma: 0).deviation(update: update) == 0.1.squareRoot())
    }

    @Test(arguments: [DType.float32, .float64]) func drawsAreNormal(_ dtype: DType) throws {
        let noise = GradientNoise(eta: 0.3)
        let draws = try noise.added(to: zeros(100_000, dtype: dtype), update: 5, seed: 3).tensors[0]
        let scaled = try (draws / noise.deviation(update: 5)).cast(to: .float64).sorted().values.array(of: Double.self)
        // Kolmogorov and Smirnov: the distance of 100,000 draws stays below 0.0062 with a probability of 0.999.
        var distance = 0.0
        for (index, x) in scaled.enumerated() {
            let (below, above) = (Double(index) / 1e5, Double(index + 1) / 1e5)
            let expected = normalDistribution(x)
            distance = max(distance, abs(expected - below), abs(expected - above))
        }
        #expect(distance < 0.0062)
    }

    /// Φ(x) by the series x + x³/3 + x⁵/15 + … of its quotient with the density.
    private func normalDistribution(_ x: Double) -> Double {
        var (term, sum, k) = (x, x, 3.0)
        while abs(term) > 1e-17 * abs(sum), k < 400 {
            term *= x * x / k
            sum += term
            k += 2
        }
        var density = 0.398_942_280_401_432_7
        // e^(-x²/2) by halving the exponent until its series is short.
        var exponential = 1.0
        let small = -x * x / 2 / 1024
        for order in stride(from: 12, through: 1, by: -1) { exponential = 1 + small / Double(order) * exponential }
        for _ in 0..<10 { exponential *= exponential }
        density *= exponential
        return 0.5 + density * sum
    }

    @Test func aDrawDependsOnSeedParameterAndUpdateAlone() throws {
        let noise = GradientNoise(eta: 1)
        func draw(_ paths: [String], update: Int = 4, seed: UInt64 = 1) throws -> [[Float]] {
            try noise.added(to: zeros(33, paths: paths), update: update, seed: seed).tensors.map { try $0.array() }
        }
        let both = try draw(["a", "b"])
        #expect(both[0] != both[1])
        #expect(try draw(["b"])[0] == both[1], "other parameters play no part")
        #expect(try draw(["a"], update: 5)[0] != both[0])
        #expect(try draw(["a"], seed: 2)[0] != both[0])
    }

    @Test func threadsDoNotChangeBits() async {
        await #expect(processExitsWith: .success) {
            func draw() throws -> [Float] {
                let zeros = ParameterSet(paths: ["a"], tensors: [try Tensor.zeros([300_001])])
                return try GradientNoise(eta: 1).added(to: zeros, update: 0, seed: 1).tensors[0].array()
            }
            Runtime.threadCount = 1
            let expected = try draw()
            for threads in [2, 4] {
                Runtime.threadCount = threads
                #expect(try draw() == expected)
            }
        }
    }

    private func learner(_ noise: GradientNoise, clipNorm: Double? = 1) throws -> Learner<Linear> {
        var generator = Generator(seed: 8)
        let layer = try Linear(inputSize: 4, outputSize: 3, using: &generator)
        return try Learner(
            layer, optimizer: SGD(learningRate: 0.5, momentum: 0), clipNorm: clipNorm, gradientNoise: noise, seed: 6)
    }

    /// A loss whose gradient is 10 in every offset and 0 elsewhere: its norm is √300.
    private func loss(_ layer: Linear) throws -> Tensor { try layer(Tensor.zeros([1, 4])).sum() * 10 }

    @Test(arguments: GradientNoise.Placement.allCases)
    func noiseAndClippingAct(in placement: GradientNoise.Placement) throws {
        let noise = GradientNoise(eta: 0.25, placement: placement)
        var learner = try learner(noise, clipNorm: 2)
        let before = learner.model
        let outcome = try learner.step(loss)
        #expect(abs(outcome.gradientNorm - 300.0.squareRoot()) < 1e-4, "the norm is that without noise")
        let gradients = ParameterSet(
            paths: ["weight", "bias"], tensors: [try Tensor.zeros([3, 4]), try Tensor.full([3], 10)])
        let expected: ParameterSet
        switch placement {
        case .afterClip:
            expected = try noise.added(to: gradients, scale: 2 / 300.0.squareRoot(), update: 0, seed: 6)
        case .beforeClip:
            var noisy = try noise.added(to: gradients, update: 0, seed: 6)
            let norm = try GradientNorm(of: noisy)
            noisy.tensors = try noisy.tensors.map { try $0 * (2 / norm.value) }
            expected = noisy
        }
        for (index, path) in expected.paths.enumerated() {
            let moved = try #require(before.parameters[path]) - #require(learner.model.parameters[path])
            let difference = try (moved - expected.tensors[index] * 0.5).abs().max().scalar()
            #expect(difference < 1e-5, "\(path)")
        }
    }

    @Test func noEtaIsNoNoiseBitForBit() throws {
        var (plain, silent) = (try learner(GradientNoise()), try learner(GradientNoise(eta: 0, placement: .beforeClip)))
        for _ in 0..<5 {
            try plain.step(loss)
            try silent.step(loss)
        }
        for (a, b) in zip(plain.model.parameters.tensors, silent.model.parameters.tensors) {
            #expect(try sameBits(a, b))
        }
    }

    @Test func noiseMovesWhatHasNoGradient() throws {
        var learner = try learner(GradientNoise(eta: 0.1))
        let before = learner.model.weight
        try learner.step(loss)
        #expect(try (learner.model.weight - before).abs().min().scalar() > 0)
    }

    @Test func badGradientsAreNotHiddenByNoise() throws {
        var learner = try learner(GradientNoise(eta: 0.1))
        let before = learner.model.weight
        let error = try rondoError { try learner.step { try $0(Tensor.full([1, 4], .infinity)).sum() } }
        #expect(error.code == .notFinite)
        #expect(try sameBits(learner.model.weight, before) && learner.step == 0)
    }

    @Test func impossibleNoiseIsRefused() throws {
        for noise in [GradientNoise(eta: -1), GradientNoise(eta: .nan), GradientNoise(eta: 1, gamma: -0.5)] {
            let error = try rondoError { _ = try learner(noise) }
            #expect(error.code == .invalidArgument && error.message.contains("gradient_noise"))
        }
    }

    @Test func textTrainingTakesNoise() throws {
        func weights(_ noise: GradientNoise) throws -> [Tensor] {
            let configuration = TinyRun.configuration {
                $0.steps = 3
                $0.gradientNoise = noise
            }
            var trainer = try Trainer(configuration, corpus: TinyRun.corpus)
            _ = try trainer.run(store: FolderStore(), observer: Recorder())
            return try trainer.model.parameters.tensors
        }
        let plain = try weights(GradientNoise())
        #expect(try zip(plain, weights(GradientNoise(eta: 0, gamma: 2))).allSatisfy(sameBits))
        #expect(try !zip(plain, weights(GradientNoise(eta: 0.01))).allSatisfy(sameBits))
    }
}

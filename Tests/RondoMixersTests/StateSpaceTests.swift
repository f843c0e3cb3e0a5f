import RondoMixers
import RondoNN
import RondoTensor
import Testing

@Suite struct StateSpaceTests {
    private func largestDifference(_ a: Tensor, _ b: Tensor) throws -> Double { try (a - b).abs().max().scalar() }

    /// Numbers of scipy.signal.cont2discrete for HiPPO-LegS with three states and Δ = 0.1.
    @Test func discretizationsAreThoseOfScipy() throws {
        let system = try ContinuousStateSpace(.legS, stateSize: 3)
        let general = try system.discretized(step: 0.1, alpha: 0.3)
        let matrix = try Tensor(
            [
                0.9029126213592233, 0.0, 0.0, -0.15864176658443643, 0.8113207547169811, 0.0, -0.1822582300900958,
                -0.33520714438353955, 0.7247706422018348,
            ], shape: [3, 3])
        let input = try Tensor([0.0970873786407767, 0.15864176658443643, 0.1822582300900958])
        #expect(try largestDifference(general.matrix, matrix) < 1e-14)
        #expect(try largestDifference(general.input, input) < 1e-14)
        let held = try system.discretizedByHolding(step: 0.1)
        let power = try Tensor(
            [
                0.9048374180359595, 0.0, 0.0, -0.14914111857752804, 0.8187307530779818, 0.0, -0.15589508131256452,
                -0.3017539404315763, 0.7408182206817178,
            ], shape: [3, 3])
        let integral = try Tensor([0.09516258196404044, 0.14914111857752804, 0.15589508131256452])
        #expect(try largestDifference(held.matrix, power) < 1e-14)
        #expect(try largestDifference(held.input, integral) < 1e-14)
    }

    @Test(arguments: [1, 2, 7, 8])
    func krylovMatricesAreStatesAfterAnImpulse(length: Int) throws {
        let system = try ContinuousStateSpace(.random, stateSize: 5, seed: 2).discretized(step: 0.2)
        let impulse = try Tensor([1.0] + Array(repeating: 0, count: length - 1))
        let states = try system.states(impulse)
        #expect(try largestDifference(system.krylovMatrix(length: length), states.transposed()) < 1e-14)
    }

    @Test(arguments: [2, 8, 64])
    func theNormalFormIsHiPPO(size: Int) throws {
        let form = try LegSNormalForm(stateSize: size)
        let (re, im) = (form.basis.real, form.basis.imaginary)
        // 2 Re(V diag(z) V*) over half of the spectrum, V* = re + i im.
        func dense(_ z: ComplexTensor) throws -> Tensor {
            let (x, y) = (try z.real.expanded(at: 1), try z.imaginary.expanded(at: 1))
            let real = try re.transposed().matmul(x * re - y * im)
            return try (real + im.transposed().matmul(x * im + y * re)) * 2
        }
        let p = try Tensor.range(size).cast(to: .float64).affine(1, 0.5).sqrt()
        let a = try dense(form.eigenvalues) - p.expanded(at: 1) * p
        let hippo = try ContinuousStateSpace(.legS, stateSize: size)
        #expect(try largestDifference(a, hippo.matrix) < 1e-11 * Double(size))
        let ones = ComplexTensor(
            try Tensor.ones([size / 2], dtype: .float64), try Tensor.zeros([size / 2], dtype: .float64))
        #expect(try largestDifference(dense(ones), Tensor.identity(size, dtype: .float64)) < 1e-12)
        let frequencies = try form.eigenvalues.imaginary.array(of: Double.self)
        #expect(frequencies.allSatisfy { $0 > 0 } && frequencies == frequencies.sorted())
    }

    @Test func legendreMemoryHoldsPolynomialsOfThePast() throws {
        var memory = try LegendreMemory(stateSize: 16)
        for index in 0..<2000 { memory.read(1 + 2 * (Double(index) + 0.5) / 2000) }
        let points = [0.1, 0.4, 0.9]
        for (point, value) in zip(points, memory.reconstruction(at: points)) {
            #expect(abs(value - (1 + 2 * point)) < 0.01)
        }
        #expect(throws: RondoError.self) {
            try LegendreMemory(stateSize: 4, dynamics: ContinuousStateSpace(.legS, stateSize: 5))
        }
    }

    @Test(arguments: [LSSLInitialization.legS, .legT, .lagT])
    func quasiseparableDynamicsBeginAsTheFullOnes(_ initialization: LSSLInitialization) throws {
        var configuration = LSSL.Configuration()
        (configuration.stateSize, configuration.initialization) = (12, initialization)
        configuration.learnsTransition = true
        let kernels = try [LSSLStructure.full, .quasiseparable].map { structure in
            configuration.structure = structure
            var generator = Generator(seed: 4)
            return try LSSL(configuration, dModel: 2, dtype: .float64, using: &generator).kernel(length: 20)
        }
        #expect(try largestDifference(kernels[0], kernels[1]) < 1e-10)
    }

    @Test func structureWithoutTrainingIsRefused() {
        var configuration = LSSL.Configuration()
        configuration.structure = .quasiseparable
        #expect(throws: RondoError.self) { try configuration.validate(dModel: 2) }
    }
}

@Suite struct ResamplingTests {
    /// At half the rate with doubled steps, the response to a constant settles at the same values in half the steps.
    private func check<Mixer: ResamplableMixer>(_: Mixer.Type, _ change: (inout Mixer.Configuration) -> Void) throws {
        var configuration = Mixer.Configuration()
        change(&configuration)
        var generator = Generator(seed: 1)
        let mixer = try Mixer(configuration, dModel: 3, dtype: .float64, using: &generator)
        let coarse = try mixer.resampled(by: 2)
        let long = try mixer.parallel(Tensor.ones([1, 400, 3], dtype: .float64)).selecting(1, 399)
        let short = try coarse.parallel(Tensor.ones([1, 200, 3], dtype: .float64)).selecting(1, 199)
        let same = try mixer.parallel(Tensor.ones([1, 200, 3], dtype: .float64)).selecting(1, 199)
        let size = try long.abs().max().scalar()
        #expect(try (short - long).abs().max().scalar() < 1e-3 * size)
        #expect(try (same - long).abs().max().scalar() > 3e-3 * size)
        let back = try coarse.resampled(by: 0.5).parallel(Tensor.ones([1, 200, 3], dtype: .float64)).selecting(1, 199)
        #expect(try (back - same).abs().max().scalar() < 1e-9 * size)
        #expect(throws: RondoError.self) { try mixer.resampled(by: 0) }
    }

    @Test func lsslFollowsTheRate() throws {
        try check(LSSL.self) { ($0.stateSize, $0.minStep, $0.maxStep) = (4, 0.002, 0.004) }
        try check(LSSL.self) { configuration in
            (configuration.stateSize, configuration.minStep, configuration.maxStep) = (4, 0.002, 0.004)
            configuration.learnsTransition = true
        }
    }

    @Test func s4FollowsTheRate() throws {
        try check(S4.self) { ($0.stateSize, $0.minStep, $0.maxStep, $0.mixing) = (4, 0.002, 0.004, .none) }
        try check(S4D.self) { ($0.stateSize, $0.minStep, $0.maxStep, $0.mixing) = (4, 0.002, 0.004, .none) }
    }
}

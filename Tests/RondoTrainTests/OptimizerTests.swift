import Foundation
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

/// One tensor as a module.
private struct Single: Module {
    var value: Tensor

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("layer.weight", &value)
    }
}

/// A module with every role.
private struct Roles: Module {
    var embedding: Embedding
    var hidden: Linear
    var norm: LayerNorm
    var head: Linear

    init(_ generator: inout Generator) throws {
        embedding = try Embedding(count: 7, size: 5, using: &generator)
        hidden = try Linear(inputSize: 5, outputSize: 3, using: &generator)
        norm = try LayerNorm(size: 3)
        head = try Linear(inputSize: 3, outputSize: 7, bias: false, using: &generator)
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try embedding.forEachParameter(under: "embedding", visit)
        try hidden.forEachParameter(under: "hidden", visit)
        try norm.forEachParameter(under: "norm", visit)
        try head.forEachParameter(under: "head", visit)
    }
}

/// What the script in Tests/Parity/optimizers wrote.
private struct Vectors: Decodable {
    var shape: [Int]
    var start: [Float]
    var gradients: [[Float]]
    var results: [String: [Float]]

    static func load() throws -> Vectors {
        let url = try #require(
            Bundle.module.url(forResource: "optimizers", withExtension: "json", subdirectory: "Vectors"))
        return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: url))
    }
}

@Suite struct OptimizerTests {
    init() { poisonFreshMemory() }

    private static let ruleSet: [(name: String, rule: any Optimizer)] = [
        ("sgd", SGD(learningRate: 0.1, momentum: 0.9, weightDecay: 0.05)),
        ("sgd_nesterov", SGD(learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.05)),
        ("sgd_plain", SGD(learningRate: 0.1, momentum: 0, weightDecay: 0.05)),
        ("adamw", AdamW(learningRate: 0.01)),
        ("muon", Muon(other: AdamW(learningRate: 0.02))),
        ("muon_original", Muon(other: AdamW(learningRate: 0.02), scale: .original)),
    ]

    @Test func twentyStepsEqualTorch() throws {
        let vectors = try Vectors.load()
        #expect(Set(vectors.results.keys) == Set(Self.ruleSet.map(\.name)))
        for (name, rule) in Self.ruleSet {
            var model = Single(value: try Tensor(vectors.start, shape: Shape(vectors.shape)))
            var state = try OptimizerState(for: rule, module: model)
            for gradient in vectors.gradients {
                let gradients = ParameterSet(
                    paths: ["layer.weight"], tensors: [try Tensor(gradient, shape: Shape(vectors.shape))])
                try state.update(&model, gradients: gradients, by: rule)
            }
            let expected = try Tensor(vectors.results[name] ?? [], shape: Shape(vectors.shape))
            // Muon's matrix products amplify rounding in nearly singular directions.
            let tolerance = Tolerance(.float32, depth: name.hasPrefix("muon") ? 20 : 2)
            #expect(try tolerance.mismatch(model.value, expected) == nil, "\(name)")
        }
    }

    private static func step(_ rule: some Optimizer, _ value: [Double], _ gradient: [Double]) throws -> [Double] {
        var model = Single(value: try Tensor(value, shape: [1, value.count]))
        var state = try OptimizerState(for: rule, module: model) { _, _ in .matrix(blocks: 1) }
        let tensor = try Tensor(gradient, shape: [1, gradient.count])
        try state.update(&model, gradients: ParameterSet(paths: ["layer.weight"], tensors: [tensor]), by: rule)
        return try model.value.array(of: Double.self)
    }

    @Test func firstStepOfAdamWFollowsTheSign() throws {
        let moved = try Self.step(AdamW(learningRate: 0.01, weightDecay: 0.5), [1, -2, 3], [0.3, -5, 1e-3])
        for (value, expected) in zip(moved, [1 - 0.01 - 0.005, -2 + 0.01 + 0.01, 3 - 0.01 - 0.015]) {
            #expect(abs(value - expected) < 1e-6)
        }
    }

    @Test func lionMovesEveryWeightByItsRate() throws {
        let moved = try Self.step(Lion(learningRate: 0.25, weightDecay: 0), [1, 2, 3, 4], [0.3, -5, 1e-30, 0])
        #expect(moved == [0.75, 2.25, 2.75, 4])
        let decayed = try Self.step(Lion(learningRate: 0.25, weightDecay: 1), [4], [1])
        #expect(decayed == [2.75])
    }

    @Test func newtonSchulzBringsSingularValuesNearOne() throws {
        var generator = Generator(seed: 8)
        for shape in [[1, 64, 96], [2, 33, 3], [1, 1, 5]] as [Shape] {
            let gaussian = try generator.normal(shape, dtype: .float64)
            let exact = try Muon.orthogonalized(gaussian)
            let single = try Muon.orthogonalized(gaussian.cast(to: .float32)).cast(to: .float64)
            #expect(try (exact - single).abs().max().scalar() < 5e-3)
            let scaled = try Muon.orthogonalized(gaussian * 1000)
            #expect(try (exact - scaled).abs().max().scalar() < 1e-6)
        }
        // Σ (σ² - 1)² = |X Xᵀ - I|²: with σ in [0.65, 1.17] each term is below 0.34.
        let x = try Muon.orthogonalized(generator.normal([1, 64, 96], dtype: .float64))
        let gram = try x.matmul(x.transposed())
        let probes = try generator.normal([1, 64, 200], dtype: .float64)
        let quotients = try (probes * gram.matmul(probes)).sum([1]) / probes.square().sum([1])
        #expect(try quotients.min().scalar() > 0.65 * 0.65 && quotients.max().scalar() < 1.17 * 1.17)
        #expect(try (gram - Tensor.identity(64, dtype: .float64)).square().sum().scalar() < 64 * 0.34)
    }

    @Test func blocksOfRowsAreMadeOrthogonalOnTheirOwn() throws {
        var generator = Generator(seed: 9)
        let gradient = try generator.normal([8, 4])
        let rule = Muon(other: AdamW(learningRate: 1), momentum: 0, nesterov: false, weightDecay: 0, scale: .original)
        var model = Single(value: try Tensor.zeros([8, 4]))
        var state = try OptimizerState(for: rule, module: model) { _, _ in .matrix(blocks: 2) }
        try state.update(&model, gradients: ParameterSet(paths: ["layer.weight"], tensors: [gradient]), by: rule)
        for block in 0..<2 {
            let own = try gradient.sliced(0, block * 4..<block * 4 + 4)
            let expected = try -Muon.orthogonalized(own.expanded(at: 0)).squeezed(0)
            let found = try model.value.sliced(0, block * 4..<block * 4 + 4)
            #expect(try Tolerance(.float32, length: 4, depth: 10).mismatch(found, expected) == nil)
        }
    }

    @Test func onlyMapsDecay() throws {
        var generator = Generator(seed: 10)
        let start = try Roles(&generator)
        let zeros = ParameterSet(
            paths: start.parameters.paths, tensors: try start.parameters.tensors.map { try $0 * 0 })
        for decaysEmbeddings in [false, true] {
            let rule = AdamW(learningRate: 0.1, weightDecay: 1, decaysEmbeddings: decaysEmbeddings)
            var model = start
            var state = try OptimizerState(for: rule, module: model)
            try state.update(&model, gradients: zeros, by: rule)
            let decayed = zip(start.parameters.tensors, model.parameters.tensors).map { before, after in
                (try? sameBits(before, after)) == false
            }
            #expect(
                Dictionary(uniqueKeysWithValues: zip(start.parameters.paths, decayed)) == [
                    "embedding.weight": decaysEmbeddings, "hidden.weight": true, "hidden.bias": false,
                    "norm.weight": false, "norm.bias": false, "head.weight": true,
                ])
        }
    }

    @Test func muonLeavesTheRestToAdamW() throws {
        var generator = Generator(seed: 10)
        let model = try Roles(&generator)
        let state = try OptimizerState(for: Muon(other: AdamW(learningRate: 1)), module: model)
        #expect(state.named.paths.filter { $0.hasSuffix(".momentum") } == ["hidden.weight.momentum"])
        #expect(state.named.paths.filter { $0.hasSuffix(".second_moment") }.count == 5)
    }

    @Test(arguments: OptimizerConfiguration.Name.allCases)
    func restoredStateContinuesBitForBit(_ name: OptimizerConfiguration.Name) throws {
        let rule = try OptimizerConfiguration(name, learningRate: 0.01).makeOptimizer()
        var generator = Generator(seed: 12)
        var model = try Roles(&generator)
        var state = try OptimizerState(for: rule, module: model)
        func gradients() throws -> ParameterSet {
            let parameters = model.parameters
            return ParameterSet(
                paths: parameters.paths, tensors: try parameters.tensors.map { try generator.normal($0.shape) })
        }
        for _ in 0..<3 { try state.update(&model, gradients: gradients(), by: rule) }
        var copy = model
        var restored = try OptimizerState(for: rule, module: copy)
        try restored.restore(step: state.step, from: state.named)
        for _ in 0..<2 {
            let gradients = try gradients()
            try state.update(&model, gradients: gradients, by: rule, rateMultiplier: 0.5, gradientScale: 0.7)
            try restored.update(&copy, gradients: gradients, by: rule, rateMultiplier: 0.5, gradientScale: 0.7)
        }
        for (a, b) in zip(model.parameters.tensors, copy.parameters.tensors) { #expect(try sameBits(a, b)) }
        for (a, b) in zip(state.named.tensors, restored.named.tensors) { #expect(try sameBits(a, b)) }
        #expect(restored.step == 5)
    }

    @Test func foreignStateAndGradientsAreRefused() throws {
        var generator = Generator(seed: 13)
        var model = try Roles(&generator)
        let rule = AdamW(learningRate: 0.1)
        var state = try OptimizerState(for: rule, module: model)
        let saved = state.named
        var missing = ParameterSet(paths: Array(saved.paths.dropLast()), tensors: Array(saved.tensors.dropLast()))
        #expect(throws: RondoError.self) { try state.restore(step: 1, from: missing) }
        missing = saved
        missing.tensors[2] = try missing.tensors[2].cast(to: .float64)
        #expect(throws: RondoError.self) { try state.restore(step: 1, from: missing) }
        #expect(state.step == 0)
        let few = ParameterSet(paths: ["hidden.weight"], tensors: [model.hidden.weight])
        #expect(throws: RondoError.self) { try state.update(&model, gradients: few, by: rule) }
    }

    /// Long parameters are cut into pieces for the threads: every piece must be updated, once.
    @Test func longParametersEqualTheirParts() throws {
        let count = 150_001
        let kernels: [OptimizerKernel] = [
            .sgd(momentum: 0.9, nesterov: true, decoupledDecay: false, first: false),
            .adamW(beta1: 0.9, beta2: 0.95, epsilon: 1e-8, step: 3), .lion(beta1: 0.9, beta2: 0.99),
        ]
        for kernel in kernels {
            var generator = Generator(seed: 15)
            let (start, gradient) = (try generator.normal([count]), try generator.normal([count]))
            let moments = try (0..<kernel.stateCount).map { _ in try generator.uniform([count]) }
            func updated(_ range: Range<Int>) throws -> [Tensor] {
                var parameter = try start.sliced(0, range).copied()
                var state = try moments.map { try $0.sliced(0, range).copied() }
                try kernel.update(
                    &parameter, gradient: gradient.sliced(0, range), state: &state, rate: 0.1, decay: 0.2,
                    gradientScale: 0.5)
                return [parameter] + state
            }
            let whole = try updated(0..<count)
            let parts = try stride(from: 0, to: count, by: 1009).map { try updated($0..<min(count, $0 + 1009)) }
            for (index, tensor) in whole.enumerated() {
                let joined = try Tensor.concatenate(parts.map { $0[index] })
                #expect(try Tolerance(.float32).mismatch(tensor, joined) == nil)
            }
        }
    }

    @Test func updatesHappenInPlace() throws {
        var generator = Generator(seed: 14)
        var model = try Roles(&generator)
        let rule = AdamW(learningRate: 0.1)
        var state = try OptimizerState(for: rule, module: model)
        let (_, gradients) = try model.valueAndGradients { model in
            let x = try model.embedding(Tensor([1, 2, 3] as [Int32]))
            return try model.head(model.norm(model.hidden(x))).square().mean()
        }
        for gradient in gradients.tensors { #expect(gradient.isContiguous) }
        let addresses = model.parameters.tensors.map(\.storage.pointer)
        let moments = state.named.tensors.map(\.storage.pointer)
        for _ in 0..<2 { try state.update(&model, gradients: gradients, by: rule) }
        #expect(model.parameters.tensors.map(\.storage.pointer) == addresses)
        #expect(state.named.tensors.map(\.storage.pointer) == moments)
        // A copy keeps its values.
        let copy = model
        let before = try copy.hidden.weight.array(of: Float.self)
        try state.update(&model, gradients: gradients, by: rule)
        #expect(try copy.hidden.weight.array(of: Float.self) == before)
    }

    @Test func configurationsAreChecked() throws {
        for name in OptimizerConfiguration.Name.allCases {
            let configuration = OptimizerConfiguration(name)
            try configuration.validate()
            let data = try JSONEncoder().encode(configuration)
            #expect(try JSONDecoder().decode(OptimizerConfiguration.self, from: data) == configuration)
            #expect(String(decoding: data, as: UTF8.self).contains("learning_rate"))
        }
        var wrong = OptimizerConfiguration(.adamw)
        wrong.beta2 = 1
        #expect { try wrong.validate() } throws: { "\($0)".contains("optimizer.beta2") }
        wrong = OptimizerConfiguration(.sgd, learningRate: -.infinity)
        #expect { try wrong.validate() } throws: { "\($0)".contains("optimizer.learning_rate") }
    }
}

import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Derivatives of modules and losses in float64 against central differences.
@Suite struct ModuleGradientTests {
    init() { poisonFreshMemory() }

    /// Checks the derivatives of all parameters and of `x`.
    private func mismatch<M: Module>(
        _ module: M, _ x: Tensor, _ body: (M, Tensor) throws -> [Tensor]
    ) throws -> String? {
        let parameters = module.parameters.tensors
        return try GradientCheck.mismatch(parameters + [x]) { inputs in
            try body(module.replacingParameters(Array(inputs.dropLast())), inputs[inputs.count - 1])
        }
    }

    @Test func projections() throws {
        var generator = Generator(seed: 1)
        let x = try generator.normal([2, 3, 5], dtype: .float64)
        for bias in [true, false] {
            let layer = try Linear(inputSize: 5, outputSize: 4, bias: bias, dtype: .float64, using: &generator)
            #expect(try mismatch(layer, x) { [try $0($1)] } == nil)
        }
        let away = try generator.away([3, 5])
        for kind in FeedForward.Kind.allCases {
            let block = try FeedForward(
                dModel: 5, hiddenSize: 7, kind: kind, bias: true, dtype: .float64, using: &generator)
            #expect(try mismatch(block, away) { [try $0($1)] } == nil, "\(kind)")
            #expect(block.parameters.paths.count == (kind.isGated ? 6 : 4))
            #expect(block.parameters.paths[0] == "up.weight")
        }
    }

    @Test func norms() throws {
        var generator = Generator(seed: 2)
        for size in [1, 3, 33] {
            let x = try generator.normal([2, size], dtype: .float64)
            var layer = try LayerNorm(size: size, dtype: .float64)
            layer.weight = try generator.normal([size], dtype: .float64)
            #expect(try mismatch(layer, x) { [try $0($1)] } == nil)
            var rms = try RMSNorm(size: size, dtype: .float64)
            rms.weight = try generator.normal([size], dtype: .float64)
            #expect(try mismatch(rms, x) { [try $0($1)] } == nil)
        }
    }

    @Test func embeddings() throws {
        var generator = Generator(seed: 3)
        let table = try Embedding(count: 7, size: 3, deviation: 1, dtype: .float64, using: &generator)
        let tokens = try Tensor([6, 0, 6, 1, 1, 6] as [Int32], shape: [2, 3])
        let x = try generator.normal([2, 3], dtype: .float64)
        #expect(try mismatch(table, x) { [try $0(tokens), try $0.logits($1)] } == nil)
        let masks = generator
        #expect(
            try mismatch(table, x) { table, _ in
                var generator = masks
                return [try table(tokens, droppingTypes: 0.5, training: true, using: &generator)]
            } == nil)
        #expect(throws: RondoError.self) { try table(Tensor([7] as [Int32])) }
    }

    @Test func convolutions() throws {
        var generator = Generator(seed: 4)
        let x = try generator.normal([2, 5, 3], dtype: .float64)
        for (width, bias) in [(1, true), (4, true), (4, false)] {
            let layer = try ShortConvolution(
                channels: 3, width: width, bias: bias, dtype: .float64, using: &generator)
            let before = try generator.normal([2, width - 1, 3], dtype: .float64)
            #expect(
                try mismatch(layer, x) { layer, x in
                    var history = before
                    return [try layer(x, history: &history), history]
                } == nil)
        }
    }

    @Test func convolvingInPiecesEqualsTheWhole() throws {
        var generator = Generator(seed: 5)
        let layer = try ShortConvolution(channels: 3, width: 4, using: &generator)
        let x = try generator.normal([2, 11, 3])
        var history = try layer.initialHistory(batch: 2)
        let whole = try layer(x, history: &history)
        for cut in [0, 1, 3, 10, 11] {
            var carried = try layer.initialHistory(batch: 2)
            let first = try layer(x.sliced(1, 0..<cut), history: &carried)
            let second = try layer(x.sliced(1, cut..<11), history: &carried)
            let tolerance = Tolerance(.float32, length: 4)
            #expect(try tolerance.mismatch(Tensor.concatenate([first, second], axis: 1), whole) == nil)
            #expect(try sameBits(carried.contiguous(), history.contiguous()))
        }
    }

    @Test func losses() throws {
        var generator = Generator(seed: 6)
        let logits = try generator.normal([3, 2, 5], dtype: .float64)
        let targets = try Tensor([0, 4, -100, 2, 2, -100] as [Int32], shape: [3, 2])
        for smoothing in [0, 0.1] {
            #expect(
                try GradientCheck.mismatch([logits]) {
                    [try Loss.crossEntropy($0[0], targets, labelSmoothing: smoothing)]
                } == nil)
        }
        #expect(try GradientCheck.mismatch([logits]) { [try Loss.logPartition($0[0], targets)] } == nil)
        let pair = [try generator.normal([4, 3], dtype: .float64), try generator.normal([4, 3], dtype: .float64)]
        #expect(try GradientCheck.mismatch(pair) { [try Loss.meanSquaredError($0[0], $0[1])] } == nil)
        #expect(try GradientCheck.mismatch(pair) { [try Loss.huber($0[0], $0[1], delta: 0.7)] } == nil)
    }

    @Test func lossValues() throws {
        let a = try Tensor([0.0, 1, 5])
        let b = try Tensor([0.0, 0.5, 2])
        #expect(abs(try Loss.huber(a, b, delta: 1).scalar() - 2.625 / 3) < 1e-15)
        #expect(abs(try Loss.meanSquaredError(a, b).scalar() - 9.25 / 3) < 1e-15)
        let logits = try Tensor([0.0, 0, 0, 0], shape: [1, 4])
        let target = try Tensor([2] as [Int32])
        #expect(abs(try Loss.crossEntropy(logits, target).scalar() - 1.386_294_361_119_890_6) < 1e-12)
        #expect(abs(try Loss.logPartition(logits, target).scalar() - 1.921_812_055_672_805_7) < 1e-12)
        #expect(try Loss.crossEntropy(logits, Tensor([-100] as [Int32])).scalar() == 0)
        #expect(throws: RondoError.self) { try Loss.huber(a, b.expanded(at: 0)) }
    }

    @Test func labelSmoothingEqualsSoftTargets() throws {
        var generator = Generator(seed: 7)
        let logits = try generator.normal([9, 5], dtype: .float64)
        let classes = (0..<9).map { Int32($0 % 5) }
        let targets = try Tensor(classes)
        let oneHot = try targets.expanded(at: 1).equal(to: Tensor.range(5).expanded(at: 0)).cast(to: .float64)
        let soft = try oneHot * 0.8 + 0.04
        let expected = try -(soft * logits.logSoftmax()).sum([1]).mean()
        let found = try Loss.crossEntropy(logits, targets, labelSmoothing: 0.2)
        #expect(try Tolerance(.float64, length: 9).mismatch(found, expected) == nil)
    }
}

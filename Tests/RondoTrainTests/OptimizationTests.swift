import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

/// Clipping, accumulation and averages of weights.
@Suite struct OptimizationTests {
    private func set(_ values: [[Double]]) throws -> ParameterSet {
        ParameterSet(paths: values.indices.map { "p\($0)" }, tensors: try values.map { try Tensor($0) })
    }

    @Test func clippingLimitsTheGlobalNorm() throws {
        let gradients = try set([[3], [0, 4], []])
        let norm = try GradientNorm(of: gradients)
        #expect(norm.value == 5 && norm.firstNonFinite == nil)
        #expect(norm.scale(limit: nil) == 1 && norm.scale(limit: 6) == 1)
        #expect(abs(norm.scale(limit: 2) * norm.value - 2) < 2e-6)
    }

    @Test func normOfManyElementsIsExact() throws {
        let ones = ParameterSet(paths: ["a"], tensors: [try Tensor.ones([200_001])])
        #expect(try GradientNorm(of: ones).value == 200_001.0.squareRoot())
        let large = ParameterSet(paths: ["a"], tensors: [try Tensor.full([3], 1e30)])
        #expect(try GradientNorm(of: large).value.isFinite)
    }

    @Test func theFirstBadGradientIsNamed() throws {
        let norm = try GradientNorm(of: set([[1], [2, .infinity], [.nan]]))
        #expect(norm.firstNonFinite == "p1" && !norm.value.isFinite)
    }

    @Test func accumulationEqualsOneBatch() throws {
        var generator = Generator(seed: 20)
        let layer = try Linear(inputSize: 5, outputSize: 3, using: &generator)
        let x = try generator.normal([33, 5])
        let targets = try Tensor((0..<33).map { Int32($0 % 3) })
        func gradients(_ rows: Range<Int>) throws -> ParameterSet {
            try layer.valueAndGradients {
                try Loss.crossEntropy($0(x.sliced(0, rows)), targets.sliced(0, rows))
            }.gradients
        }
        var accumulator = GradientAccumulator()
        for rows in [0..<1, 1..<11, 11..<33] { try accumulator.add(gradients(rows), tokens: rows.count) }
        #expect(accumulator.tokenCount == 33)
        let total = try #require(try accumulator.finish())
        for (sum, whole) in zip(total.tensors, try gradients(0..<33).tensors) {
            #expect(try Tolerance(.float32, length: 33).mismatch(sum, whole) == nil)
        }
        #expect(try accumulator.finish() == nil && accumulator.tokenCount == 0)
        // A single batch passes through bit for bit.
        let single = try gradients(0..<7)
        try accumulator.add(single, tokens: 7)
        let passed = try #require(try accumulator.finish())
        for (a, b) in zip(passed.tensors, single.tensors) { #expect(try sameBits(a, b)) }
    }

    @Test func averagesFollowTheDefinition() throws {
        var generator = Generator(seed: 21)
        var layer = try Linear(inputSize: 1, outputSize: 1, bias: false, dtype: .float64, using: &generator)
        var expected = try layer.weight.scalar()
        var average = try WeightAverage(decay: 0.5, parameters: layer.parameters)
        for step in 1...20 {
            layer.weight = try Tensor.full([1, 1], Double(step), dtype: .float64)
            try average.update(with: layer)
            let keep = min(0.5, Double(1 + step) / Double(10 + step))
            expected = keep * expected + (1 - keep) * Double(step)
        }
        #expect(abs(try average.applied(to: layer).weight.scalar() - expected) < 1e-12)
        #expect(try layer.weight.scalar() == 20 && average.count == 20)
        #expect(throws: RondoError.self) { try WeightAverage(decay: 1, parameters: layer.parameters) }
    }
}

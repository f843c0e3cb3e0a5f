import RondoMixers
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct JordanTests {
    private func model() throws -> (Jordan, Generator) {
        var generator = Generator(seed: 8)
        var configuration = Jordan.Configuration()
        (configuration.decay, configuration.hiddenSize) = (0.6, 4)
        return (try Jordan(configuration, dModel: 3, dtype: .float64, using: &generator), generator)
    }

    @Test func forcedByItsOwnOutputsItIsItself() throws {
        var (model, generator) = try model()
        let x = try generator.normal([2, 6, 3], dtype: .float64)
        var (free, forced) = (try model.initialState(batch: 2), try model.initialState(batch: 2))
        free["context"] = try generator.normal([2, 3], dtype: .float64)
        forced["context"] = free["context"]
        let outputs = try model.chunk(x, state: &free)
        let again = try model.teacherForced(x, targets: outputs, state: &forced)
        #expect(try (outputs - again).abs().max().scalar() < 1e-14)
        #expect(try (free["context"] - forced["context"]).abs().max().scalar() < 1e-14)
        #expect(forced.positions == [6, 6])
    }

    @Test func noDerivativeFlowsThroughTimeWhenForced() throws {
        var (model, generator) = try model()
        let (x, targets) = (
            try generator.normal([1, 5, 3], dtype: .float64), try generator.normal([1, 5, 3], dtype: .float64)
        )
        func influence(forced: Bool) throws -> Double {
            let (_, gradients) = try valueAndGradient(of: [x]) { inputs in
                var state = try model.initialState(batch: 1)
                let y =
                    try forced
                    ? model.teacherForced(inputs[0], targets: targets, state: &state)
                    : model.chunk(inputs[0], state: &state)
                return try y.selecting(1, 4).sum()
            }
            return try gradients[0].sliced(1, 0..<4).abs().max().scalar()
        }
        #expect(try influence(forced: true) == 0)
        #expect(try influence(forced: false) > 0)
    }

    @Test func targetsOfAnotherShapeAreRefused() throws {
        let (model, _) = try model()
        var state = try model.initialState(batch: 1)
        let (x, targets) = (
            try Tensor.zeros([1, 5, 3], dtype: .float64), try Tensor.zeros([1, 4, 3], dtype: .float64)
        )
        #expect(
            try rondoError { _ = try model.teacherForced(x, targets: targets, state: &state) }.code == .shapeMismatch)
    }
}

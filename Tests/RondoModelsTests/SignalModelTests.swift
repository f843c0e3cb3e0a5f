import RondoModels
import RondoNN
import RondoTensor
import Testing

@Suite struct SignalModelResamplingTests {
    @Test func onlyContinuousDynamicsCanBeResampled() throws {
        var generator = Generator(seed: 1)
        let spaces = try SignalModel(
            LanguageModelConfiguration(mixer: "s4d", dModel: 4, nLayers: 2), inputSize: 1, outputSize: 1,
            using: &generator)
        let coarse = try spaces.resampled(by: 2)
        let (before, after) = (spaces.parameters, coarse.parameters)
        let changed = zip(before.tensors, after.tensors).map {
            (try? $0.array(of: Float.self)) != (try? $1.array(of: Float.self))
        }
        #expect(zip(before.paths, changed).allSatisfy { $0.0.hasSuffix("log_step") == $0.1 })
        let gru = try SignalModel(
            LanguageModelConfiguration(mixer: "gru", dModel: 4, nLayers: 1), inputSize: 1, outputSize: 1,
            using: &generator)
        #expect(throws: RondoError.self) { try gru.resampled(by: 2) }
    }
}

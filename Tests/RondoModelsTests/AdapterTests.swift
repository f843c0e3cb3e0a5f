import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import Testing

@Suite struct AdapterTests {
    private func tokens() throws -> Tensor { try Tensor([3, 1, 4, 1, 5, 9] as [Int32], shape: [2, 3]) }

    private func scores(_ model: LanguageModel) throws -> Tensor {
        var state = try model.initialState(batch: 2)
        return try model.logits(tokens(), state: &state)
    }

    private func distance(_ a: Tensor, _ b: Tensor) throws -> Double { try (a - b).abs().max().scalar() }

    @Test func newAdaptersChangeNothingAndThenAddTheirProduct() throws {
        let model = try LanguageModelTests.model("mamba", vocabSize: 12)
        var generator = Generator(seed: 3)
        var adapters = try LowRankAdapters(
            for: model, rank: 2, alpha: 3, targets: ["mixer.input"], using: &generator)
        #expect(adapters.entries.map(\.path) == ["layers.0.mixer.input.weight", "layers.1.mixer.input.weight"])
        #expect(try distance(scores(model), scores(adapters.applied(to: model))) == 0)
        adapters.entries[1].b = try generator.normal(adapters.entries[1].b.shape, dtype: .float64)
        let changed = try adapters.applied(to: model)
        let entry = adapters.entries[1]
        let before = try #require(model.parameters[entry.path])
        let after = try #require(changed.parameters[entry.path])
        #expect(try distance(after, before + entry.b.matmul(entry.a) * 1.5) < 1e-15)
        #expect(try distance(scores(model), scores(changed)) > 1e-3)
    }

    @Test func derivativesReachAdaptersAndTheLearnedStateAlone() throws {
        let model = try LanguageModelTests.model("lstm", vocabSize: 12)
        var generator = Generator(seed: 3)
        let adapters = ModelAdapters(
            lowRank: try LowRankAdapters(for: model, rank: 2, using: &generator),
            initialState: try LearnedState(for: model))
        let (_, gradients) = try adapters.valueAndGradients { tracked in
            let adapted = try tracked.applied(to: model)
            var unused = Generator(seed: 0)
            return try adapted.loss(
                tokens(), tokens(), state: adapted.initialState(batch: 2), training: false, using: &unused
            ).loss
        }
        #expect(gradients.paths == adapters.parameters.paths)
        for (path, gradient) in zip(gradients.paths, gradients.tensors) {
            // B is zero, so that A has no derivative yet.
            let isZero: Bool = try gradient.abs().max().scalar() == 0
            #expect(isZero == path.hasSuffix(".a"), "\(path)")
        }
    }

    @Test func aLearnedStateIsTheBeginningOfEveryRow() throws {
        let model = try LanguageModelTests.model("lstm", vocabSize: 12)
        var state = try model.initialState(batch: 1)
        _ = try model.logits(Tensor([7, 7] as [Int32], shape: [1, 2]), state: &state)
        for layer in state.layers.indices { state.layers[layer].positions = [0] }
        let tuned = LearnedState(state).applied(to: model)
        var both = try model.initialState(batch: 2)
        let prefix = try Tensor([7, 7, 7, 7] as [Int32], shape: [2, 2])
        _ = try model.logits(prefix, state: &both)
        #expect(try distance(scores(tuned), model.logits(tokens(), state: &both)) < 1e-12)
    }

    @Test func wrongTargetsAreRefusedByName() throws {
        let model = try LanguageModelTests.model("lstm", vocabSize: 12)
        var generator = Generator(seed: 3)
        #expect(throws: RondoError.self) {
            try LowRankAdapters(for: model, rank: 0, using: &generator)
        }
        do {
            _ = try LowRankAdapters(for: model, rank: 2, targets: ["inptu"], using: &generator)
            Issue.record("accepted")
        } catch let error as RondoError {
            #expect(error.message.contains("inptu") && error.message.contains("mixer"))
        }
    }
}

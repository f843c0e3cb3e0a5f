import RondoCheckpoints
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Adapters come back from files, under the names of the family that the model came from.
@Suite struct AdapterFileTests {
    private func adapters(_ model: LanguageModel) throws -> ModelAdapters {
        var generator = Generator(seed: 3)
        var lowRank = try LowRankAdapters(for: model, rank: 2, using: &generator)
        for index in lowRank.entries.indices {
            lowRank.entries[index].b = try generator.normal(lowRank.entries[index].b.shape, deviation: 0.1)
        }
        var state = try model.initialState(batch: 1)
        _ = try model.logits(Tensor([7, 7] as [Int32], shape: [1, 2]), state: &state)
        for layer in state.layers.indices { state.layers[layer].positions = [0] }
        return ModelAdapters(lowRank: lowRank, initialState: LearnedState(state))
    }

    @Test(arguments: ["mamba", "mamba2", "gla", "delta_net", "rwkv"])
    func adaptersComeBack(_ name: String) throws {
        let checkpoint = try Checkpoint(folder: FileSystem.join(FamilyTests.root, name))
        let model = try checkpoint.model()
        let (adapters, folder) = (try adapters(model), try TemporaryFolder())
        let family = try #require(checkpoint.family)
        try adapters.write(to: folder.path, base: model, folder: checkpoint.folder, family: family.modelType)
        #expect(ModelAdapters.isFolder(folder.path))
        #expect(try ModelAdapters.baseFolder(of: folder.path) == checkpoint.folder)
        let again = try ModelAdapters(folder: folder.path, for: model, family: family.modelType)
        #expect(again.parameters.expectations == adapters.parameters.expectations)
        let (old, new) = (try adapters.applied(to: model), try again.applied(to: model))
        for (path, tensor) in zip(old.parameters.paths, old.parameters.tensors) {
            let other = try #require(new.parameters[path])
            #expect(try (tensor - other).abs().max().scalar() < 1e-6, "\(path)")
        }
        let (a, b) = (try #require(old.learnedState).named, try #require(new.learnedState).named)
        #expect(try a.fingerprint() == b.fingerprint())
        let file = try TensorFile(FileSystem.join(folder.path, AdapterFolder.weights))
        #expect(file.names.allSatisfy { $0.hasPrefix("base_model.model.") && $0.contains(".lora_") })
    }

    @Test func foreignAdaptersAreRefusedByName() throws {
        let mamba = try Checkpoint(folder: FileSystem.join(FamilyTests.root, "mamba"))
        let other = try Checkpoint(folder: FileSystem.join(FamilyTests.root, "gla"))
        let (model, folder) = (try mamba.model(), try TemporaryFolder())
        try adapters(model).write(to: folder.path, base: model, folder: mamba.folder, family: "mamba")
        #expect(throws: RondoError.self) {
            try ModelAdapters(folder: folder.path, for: other.model(), family: "gla")
        }
        let path = FileSystem.join(folder.path, AdapterFolder.configuration)
        var keys = try #require(try JSONValue(contentsOf: path).objectValue)
        keys["use_dora"] = .bool(true)
        try AtomicFile.write(JSONValue.object(keys).text(), to: path)
        do {
            _ = try ModelAdapters(folder: folder.path, for: model, family: "mamba")
            Issue.record("accepted")
        } catch let error as RondoError { #expect(error.message.contains("use_dora")) }
    }
}

import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct ModelFolderTests {
    private func model(_ change: (inout LanguageModelConfiguration) -> Void = { _ in }) throws -> LanguageModel {
        var configuration = LanguageModelConfiguration(mixer: "lstm", dModel: 3)
        change(&configuration)
        var generator = Generator(seed: 4)
        return try LanguageModel(configuration, using: &generator)
    }

    @Test func roundTripIsExact() throws {
        let folder = try TemporaryFolder()
        let model = try model { $0.norm = .layer }
        try model.write(to: folder.path)
        let loaded = try LanguageModel(folder: folder.path)
        #expect(loaded.configuration == model.configuration)
        #expect(try loaded.parameters.fingerprint() == model.parameters.fingerprint())
        let file = try SafetensorsFile(folder.file(ModelFolder.weights))
        #expect(file.metadata["format"] == "pt")
        #expect(Set(file.entries.map(\.name)) == Set(model.parameters.paths))
    }

    @Test func averagedWeightsArePreferred() throws {
        let folder = try TemporaryFolder()
        let model = try model()
        try model.write(to: folder.path)
        let average = try model.replacingParameters(model.parameters.tensors.map { try $0 * 0.5 })
        try average.writeWeights(to: folder.file(ModelFolder.averagedWeights))
        let (best, raw) = (
            try LanguageModel(folder: folder.path),
            try LanguageModel(folder: folder.path, averaged: false)
        )
        #expect(try best.parameters.fingerprint() == average.parameters.fingerprint())
        #expect(try raw.parameters.fingerprint() == model.parameters.fingerprint())
    }

    @Test func everythingThatDoesNotFitIsListedAtOnce() throws {
        let folder = try TemporaryFolder()
        let model = try model()
        try model.write(to: folder.path)
        var tensors = model.parameters
        tensors.tensors[0] = try Tensor.zeros([256, 4])
        let changed = ParameterSet(
            paths: tensors.paths.dropLast() + ["stranger"],
            tensors: tensors.tensors.dropLast() + [try Tensor.zeros([2])])
        try TensorFile.write(changed, to: folder.file(ModelFolder.weights))
        let error = try rondoError { _ = try LanguageModel(folder: folder.path) }
        #expect(error.code == .corruptFile)
        for part in [
            "missing 'head.weight' [256, 3]", "unknown 'stranger' [2]", "'embedding.weight' should be float32 [256, 3]",
            "is float32 [256, 4]",
        ] {
            #expect(error.message.contains(part), "\(error.message)")
        }
    }

    @Test func foreignFilesWithoutChecksumAreAccepted() throws {
        let folder = try TemporaryFolder()
        let model = try model()
        try model.write(to: folder.path)
        let entries = try zip(model.parameters.paths, model.parameters.tensors).map { name, tensor in
            SafetensorsTensor(
                name: name, dtype: .float64, shape: Array(tensor.shape),
                bytes: try tensor.cast(to: .float64).withUnsafeBytes { Array($0) })
        }
        try SafetensorsFile.write(
            to: folder.file(ModelFolder.weights), tensors: entries, metadata: ["format": "pt"], checksum: false)
        let loaded = try LanguageModel(folder: folder.path)
        #expect(try loaded.parameters.fingerprint() == model.parameters.fingerprint())
    }

    @Test func wrongFoldersAreRefusedClearly() throws {
        let folder = try TemporaryFolder()
        #expect(try rondoError { _ = try LanguageModel(folder: folder.file("none")) }.code == .notFound)
        let empty = try rondoError { _ = try LanguageModel(folder: folder.path) }
        #expect(empty.message.contains("config.json"))
        try AtomicFile.write("{\"model_type\": \"gpt2\"}", to: folder.file(ModelFolder.configuration))
        let foreign = try rondoError { _ = try LanguageModel(folder: folder.path) }
        #expect(foreign.message.contains("config.json"))
        try model().write(to: folder.path)
        var tree = try JSONValue(contentsOf: folder.file(ModelFolder.configuration))
        try tree.apply([Override("output_dropout=0.25")])
        try AtomicFile.write(tree.text(), to: folder.file(ModelFolder.configuration))
        let edited = try rondoError { _ = try LanguageModel(folder: folder.path) }
        #expect(edited.message.contains("not the configuration"))
    }

    /// Also where constants of the mathematics are no part of the file.
    @Test(arguments: MixerRegistry.builtIn.map { $0.architecture }) func everyMixerComesBack(_ mixer: String) throws {
        var generator = Generator(seed: 4)
        let model = try LanguageModel(.init(mixer: mixer, dModel: 16, nLayers: 1), using: &generator)
        let folder = try TemporaryFolder()
        try model.write(to: folder.path)
        let copy = try withExtendedLifetime(folder) { try LanguageModel(folder: folder.path) }
        let tokens = try Tensor((0..<6).map { Int32($0 * 7) }, shape: [2, 3])
        var states = (try model.initialState(batch: 2), try copy.initialState(batch: 2))
        let (want, got) = (try model.logits(tokens, state: &states.0), try copy.logits(tokens, state: &states.1))
        #expect(try want.array(of: Float.self) == got.array(of: Float.self))
    }
}

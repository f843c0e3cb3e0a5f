import Foundation
import RondoCheckpoints
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Files that are damaged, or that lie: every one is read or refused with an error of Rondo's, soon and without taking
/// more memory than the file's own size justifies.
///
/// `RONDO_FUZZ_ROUNDS` makes runs longer, `RONDO_FUZZ_SEED` different. If the process dies, the folder that
/// `RONDO_FUZZ_FOLDER` names has the file that it read.
@Suite(.timeLimit(.minutes(10))) struct FuzzTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let rounds = environment["RONDO_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 300
    private static let seed = environment["RONDO_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1

    /// What one run may add to the memory of the process, all readers together.
    private static let memory = 1 << 30

    private static func folder(_ name: String) throws -> (path: String, owner: TemporaryFolder?) {
        guard let parent = environment["RONDO_FUZZ_FOLDER"] else {
            let own = try TemporaryFolder()
            return (own.path, own)
        }
        let path = FileSystem.join(parent, name)
        try? FileSystem.makeFolder(path)
        return (path, nil)
    }

    /// Damages one file of a folder again and again, and reads the folder.
    private func fuzz(
        _ name: String, of origin: [String: [UInt8]], file: String, rounds: Int = rounds,
        read: (String) throws -> Void, damage: (inout Mutator) throws -> [UInt8]
    ) throws {
        let (folder, owner) = try Self.folder(name)
        defer { _ = owner }
        for (name, bytes) in origin { try writeQuickly(bytes, to: FileSystem.join(folder, name)) }
        var mutator = Mutator(seed: Self.seed)
        let before = peakMemory
        for _ in 0..<rounds {
            try writeQuickly(damage(&mutator), to: FileSystem.join(folder, file))
            do { try read(folder) } catch is RondoError {}
        }
        #expect(peakMemory - before < Self.memory, "\(name)")
    }

    private static func checkpoint(_ name: String) throws -> [String: [UInt8]] {
        let folder = FileSystem.join(FamilyTests.root, name)
        return try Dictionary(
            uniqueKeysWithValues: [ModelFolder.configuration, ModelFolder.weights].map {
                ($0, try FileSystem.readBytes(FileSystem.join(folder, $0)))
            })
    }

    // MARK: - Weights

    /// The header of a safetensors file as a document, and the data behind it.
    private static func split(_ bytes: [UInt8]) throws -> (header: JSONValue, data: ArraySlice<UInt8>) {
        let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 + Int($1) }
        return (try JSONValue(parsing: bytes[8..<8 + length], source: "header"), bytes[(8 + length)...])
    }

    private static func joined(_ header: [UInt8], _ data: ArraySlice<UInt8>) -> [UInt8] {
        withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
    }

    private func readAll(_ path: String) throws {
        let file = try TensorFile(path, isForeign: true)
        for name in file.names { _ = try file.tensor(name) }
    }

    @Test func safetensorsFiles() throws {
        let origin = try Self.checkpoint("mamba")
        let whole = origin[ModelFolder.weights] ?? []
        let (header, data) = try Self.split(whole)
        let small = data.prefix(4000)
        try fuzz(
            "safetensors", of: [:], file: "x.safetensors", rounds: 4 * Self.rounds,
            read: { try readAll(FileSystem.join($0, "x.safetensors")) },
            damage: { mutator in
                switch mutator.draw(4) {
                case 0: return mutator.damaged(whole)
                case 1: return mutator.length() + whole.dropFirst(8)
                case 2: return Self.joined(mutator.text(mutator.changed(header)), small)
                default: return Self.joined(mutator.text(mutator.changed(mutator.changed(header))), data)
                }
            })
    }

    @Test func indices() throws {
        let copy = try CheckpointCopy("mamba").write(shards: 2)
        let name = "model.safetensors.index.json"
        let index = try JSONValue(contentsOf: copy.folder.file(name))
        var origin: [String: [UInt8]] = [:]
        for file in try FileSystem.list(copy.path) { origin[file] = try FileSystem.readBytes(copy.folder.file(file)) }
        try fuzz(
            "index", of: origin, file: name,
            read: {
                _ = try LanguageModel(checkpoint: $0)
            },
            damage: { $0.text($0.changed(index)) })
    }

    // MARK: - Configurations

    @Test(arguments: FamilyTests.folders) func configurations(_ name: String) throws {
        let origin = try Self.checkpoint(name)
        let config = try JSONValue(parsing: origin[ModelFolder.configuration] ?? [], source: name)
        try fuzz(
            "config-\(name)", of: origin, file: ModelFolder.configuration,
            read: { _ = try LanguageModel(checkpoint: $0) },
            damage: { mutator in
                mutator.text(mutator.changed(mutator.draw(3) == 0 ? mutator.changed(config) : config))
            })
    }

    /// Every option of every mixer at every extreme, in a model of Rondo's own.
    @Test(arguments: MixerRegistry.builtIn.map { $0.architecture }) func ownConfigurations(_ mixer: String) throws {
        var generator = Generator(seed: 1)
        let model = try LanguageModel(.init(mixer: mixer, dModel: 16, nLayers: 1), using: &generator)
        let folder = try TemporaryFolder()
        try model.write(to: folder.path)
        let config = try JSONValue(contentsOf: folder.file(ModelFolder.configuration))
        // Without the check value of the configuration, so that only the sizes tell.
        try TensorFile.write(model.parameters, to: folder.file(ModelFolder.weights))
        let weights = try FileSystem.readBytes(folder.file(ModelFolder.weights))
        try fuzz(
            "own-\(mixer)", of: [ModelFolder.weights: weights], file: ModelFolder.configuration,
            rounds: Self.rounds / 10,
            read: { _ = try LanguageModel(checkpoint: $0) },
            damage: { mutator in
                guard mutator.draw(4) > 0, var object = config.objectValue, let options = object["mixer_options"] else {
                    return mutator.text(mutator.changed(config))
                }
                object["mixer_options"] = mutator.changed(options)
                return mutator.text(.object(object))
            })
    }

    @Test func generationDefaults() throws {
        let config: JSONValue = [
            "do_sample": .bool(true), "temperature": .real(0.5), "top_k": .integer(5), "top_p": .real(0.5),
            "eos_token_id": .array([.integer(1)]), "max_new_tokens": .integer(9),
            "stop_strings": .array([.string("a")]),
        ]
        try fuzz(
            "generation", of: [:], file: GenerationDefaults.fileName, read: { _ = try GenerationDefaults(folder: $0) },
            damage: {
                $0.text($0.changed(config))
            })
    }

    // MARK: - States

    /// The files that Rondo writes carry a check value; here it is right, and the content is not.
    @Test func states() throws {
        var generator = Generator(seed: 1)
        let mixer = try SlidingWindowAttention(.init(), dModel: 8, using: &generator)
        var state = try mixer.initialState(batch: 2)
        _ = try mixer.chunk(generator.normal([2, 3, 8]), state: &state)
        let folder = try TemporaryFolder()
        let path = folder.file("state")
        try mixer.save(state, to: path)
        let file = try TensorFile(path)
        let own = file.metadata.filter { $0.key.hasPrefix("rondo_state") }
        let texts = try own.mapValues { try JSONValue(parsing: $0, source: "state") }
        let tensors = ParameterSet(paths: file.names, tensors: try file.names.map { try file.tensor($0) })
        let whole = try FileSystem.readBytes(path)
        try #require(!texts.isEmpty)
        try fuzz(
            "state", of: [:], file: "state",
            read: { _ = try mixer.restoreState(from: FileSystem.join($0, "state"), batch: 2) },
            damage: { mutator in
                guard mutator.draw(3) > 0 else { return mutator.damaged(whole) }
                let metadata = texts.mapValues { String(decoding: mutator.text(mutator.changed($0)), as: UTF8.self) }
                try TensorFile.write(tensors, to: folder.file("changed"), metadata: metadata)
                return try FileSystem.readBytes(folder.file("changed"))
            })
    }

    @Test func generationStates() throws {
        var generator = Generator(seed: 1)
        let model = try LanguageModel(.init(mixer: "gru,attention", dModel: 8, nLayers: 2), using: &generator)
        var text = try TextGenerator(model, seed: 3)
        try text.read([1, 2, 3])
        let folder = try TemporaryFolder()
        let path = folder.file("state")
        try text.save(to: path)
        let file = try TensorFile(path)
        let texts = try file.metadata.filter { $0.key.hasPrefix("rondo_generation") }
            .mapValues { try JSONValue(parsing: $0, source: "state") }
        let tensors = ParameterSet(paths: file.names, tensors: try file.names.map { try file.tensor($0) })
        try #require(!texts.isEmpty)
        try fuzz(
            "generation-state", of: [:], file: "state",
            read: { folder in
                var resumed = try TextGenerator(model, resuming: FileSystem.join(folder, "state"))
                _ = try resumed.next()
            },
            damage: { mutator in
                let metadata = texts.mapValues { String(decoding: mutator.text(mutator.changed($0)), as: UTF8.self) }
                try TensorFile.write(tensors, to: folder.file("changed"), metadata: metadata)
                return try FileSystem.readBytes(folder.file("changed"))
            })
    }
}

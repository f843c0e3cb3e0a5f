import RondoCheckpoints
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport

/// A copy of a committed checkpoint in a folder of its own, to be changed.
final class CheckpointCopy {
    let folder: TemporaryFolder
    /// The weights, by name; ``write()`` puts them into one file, ``write(shards:)`` into several.
    var tensors: [String: Tensor] = [:]
    /// `config.json`.
    var config: JSONObject

    init(_ name: String) throws {
        let origin = FileSystem.join(FamilyTests.root, name)
        folder = try TemporaryFolder()
        let file = try TensorFile(FileSystem.join(origin, ModelFolder.weights), isForeign: true)
        for name in file.names { tensors[name] = try file.tensor(name) }
        let path = FileSystem.join(origin, ModelFolder.configuration)
        config = try JSONValue(foreignContentsOf: path).objectValue ?? JSONObject()
    }

    var path: String { folder.path }

    /// Writes configuration and weights as they are now.
    @discardableResult func write() throws -> CheckpointCopy {
        try writeConfig()
        try write(tensors.keys.sorted(), to: ModelFolder.weights)
        return self
    }

    /// Writes the weights into several files with an index.
    @discardableResult func write(shards: Int) throws -> CheckpointCopy {
        try writeConfig()
        var map = JSONObject()
        for shard in 0..<shards {
            let file = "model-0000\(shard + 1)-of-0000\(shards).safetensors"
            let names = tensors.keys.sorted().enumerated().filter { $0.offset % shards == shard }.map(\.element)
            for name in names { map[name] = .string(file) }
            try write(names, to: file)
        }
        try writeIndex(map)
        return self
    }

    /// Reads what is in the folder.
    func load(dtype: DType = .float32, allowsNonFinite: Bool = false) throws -> LanguageModel {
        // The folder lives as long as this object.
        try withExtendedLifetime(self) {
            try LanguageModel(checkpoint: path, dtype: dtype, allowsNonFinite: allowsNonFinite)
        }
    }

    func writeConfig() throws {
        try AtomicFile.write(JSONValue.object(config).text(), to: folder.file(ModelFolder.configuration))
    }

    func writeIndex(_ map: JSONObject) throws {
        let index: JSONValue = ["metadata": ["total_size": .integer(0)], "weight_map": .object(map)]
        try AtomicFile.write(index.text(), to: folder.file("model.safetensors.index.json"))
    }

    func write(_ names: [String], to file: String) throws {
        let set = ParameterSet(paths: names, tensors: names.compactMap { tensors[$0] })
        try TensorFile.write(set, to: folder.file(file))
    }

    /// Changes the type of all weights.
    func cast(to dtype: DType) throws { tensors = try tensors.mapValues { try $0.cast(to: dtype) } }
}

import RondoIO
import RondoMixers
import RondoModels
import RondoTensor

/// The tensors of a checkpoint's folder: one file, or several with an index that says which tensor is in which.
struct WeightFiles {
    private static let index = "model.safetensors.index.json"
    private let folder: String
    private let files: [TensorFile]
    private let owners: [String: Int]

    /// Opens all files and checks their descriptions; no tensor is read.
    ///
    /// - Throws: `RondoError` that names the file, or says what to do about formats that are not read.
    init(folder: String) throws {
        self.folder = folder
        let single = FileSystem.join(folder, ModelFolder.weights)
        if FileSystem.kind(of: single) != nil {
            files = [try TensorFile(single, isForeign: true)]
            owners = Dictionary(uniqueKeysWithValues: files[0].names.map { ($0, 0) })
            return
        }
        let index = FileSystem.join(folder, Self.index)
        guard FileSystem.kind(of: index) != nil else { throw Self.noWeights(folder) }
        let map = try Self.weightMap(index)
        let names = Set(map.map(\.file)).sorted()
        let absent = names.filter { FileSystem.kind(of: FileSystem.join(folder, $0)) == nil }
        guard absent.isEmpty else {
            throw RondoError(
                .notFound,
                "'\(folder)' has no \(absent.joined(separator: ", ")), of which '\(index)' speaks; get all files of the "
                    + "checkpoint")
        }
        files = try names.map { try TensorFile(FileSystem.join(folder, $0), isForeign: true) }
        var owners: [String: Int] = [:]
        for (position, file) in files.enumerated() {
            for name in file.names {
                guard owners.updateValue(position, forKey: name) == nil else {
                    throw RondoError(.corruptFile, "'\(folder)': tensor '\(name)' is in two files")
                }
            }
        }
        for (tensor, file) in map where owners[tensor].map({ names[$0] }) != file {
            throw RondoError(.corruptFile, "'\(index)': tensor '\(tensor)' is not in '\(file)'")
        }
        self.owners = owners
    }

    /// The names of all tensors.
    var names: [String] { owners.keys.sorted() }

    /// All tensors, file by file.
    var stored: [StoredTensor] {
        files.flatMap(\.entries).map(StoredTensor.init)
    }

    /// The shapes of all tensors.
    var shapes: [String: [Int]] { owners.reduce(into: [:]) { $0[$1.key] = files[$1.value].shape($1.key) } }

    /// The shape of a tensor, if there is one of that name.
    func shape(_ name: String) -> [Int]? { owners[name].flatMap { files[$0].shape(name) } }

    /// The type of a tensor's elements, if there is one of that name and Rondo has the type.
    func dtype(_ name: String) -> DType? { owners[name].flatMap { files[$0].dtype(name) } }

    /// The bytes of all tensors.
    var byteCount: Int { files.reduce(0) { $0 + $1.dataByteCount } }

    /// The type of all of these tensors, if it is one that a model of `dtype` can compute with.
    func commonType(of parts: [TensorRule.Part], computedIn dtype: DType) -> DType? {
        let types = Set(parts.map { self.dtype($0.name) })
        guard types.count == 1, let type = types.first.flatMap({ $0 }), DType.weightTypes.contains(type),
            type.computationType == dtype
        else { return nil }
        return type
    }

    /// Reads a tensor as it is stored.
    func tensor(_ name: String) throws -> Tensor {
        guard let owner = owners[name] else {
            throw RondoError(.notFound, "'\(folder)' has no tensor '\(name)'")
        }
        return try files[owner].tensor(name)
    }

    /// Which file each tensor is in; file names must be plain, so that an index cannot lead out of its folder.
    private static func weightMap(_ path: String) throws -> [(tensor: String, file: String)] {
        guard let map = try JSONValue(contentsOf: path)["weight_map"]?.objectValue else {
            throw RondoError(.corruptFile, "'\(path)' has no object weight_map")
        }
        return try map.members.map { tensor, value in
            guard let file = value.stringValue, isPlain(file) else {
                throw RondoError(
                    .corruptFile,
                    "'\(path)': weight_map of '\(tensor)' must name a .safetensors file of the same folder")
            }
            return (tensor, file)
        }
    }

    /// Whether a name stays in its folder.
    ///
    /// Bytes are looked at, not characters: an accent after a slash would hide it.
    private static func isPlain(_ file: String) -> Bool {
        file.hasSuffix(".safetensors") && file.utf8.first != UInt8(ascii: ".")
            && file.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\") }
    }

    private static func noWeights(_ folder: String) -> RondoError {
        let pickles = ["pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model.pt"]
        if let pickle = pickles.first(where: { FileSystem.kind(of: FileSystem.join(folder, $0)) != nil }) {
            return RondoError(
                .unavailable,
                "'\(folder)' has only '\(pickle)', a pickle, which can run any program when read; get the "
                    + "safetensors version of the model, or convert it where you trust it: "
                    + "model.save_pretrained(folder, safe_serialization=True)")
        }
        return RondoError(
            .notFound, "'\(folder)' has neither \(ModelFolder.weights) nor \(index); name the folder of a checkpoint")
    }
}

import RondoIO
import RondoMixers
public import RondoModels
import RondoNN
import RondoTensor

/// The names of the files of adapters, as in PEFT's folders.
public enum AdapterFolder {
    /// Rank, scale, and the model they are for.
    public static let configuration = "adapter_config.json"
    /// Additions to matrices.
    public static let weights = "adapter_model.safetensors"
    /// A learned beginning; PEFT has none.
    public static let initialState = "initial_state.safetensors"
}

extension ModelAdapters {
    private static let prefix = "base_model.model."
    private static let stateKey = "rondo_initial_state"

    /// Whether a folder holds adapters.
    public static func isFolder(_ folder: String) -> Bool {
        FileSystem.kind(of: FileSystem.join(folder, AdapterFolder.configuration)) == .file
    }

    /// The folder of the model that the adapters of a folder are for.
    ///
    /// - Throws: `RondoError` if the folder does not say.
    public static func baseFolder(of folder: String) throws -> String {
        let path = FileSystem.join(folder, AdapterFolder.configuration)
        guard let base = try JSONValue(contentsOf: path)["base_model_name_or_path"]?.stringValue, !base.isEmpty else {
            throw RondoError(.corruptFile, "'\(path)': base_model_name_or_path must name the model's folder")
        }
        return base
    }

    // MARK: - Out

    /// Writes the adapters in PEFT's layout into an existing folder.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - base: The model they are for.
    ///   - baseFolder: Its folder, to be found again.
    ///   - family: Its model type, whose names of matrices are used; Rondo's own if `nil`.
    /// - Throws: `RondoError` that names the file.
    public func write(to folder: String, base: LanguageModel, folder baseFolder: String, family: String?) throws {
        let map = try Self.map(base, family)
        var named: [(String, Tensor)] = []
        for entry in lowRank?.entries ?? [] {
            for (name, rows) in try Self.parts(entry.path, rows: entry.b.shape[0], map) {
                named.append(("\(Self.prefix)\(name).lora_A.weight", entry.a))
                named.append(("\(Self.prefix)\(name).lora_B.weight", try entry.b.sliced(0, rows).contiguous()))
            }
        }
        try AtomicFile.write(
            configuration(baseFolder, named.map(\.0)).text(.pretty) + "\n",
            to: FileSystem.join(folder, AdapterFolder.configuration))
        if lowRank != nil {
            try TensorFile.write(
                ParameterSet(paths: named.map(\.0), tensors: named.map(\.1)),
                to: FileSystem.join(folder, AdapterFolder.weights))
        }
        if let initialState {
            try TensorFile.write(
                initialState.state.named, to: FileSystem.join(folder, AdapterFolder.initialState),
                metadata: [Self.stateKey: base.configuration.digest()])
        }
    }

    private func configuration(_ base: String, _ names: [String]) -> JSONValue {
        let modules = names.compactMap { $0.split(separator: ".").dropLast(2).last.map(String.init) }
        let rank = lowRank?.entries.first?.a.shape[0] ?? 0
        return [
            "peft_type": .string("LORA"), "task_type": .string("CAUSAL_LM"), "base_model_name_or_path": .string(base),
            "r": .integer(rank), "lora_alpha": .real((lowRank?.scale ?? 1) * Double(rank)), "lora_dropout": .real(0.0),
            "bias": .string("none"), "fan_in_fan_out": .bool(false), "inference_mode": .bool(true),
            "target_modules": .array(Set(modules).sorted().map { .string($0) }),
        ]
    }

    // MARK: - In

    /// Reads the adapters of a folder.
    ///
    /// - Parameters:
    ///   - folder: The folder, in PEFT's layout.
    ///   - base: The model they are for.
    ///   - family: Its model type, if another program wrote it.
    /// - Throws: `RondoError` for damaged files and for adapters of another kind or model.
    public init(folder: String, for base: LanguageModel, family: String? = nil) throws {
        let weights = FileSystem.join(folder, AdapterFolder.weights)
        let state = FileSystem.join(folder, AdapterFolder.initialState)
        self.init()
        if FileSystem.kind(of: weights) == .file {
            let scale = try Self.scale(FileSystem.join(folder, AdapterFolder.configuration))
            lowRank = try Self.lowRank(TensorFile(weights, isForeign: true), scale, base, family)
        }
        if FileSystem.kind(of: state) == .file {
            let file = try TensorFile(state)
            guard try file.metadata[Self.stateKey] == base.configuration.digest() else {
                throw RondoError(.corruptFile, "'\(state)' is the initial state of another model")
            }
            let own = try base.initialState(batch: 1)
            initialState = LearnedState(try own.replacingTensors(file.read(own.named.expectations).tensors))
        }
        guard lowRank != nil || initialState != nil else {
            throw RondoError(
                .notFound, "'\(folder)' has neither \(AdapterFolder.weights) nor \(AdapterFolder.initialState)")
        }
    }

    /// α / rank; refuses kinds of adapters that are computed in another way.
    private static func scale(_ path: String) throws -> Double {
        let tree = try JSONValue(foreignContentsOf: path)
        var reader = ConfigurationReader(tree.objectValue ?? JSONObject(), source: "'\(path)'")
        reader.require("peft_type", oneOf: [.string("LORA")])
        for key in ["use_dora", "fan_in_fan_out"] { reader.require(key, oneOf: [.bool(false)]) }
        for key in ["rank_pattern", "alpha_pattern"] { reader.require(key, oneOf: [[:]]) }
        reader.require("modules_to_save", oneOf: [.array([])])
        reader.require("bias", oneOf: [.string("none")])
        let (rank, alpha) = (reader.int("r", default: 8), reader.double("lora_alpha", default: 8))
        let rankScale = reader.bool("use_rslora", default: false) ? Double(rank).squareRoot() : Double(rank)
        try reader.finish(allowsUnread: true)
        return alpha / max(1, rankScale)
    }

    /// Additions to the parts of a stacked matrix become one whose rank is the sum of theirs.
    private static func lowRank(
        _ file: TensorFile, _ scale: Double, _ base: LanguageModel, _ family: String?
    ) throws -> LowRankAdapters {
        let map = try map(base, family)
        var unread = Set(file.names)
        func take(_ name: String) throws -> Tensor? {
            guard unread.remove(name) != nil else { return nil }
            return try file.tensor(name).cast(to: base.dtype)
        }
        let all = base.parameters
        var entries: [LowRankAdapters.Entry] = []
        for (path, weight) in zip(all.paths, all.tensors) where weight.rank == 2 {
            var found: [(rows: Range<Int>, a: Tensor, b: Tensor)] = []
            for (name, rows) in try parts(path, rows: weight.shape[0], map) {
                guard let a = try take("\(prefix)\(name).lora_A.weight"),
                    let b = try take("\(prefix)\(name).lora_B.weight")
                else { continue }
                guard a.rank == 2, b.rank == 2, a.shape[1] == weight.shape[1], b.shape == [rows.count, a.shape[0]]
                else {
                    throw RondoError(
                        .corruptFile,
                        "'\(file.path)': the adapter of '\(name)' has shapes \(a.shape) and \(b.shape), the matrix is "
                            + "[\(rows.count), \(weight.shape[1])]")
                }
                found.append((rows, a, b))
            }
            if !found.isEmpty { entries.append(try stacked(path, found, outputs: weight.shape[0])) }
        }
        guard unread.isEmpty else {
            throw RondoError(
                .corruptFile,
                "'\(file.path)': the model has no matrices for \(unread.sorted().joined(separator: ", "))")
        }
        return LowRankAdapters(scale: scale, entries: entries)
    }

    private static func stacked(
        _ path: String, _ parts: [(rows: Range<Int>, a: Tensor, b: Tensor)], outputs: Int
    ) throws -> LowRankAdapters.Entry {
        // Written from one addition, all parts have the same A: then they are that one again.
        let covered = parts.reduce(0) { $0 + $1.rows.count }
        if covered == outputs, try parts.dropFirst().allSatisfy({ try $0.a.hasElements(of: parts[0].a) }) {
            return LowRankAdapters.Entry(
                path: path, a: parts[0].a, b: try Tensor.concatenate(parts.map(\.b), axis: 0))
        }
        let columns = try parts.map { part in
            let own = part.a.shape[0]
            func zeros(_ count: Int) throws -> Tensor { try Tensor.zeros([count, own], dtype: part.b.dtype) }
            return try Tensor.concatenate(
                [zeros(part.rows.lowerBound), part.b, zeros(outputs - part.rows.upperBound)], axis: 0)
        }
        return LowRankAdapters.Entry(
            path: path, a: try Tensor.concatenate(parts.map(\.a), axis: 0),
            b: try Tensor.concatenate(columns, axis: 1))
    }

    // MARK: - Names

    private static func map(_ base: LanguageModel, _ family: String?) throws -> TensorMap? {
        guard let family else { return nil }
        let type = try CheckpointFamilies.family(ofType: family, source: "adapters")
        var map = TensorMap(base.parameters)
        type.addRules(to: &map, model: base.configuration, keys: JSONObject())
        return map
    }

    /// The modules whose matrices make up a parameter, with their rows.
    private static func parts(_ path: String, rows: Int, _ map: TensorMap?) throws -> [(name: String, rows: Range<Int>)]
    {
        let suffix = ".weight"
        guard path.hasSuffix(suffix) else { return [] }
        guard let map else { return [(String(path.dropLast(suffix.count)), 0..<rows)] }
        var start = 0
        return try map.rule(path, family: "adapters").parts.compactMap { part in
            let own = start..<start + (part.shape.first ?? 0)
            start = own.upperBound
            return part.name.hasSuffix(suffix) ? (String(part.name.dropLast(suffix.count)), own) : nil
        }
    }
}

extension Tensor {
    /// Whether shapes and all elements are equal.
    fileprivate func hasElements(of other: Tensor) throws -> Bool {
        guard shape == other.shape, count > 0 else { return shape == other.shape }
        return try (self - other).abs().max().scalar() == 0
    }
}

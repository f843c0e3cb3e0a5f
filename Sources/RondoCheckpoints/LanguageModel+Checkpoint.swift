import RondoIO
import RondoMixers
public import RondoModels
import RondoNN
public import RondoTensor

extension LanguageModel {
    /// Loads a model from a folder: Rondo's own, or one that a program of a known family wrote.
    ///
    /// - Parameters:
    ///   - folder: The folder, with `config.json` and weights in one safetensors file or several.
    ///   - dtype: The type that parameters are converted to; float32 or float64.
    ///   - allowsNonFinite: Whether weights may be infinite or no numbers; then none is looked at.
    /// - Throws: `RondoError` that names the file and lists every key, tensor or shape that does not fit, or, with code
    ///   `notFinite`, every tensor that is not finite.
    public init(checkpoint folder: String, dtype: DType = .float32, allowsNonFinite: Bool = false) throws {
        self = try Checkpoint(folder: folder).model(dtype: dtype, allowsNonFinite: allowsNonFinite)
    }
}

/// Refuses weights with these tensors that are not finite.
func requireFinite(_ offenders: [String], in folder: String) throws {
    guard !offenders.isEmpty else { return }
    throw RondoError(
        .notFinite,
        "'\(folder)': infinite or no numbers are in \(offenders.map { "'\($0)'" }.joined(separator: ", ")); the file is "
            + "damaged or its training diverged: use another checkpoint")
}

extension CheckpointFamily {
    static func model(
        _ checkpoint: Checkpoint, dtype: DType, keepsStored: Bool, allowsNonFinite: Bool
    ) throws -> LanguageModel {
        let (configuration, folder) = (checkpoint.configuration, checkpoint.folder)
        let files = try WeightFiles(folder: folder)
        let outline = try LanguageModel(
            outlining: configuration, dtype: dtype, tensorCount: files.names.count, byteCount: files.byteCount,
            source: FileSystem.join(folder, ModelFolder.configuration))
        let (expected, matrices) = (outline.parameters, keepsStored ? outline.matrixPaths : [])
        var map = TensorMap(expected, files: files)
        addRules(to: &map, model: configuration, keys: checkpoint.keys)
        try check(files, expected, map, folder: folder)
        var offenders: [String] = []
        let tensors = try zip(expected.paths, expected.tensors).map { path, parameter in
            let rule = try map.rule(path, family: modelType)
            let kept = matrices.contains(path) ? files.commonType(of: rule.parts, computedIn: dtype) : nil
            let value = try rule.parameter(parameter.shape) { part in
                let stored = try files.tensor(part.name)
                let tensor = try stored.cast(to: dtype)
                if try !allowsNonFinite && !tensor.isFinite() { offenders.append(part.name) }
                // What needs no arithmetic stays a view of the file.
                return kept != nil && rule.isPlain ? stored : tensor
            }
            return try kept.map { try value.cast(to: $0) } ?? value
        }
        try requireFinite(Set(offenders).sorted(), in: folder)
        return try LanguageModel(configuration, parameters: tensors)
    }

    /// Compares what the file holds with what the model needs, and tells all differences at once.
    private static func check(
        _ files: WeightFiles, _ expected: ParameterSet, _ map: TensorMap, folder: String
    ) throws {
        var problems: [String] = []
        var used: Set<String> = []
        for path in expected.paths {
            for part in try map.rule(path, family: modelType).parts {
                used.insert(part.name)
                guard let found = files.shape(part.name) else {
                    problems.append("missing '\(part.name)' \(part.shape)")
                    continue
                }
                let dtype = files.dtype(part.name)
                if dtype?.isReal != true {
                    problems.append(
                        "'\(part.name)' has elements of type \(dtype?.rawValue ?? "that is unknown here"), should be "
                            + "numbers")
                }
                if found != Array(part.shape) { problems.append("'\(part.name)' should be \(part.shape), is \(found)") }
            }
        }
        // Some programs store a tied head once more. It is not read: the embedding speaks for it, as in transformers.
        if let head = map.namesWithoutParameter["head.weight"],
            files.shape(head) == map.shape("embedding.weight").map(Array.init)
        {
            used.insert(head)
        }
        problems += files.names.filter { !used.contains($0) }
            .map { "unknown '\($0)' \(files.shape($0) ?? [])" }
        guard problems.isEmpty else {
            throw RondoError(
                .corruptFile,
                "'\(folder)': the weights do not fit \(ModelFolder.configuration) (\(modelType)): "
                    + problems.joined(separator: "; "))
        }
    }
}

extension LanguageModel {
    /// Writes the model as a folder of a family of checkpoints, which other programs load.
    ///
    /// - Parameters:
    ///   - family: The family.
    ///   - folder: An existing folder.
    ///   - dtype: The type of the weights in the file: float32, bfloat16 or float16.
    /// - Throws: `RondoError` if the family has no such model, or that names the file.
    public func write(
        as family: any CheckpointFamily.Type, to folder: String, dtype: DType = .float32
    ) throws {
        var object = try family.keys(for: configuration)
        object["architectures"] = .array([.string(family.architecture)])
        object["model_type"] = .string(family.modelType)
        object["vocab_size"] = .integer(configuration.vocabSize)
        object["tie_word_embeddings"] = .bool(configuration.tieEmbeddings)
        object["dtype"] = .string(dtype.rawValue)
        let all = parameters
        var map = TensorMap(all)
        family.addRules(to: &map, model: configuration, keys: object)
        var named: [(name: String, tensor: Tensor)] = []
        for (path, parameter) in zip(all.paths, all.tensors) {
            named += try map.rule(path, family: family.modelType).tensors(of: parameter)
                .map { ($0.name, try $0.tensor.contiguous().cast(to: dtype)) }
        }
        let set = ParameterSet(paths: named.map(\.name), tensors: named.map(\.tensor))
        try AtomicFile.write(
            JSONValue.object(object).text(.pretty) + "\n", to: FileSystem.join(folder, ModelFolder.configuration))
        try TensorFile.write(set, to: FileSystem.join(folder, ModelFolder.weights))
    }

    /// The families that have a place for this model.
    public var fittingFamilies: [any CheckpointFamily.Type] {
        CheckpointFamilies.all.filter { (try? $0.keys(for: configuration)) != nil }
    }
}

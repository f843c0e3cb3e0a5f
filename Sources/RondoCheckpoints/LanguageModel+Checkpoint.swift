import RondoIO
import RondoMixers
public import RondoModels
import RondoNN
public import RondoTensor

extension LanguageModel {
    /// Loads a model from a folder: Rondo's own, or one that a program of a known family wrote.
    ///
    /// - Parameters:
    ///   - checkpoint: The folder, with `config.json` and weights in one safetensors file or several.
    ///   - dtype: The type that parameters are converted to; float32 or float64.
    /// - Throws: `RondoError` that names the file and lists every key, tensor or shape that does not fit.
    public init(checkpoint folder: String, dtype: DType = .float32) throws {
        let path = FileSystem.join(folder, ModelFolder.configuration)
        guard FileSystem.kind(of: path) == .file else {
            throw RondoError(.notFound, "'\(folder)' has no \(ModelFolder.configuration); name the folder of a model")
        }
        let tree = try JSONValue(foreignContentsOf: path)
        guard let object = tree.objectValue, let type = tree["model_type"]?.stringValue else {
            throw RondoError(.corruptFile, "'\(path)': model_type must say what kind of model this is")
        }
        if type == LanguageModelConfiguration.modelType {
            self = try LanguageModel(folder: folder).cast(to: dtype)
            return
        }
        let family = try CheckpointFamilies.family(ofType: type, source: "'\(path)'")
        self = try family.model(object, path: path, folder: folder, dtype: dtype)
    }
}

extension CheckpointFamily {
    fileprivate static func model(
        _ object: JSONObject, path: String, folder: String, dtype: DType
    ) throws -> LanguageModel {
        var keys = ConfigurationReader(object, source: "'\(path)'")
        let configuration = configuration(from: &keys)
        try keys.finish()
        do {
            try configuration.validate()
        } catch let error as RondoError {
            throw RondoError(error.code, "'\(path)': \(error.message)")
        }
        var placeholder = Generator.placeholder
        let empty = try LanguageModel(configuration, dtype: dtype, using: &placeholder)
        let expected = empty.parameters
        let files = try WeightFiles(folder: folder)
        var map = TensorMap(expected, files: files)
        addRules(to: &map, model: configuration, keys: object)
        try check(files, expected, map, folder: folder)
        let tensors = try zip(expected.paths, expected.tensors).map { path, parameter in
            try map.rule(path, family: modelType).parameter(parameter.shape) {
                try files.tensor($0.name).cast(to: dtype)
            }
        }
        return empty.replacingParameters(tensors)
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
                if found != part.shape { problems.append("'\(part.name)' should be \(part.shape), is \(found)") }
            }
        }
        problems += files.names.filter { !used.contains($0) && !isRedundant($0) }
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

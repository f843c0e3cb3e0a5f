public import RondoIO
import RondoMixers
public import RondoModels
import RondoNN
public import RondoTensor

/// A tensor in the files of a checkpoint.
public struct StoredTensor: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its element type, as safetensors names it.
    public var dtype: String
    /// Its shape.
    public var shape: [Int]
    /// Its bytes.
    public var byteCount: Int

    /// Describes a tensor of a safetensors file.
    public init(_ entry: SafetensorsFile.Entry) {
        (name, dtype, shape, byteCount) = (entry.name, entry.dtype.rawValue, entry.shape, entry.dataRange.count)
    }
}

/// A folder with a model, of which only `config.json` has been read.
public struct Checkpoint: Sendable {
    /// The folder.
    public let folder: String
    /// What `model_type` says.
    public let modelType: String
    /// The model, in Rondo's terms.
    public let configuration: LanguageModelConfiguration
    /// Whose layout it is; Rondo's own if `nil`.
    public let family: (any CheckpointFamily.Type)?
    /// The keys of `config.json`.
    let keys: JSONObject

    /// Reads the configuration.
    ///
    /// - Parameter folder: The folder, with `config.json`.
    /// - Throws: `RondoError` that names the file and lists every key that is not supported.
    public init(folder: String) throws {
        self.folder = folder
        let path = FileSystem.join(folder, ModelFolder.configuration)
        guard FileSystem.kind(of: path) == .file else {
            throw RondoError(.notFound, "'\(folder)' has no \(ModelFolder.configuration); name the folder of a model")
        }
        let tree = try JSONValue(foreignContentsOf: path)
        guard !SignalModel.isConfiguration(tree) else {
            throw RondoError(
                .invalidArgument,
                "'\(folder)' is a model of signals (\(SignalModel.modelType)): it reads numbers instead of tokens, and "
                    + "only `rondo evaluate` of its run can use it")
        }
        guard let object = tree.objectValue, let type = tree["model_type"]?.stringValue else {
            throw RondoError(.corruptFile, "'\(path)': model_type must say what kind of model this is")
        }
        (modelType, keys) = (type, object)
        guard type != LanguageModelConfiguration.modelType else {
            family = nil
            configuration = try StrictJSON.decode(LanguageModelConfiguration.self, from: tree, source: path)
            try Self.validate(configuration, path)
            return
        }
        let family = try CheckpointFamilies.family(ofType: type, source: "'\(path)'")
        var reader = ConfigurationReader(object, source: "'\(path)'")
        configuration = family.configuration(from: &reader)
        self.family = family
        try reader.finish()
        try Self.validate(configuration, path)
    }

    private static func validate(_ configuration: LanguageModelConfiguration, _ path: String) throws {
        do {
            try configuration.validate()
        } catch let error as RondoError {
            throw RondoError(error.code, "'\(path)': \(error.message)")
        }
    }

    /// The tensors of the weights' files, of which only the descriptions are read.
    ///
    /// - Returns: Their descriptions, file by file.
    /// - Throws: `RondoError` for missing or damaged files.
    public func tensors() throws -> [StoredTensor] { try WeightFiles(folder: folder).stored }

    /// How large the model is, by its configuration alone, however its weights are stored.
    ///
    /// - Returns: The number of parameters, and the bytes of the state of one sequence before its first token.
    /// - Throws: `RondoError` when the configuration cannot be built.
    public func sizes() throws -> (parameterCount: Int, stateByteCount: Int) {
        var placeholder = Generator.placeholder
        let outline = try LanguageModel(configuration, using: &placeholder)
        return (outline.parameterCount, try outline.initialState(batch: 1).byteCount)
    }

    /// Loads the model.
    ///
    /// - Parameters:
    ///   - dtype: The type that parameters are converted to; float32 or float64.
    ///   - keepsStored: Whether matrices stay in the type in which they are stored, and views of the file: what a model
    ///     that is only read with is best loaded with.
    ///   - allowsNonFinite: Whether weights may be infinite or no numbers; then none is looked at.
    /// - Returns: The model.
    /// - Throws: `RondoError` that lists every tensor that does not fit, or that is not finite.
    public func model(
        dtype: DType = .float32, keepsStored: Bool = false, allowsNonFinite: Bool = false
    ) throws -> LanguageModel {
        if let family {
            return try family.model(self, dtype: dtype, keepsStored: keepsStored, allowsNonFinite: allowsNonFinite)
        }
        let model = try LanguageModel(folder: folder, dtype: dtype, keepsStored: keepsStored)
        if !allowsNonFinite {
            let all = model.parameters
            try requireFinite(zip(all.paths, all.tensors).filter { try !$1.isFinite() }.map(\.0), in: folder)
        }
        return model
    }
}

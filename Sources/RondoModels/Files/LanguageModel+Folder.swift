import RondoIO
import RondoMixers
import RondoNN
public import RondoTensor

/// The names of the files of a model, as in Hugging Face's repositories.
public enum ModelFolder {
    /// The shape of the model.
    public static let configuration = "config.json"
    /// The weights.
    public static let weights = "model.safetensors"
    /// The average of the weights over the training, if one was kept: what a trained model is best used with.
    public static let averagedWeights = "ema.safetensors"
}

extension LanguageModel {
    private static let digestKey = "rondo_config"

    /// Loads the model of a folder in Hugging Face layout (`config.json`, `model.safetensors`).
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - averaged: Whether the averaged weights are taken if the folder has them.
    /// - Throws: `RondoError` that names the file and lists everything that does not fit.
    public init(folder: String, averaged: Bool = true) throws {
        guard FileSystem.kind(of: folder) == .folder else {
            throw RondoError(.notFound, "model '\(folder)': there is no such folder; name the folder of a checkpoint")
        }
        let average = FileSystem.join(folder, ModelFolder.averagedWeights)
        let usesAverage = averaged && FileSystem.kind(of: average) != nil
        try self.init(
            configurationFile: FileSystem.join(folder, ModelFolder.configuration),
            weightsFile: usesAverage ? average : FileSystem.join(folder, ModelFolder.weights))
    }

    private init(configurationFile: String, weightsFile: String) throws {
        let configuration = try StrictJSON.decode(
            LanguageModelConfiguration.self, contentsOf: configurationFile)
        do {
            try configuration.validate()
        } catch let error as RondoError {
            throw RondoError(error.code, "'\(configurationFile)': \(error.message)")
        }
        let file = try TensorFile(weightsFile, isForeign: true)
        if let digest = file.metadata[Self.digestKey], try digest != configuration.digest() {
            throw RondoError(
                .corruptFile,
                "'\(configurationFile)' is not the configuration that '\(weightsFile)' was saved with; "
                    + "restore both from the same checkpoint")
        }
        var generator = Generator(seed: 0)
        let empty = try LanguageModel(configuration, using: &generator)
        self = try empty.replacingParameters(file.read(empty.expectations, castsTypes: true).tensors)
    }

    /// Writes `config.json` and the weights into an existing folder.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - dtype: The type of the weights in the file; that of the model if `nil`.
    /// - Throws: `RondoError` that names the file.
    public func write(to folder: String, dtype: DType? = nil) throws {
        try StrictJSON.write(configuration, to: FileSystem.join(folder, ModelFolder.configuration))
        try writeWeights(to: FileSystem.join(folder, ModelFolder.weights), dtype: dtype)
    }

    /// Writes the weights alone, for example averages of them.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - dtype: The type of the weights in the file; that of the model if `nil`.
    /// - Throws: `RondoError` that names the file.
    public func writeWeights(to path: String, dtype: DType? = nil) throws {
        var all = parameters
        if let dtype { all.tensors = try all.tensors.map { try $0.cast(to: dtype) } }
        try TensorFile.write(all, to: path, metadata: [Self.digestKey: configuration.digest()])
    }
}

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
    ///   - dtype: The type that parameters are converted to.
    ///   - keepsStored: Whether matrices stay in the type in which they are stored, and views of the file.
    /// - Throws: `RondoError` that names the file and lists everything that does not fit.
    public init(
        folder: String, averaged: Bool = true, dtype: DType = .float32, keepsStored: Bool = false
    ) throws {
        guard FileSystem.kind(of: folder) == .folder else {
            throw RondoError(.notFound, "model '\(folder)': there is no such folder; name the folder of a checkpoint")
        }
        let average = FileSystem.join(folder, ModelFolder.averagedWeights)
        let usesAverage = averaged && FileSystem.kind(of: average) != nil
        try self.init(
            configurationFile: FileSystem.join(folder, ModelFolder.configuration),
            weightsFile: usesAverage ? average : FileSystem.join(folder, ModelFolder.weights), dtype, keepsStored)
    }

    private init(
        configurationFile: String, weightsFile: String, _ dtype: DType, _ keepsStored: Bool
    ) throws {
        let configuration = try StrictJSON.decode(
            LanguageModelConfiguration.self, contentsOf: configurationFile)
        let file = try TensorFile(weightsFile, isForeign: true)
        if let digest = file.metadata[Self.digestKey], try digest != configuration.digest() {
            throw RondoError(
                .corruptFile,
                "'\(configurationFile)' is not the configuration that '\(weightsFile)' was saved with; "
                    + "restore both from the same checkpoint")
        }
        let outline = try LanguageModel(
            outlining: configuration, dtype: dtype, tensorCount: file.names.count, byteCount: file.dataByteCount,
            source: configurationFile)
        let kept = keepsStored ? outline.matrixPaths : []
        let tensors = try file.read(outline.expectations, castsTypes: true, keepsStored: kept).tensors
        try self.init(configuration, parameters: tensors)
    }

    /// A model with the names and shapes of its parameters and nothing else, to be compared with a file of weights.
    ///
    /// What the configuration claims is compared with the size of the weights before anything is built for it.
    ///
    /// - Parameters:
    ///   - configuration: The shape of the model.
    ///   - dtype: The type of the parameters.
    ///   - tensorCount: How many tensors the weights have.
    ///   - byteCount: How many bytes they take.
    ///   - source: What to call the configuration in errors.
    /// - Throws: `RondoError` for an impossible configuration, or one that needs far more weights than there are.
    package init(
        outlining configuration: LanguageModelConfiguration, dtype: DType = .float32, tensorCount: Int,
        byteCount: Int, source: String
    ) throws {
        let (table, overflow) = configuration.vocabSize.multipliedReportingOverflow(by: configuration.dModel)
        // An element takes half a byte at least.
        guard !overflow, table <= 2 * byteCount, configuration.layerCount <= tensorCount else {
            throw RondoError(
                .corruptFile,
                "'\(source)': a model of \(configuration.layerCount) layers with a table of \(configuration.vocabSize) x "
                    + "\(configuration.dModel) needs more weights than there are, which is \(tensorCount) tensors of "
                    + "\(byteCount) bytes; configuration and weights must come from the same model")
        }
        let reason = RondoError(
            .corruptFile,
            "'\(source)': this model needs more memory than its \(byteCount) bytes of weights can fill; configuration "
                + "and weights must come from the same model")
        var generator = Generator.outline
        do {
            // A weight of one byte may become a number of eight; the rest is for what first values are computed from.
            self = try Runtime.withMemoryLimit(8 * byteCount + 64 << 20, otherwise: reason) {
                try LanguageModel(configuration, dtype: dtype, using: &generator)
            }
        } catch let error as RondoError where error.code == .invalidArgument {
            throw RondoError(error.code, "'\(source)': \(error.message)")
        }
    }

    /// A model with given parameters, in the order of ``forEachParameter(_:)``.
    package init(_ configuration: LanguageModelConfiguration, parameters: [Tensor]) throws {
        var generator = Generator.placeholder
        let empty = try LanguageModel(
            configuration, dtype: parameters.first?.dtype.computationType ?? .float32, using: &generator)
        self = empty.replacingParameters(parameters)
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

public import RondoIO
import RondoMixers
import RondoNN
import RondoTensor

extension SignalModel {
    /// The name of this kind of model in `config.json`.
    public static let modelType = "rondo_signal_model"

    private static let digestKey = "rondo_config"

    /// What `config.json` says.
    private struct Description: Codable {
        var modelType = SignalModel.modelType
        var inputSize: Int
        var outputSize: Int
        var model: LanguageModelConfiguration

        func digest() throws -> String {
            let text = try StrictJSON.tree(of: self).text(sortedKeys: true)
            return "crc32c:" + String(CRC32C.checksum(Array(text.utf8)), radix: 16)
        }
    }

    /// Features of a position.
    public var inputSize: Int { input.weight.shape[1] }
    /// Outputs of a position.
    public var outputSize: Int { head.weight.shape[0] }

    /// Whether a document is the `config.json` of a model of signals.
    public static func isConfiguration(_ document: JSONValue) -> Bool {
        document["model_type"]?.stringValue == modelType
    }

    /// Loads the model of a folder that ``write(to:)`` filled.
    ///
    /// - Throws: `RondoError` that names the file and lists everything that does not fit.
    public init(folder: String) throws {
        let path = FileSystem.join(folder, ModelFolder.configuration)
        let description = try StrictJSON.decode(Description.self, contentsOf: path)
        guard description.modelType == Self.modelType else {
            throw RondoError(
                .corruptFile, "'\(path)': model_type is '\(description.modelType)', must be '\(Self.modelType)'")
        }
        try requireValue((1...1 << 20).contains(description.inputSize), "input_size", description.inputSize, "positive")
        try requireValue(
            (1...1 << 20).contains(description.outputSize), "output_size", description.outputSize, "positive")
        let file = try TensorFile(FileSystem.join(folder, ModelFolder.weights))
        guard try file.metadata[Self.digestKey] == description.digest() else {
            throw RondoError(
                .corruptFile,
                "'\(path)' is not the configuration that '\(file.path)' was saved with; restore both from the same "
                    + "checkpoint")
        }
        var generator = Generator.placeholder
        let empty = try SignalModel(
            description.model, inputSize: description.inputSize, outputSize: description.outputSize, using: &generator)
        self = empty.replacingParameters(try file.read(empty.expectations).tensors)
    }

    /// Writes `config.json` and the weights into an existing folder.
    ///
    /// - Throws: `RondoError` that names the file.
    public func write(to folder: String) throws {
        let description = Description(inputSize: inputSize, outputSize: outputSize, model: configuration)
        try StrictJSON.write(description, to: FileSystem.join(folder, ModelFolder.configuration))
        try TensorFile.write(
            parameters, to: FileSystem.join(folder, ModelFolder.weights),
            metadata: [Self.digestKey: description.digest()])
    }
}

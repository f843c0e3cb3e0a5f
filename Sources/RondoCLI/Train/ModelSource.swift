import RondoCheckpoints
import RondoData
import RondoIO
import RondoModels
import RondoTensor
import RondoTokenizers
import RondoTrain

/// Where a run's model and tokenizer come from, besides its configuration.
struct ModelSource {
    /// What makes tokens of the text.
    let tokenizer: any Tokenizer
    /// The tokenizer's files by name, for the checkpoints.
    let companions: [String: [UInt8]]
    private let checkpoint: Checkpoint?

    /// Completes a configuration: the shape of the model to go on from, paths that do not depend on the current folder,
    /// as many tokens as the tokenizer has.
    ///
    /// - Throws: `RondoError` if the model's folder or the tokenizer cannot be read.
    init(_ configuration: inout TrainingConfiguration) throws {
        if let path = configuration.initialModel {
            let folder = FileSystem.canonical(try RunLocator.modelFolder(path))
            let checkpoint = try Checkpoint(folder: folder)
            configuration.initialModel = folder
            configuration.modelFamily = checkpoint.family?.modelType
            configuration.model = try checkpoint.configuration.completed()
            if configuration.data.tokenizer == nil, TextTokenizer.isPresent(in: folder) {
                configuration.data.tokenizer = folder
            }
        }
        if let path = configuration.data.tokenizer {
            configuration.data.tokenizer = FileSystem.canonical(path)
            let size = try Self.tokenizer(path).vocabularySize
            if configuration.initialModel == nil { configuration.model.vocabSize = size }
        }
        try self.init(resuming: configuration)
    }

    /// The sources that a completed configuration names.
    init(resuming configuration: TrainingConfiguration) throws {
        checkpoint = try configuration.initialModel.map { try Checkpoint(folder: $0) }
        tokenizer = try configuration.data.tokenizer.map { try Self.tokenizer($0) } ?? ByteVocabulary()
        companions = try configuration.data.tokenizer.map { try Self.files($0) } ?? [:]
    }

    /// The tokenizer of a folder, or of a file.
    private static func tokenizer(_ path: String) throws -> PipelineTokenizer {
        let isFolder = FileSystem.kind(of: path) == .folder
        return try PipelineTokenizer(
            contentsOf: isFolder ? FileSystem.join(path, TextTokenizer.fileName) : path)
    }

    /// The files beside a tokenizer, or the file alone under the name that it must have.
    private static func files(_ path: String) throws -> [String: [UInt8]] {
        guard FileSystem.kind(of: path) == .folder else {
            return [TextTokenizer.fileName: try FileSystem.readBytes(path)]
        }
        return try ModelConversion.companions(of: path)
    }

    /// The model to go on from, if there is one.
    func model() throws -> LanguageModel? { try checkpoint?.model() }
}

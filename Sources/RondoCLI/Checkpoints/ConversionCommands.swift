import ArgumentParser
import RondoCheckpoints
import RondoIO
import RondoModels
import RondoTensor

/// The types in which weights are written.
enum StoredType: String, ExpressibleByArgument, CaseIterable {
    case float32, bfloat16, float16

    var dtype: DType {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .float16: .float16
        }
    }
}

/// `rondo export`.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a model as a folder that transformers (or flash-linear-attention) loads.",
        discussion: """
            Example:
              rondo export --model runs/book --out book-hf
              rondo export --model runs/book --format mamba2 --dtype bfloat16 --out book-hf

            Formats: \(CheckpointFamilies.all.map { $0.modelType }.joined(separator: ", ")).
            """)

    @Option(
        help: ArgumentHelp("A run folder or a model (default: the last run in runs/).", valueName: "dir"),
        completion: .directory)
    var model: String?

    @Option(help: ArgumentHelp("The folder to create.", valueName: "dir"), completion: .directory)
    var out: String

    @Option(help: ArgumentHelp("What to write (default: what fits the model).", valueName: "model_type"))
    var format: String?

    @Option(help: "The type of the weights in the file.")
    var dtype = StoredType.float32

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let loaded = try RunLocator.loadModel(model)
        let family = try family(for: loaded.model)
        try AtomicDirectory.publish(to: out) { folder in
            try loaded.model.write(as: family, to: folder, dtype: dtype.dtype)
            try ModelConversion.copyCompanions(from: loaded.folder, to: folder)
        }
        try ModelConversion.report(out, family.modelType, json: global.json, console: global.console)
    }

    private func family(for model: LanguageModel) throws -> any CheckpointFamily.Type {
        if let format {
            do {
                return try CheckpointFamilies.family(ofType: format, source: "--format")
            } catch let error as RondoError { throw RondoError(.invalidArgument, error.message) }
        }
        if let fitting = model.fittingFamilies.first { return fitting }
        let reasons = CheckpointFamilies.all.compactMap { family -> String? in
            do { _ = try family.keys(for: model.configuration) } catch { return "\n  \(error)" }
            return nil
        }
        throw RondoError(.invalidArgument, "no format can hold this model:" + reasons.joined())
    }
}

/// `rondo import`.
struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Copy a checkpoint of another program into Rondo's own layout.",
        discussion: """
            Example:
              rondo import --model mamba-130m-hf --out mamba-130m
              rondo import --model mamba-130m-hf --dtype bfloat16 --out mamba-130m

            Not needed to use a checkpoint: generate, evaluate, logits and inspect read it as it is. Training goes on
            from the copy.
            """)

    @Option(help: ArgumentHelp("The folder of the checkpoint.", valueName: "dir"), completion: .directory)
    var model: String

    @Option(help: ArgumentHelp("The folder to create.", valueName: "dir"), completion: .directory)
    var out: String

    @Option(help: "The type of the weights in the file.")
    var dtype = StoredType.float32

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let model = try LanguageModel(checkpoint: self.model)
        try AtomicDirectory.publish(to: out) { folder in
            try model.write(to: folder, dtype: dtype.dtype)
            try ModelConversion.copyCompanions(from: self.model, to: folder)
        }
        try ModelConversion.report(
            out, LanguageModelConfiguration.modelType, json: global.json, console: global.console)
    }
}

/// What import and export share.
enum ModelConversion {
    /// What belongs to a model besides configuration and weights.
    private static let companionNames = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json",
        "chat_template.jinja", "vocab.json", "merges.txt", "added_tokens.json",
    ]

    /// Copies the tokenizer and the defaults of decoding, if there are any.
    static func copyCompanions(from source: String, to folder: String) throws {
        for (name, content) in try companions(of: source) {
            try AtomicFile.write(content, to: FileSystem.join(folder, name))
        }
    }

    /// The tokenizer's files and the defaults of decoding, by name.
    static func companions(of folder: String) throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in companionNames {
            let file = FileSystem.join(folder, name)
            if FileSystem.kind(of: file) == .file { files[name] = try FileSystem.readBytes(file) }
        }
        return files
    }

    static func report(_ out: String, _ modelType: String, json: Bool, console: Console) throws {
        guard json else { return console.note("Wrote \(modelType): \(out)") }
        let result: JSONValue = ["out": .string(out), "model_type": .string(modelType)]
        try OutputStream.data.writeLine(result.text())
    }
}

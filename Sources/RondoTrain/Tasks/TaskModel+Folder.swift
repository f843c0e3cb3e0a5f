public import RondoData
import RondoIO
import RondoModels
import RondoTensor
import RondoTokenizers

extension TaskModel {
    /// Loads a model that ``write(to:task:)`` wrote.
    ///
    /// - Parameters:
    ///   - folder: Its folder.
    ///   - task: What it learned.
    /// - Throws: `RondoError` that names the file, or says that the model is of another kind than the task's.
    public init(folder: String, for task: some SequenceTask) throws {
        let configuration = try JSONValue(contentsOf: FileSystem.join(folder, ModelFolder.configuration))
        if SignalModel.isConfiguration(configuration) {
            let model = try SignalModel(folder: folder)
            self.init(signal: model)
            guard !Self.isLanguage(task), model.inputSize == task.input.size, model.outputSize == task.output.size
            else { throw Self.mismatch(folder, task) }
        } else {
            let model = try LanguageModel(folder: folder)
            self.init(language: model)
            guard Self.isLanguage(task), model.configuration.vocabSize >= max(task.input.size, task.output.size) else {
                throw Self.mismatch(folder, task)
            }
        }
    }

    private static func mismatch(_ folder: String, _ task: some SequenceTask) -> RondoError {
        RondoError(
            .corruptFile,
            "'\(folder)': the model does not fit the inputs and outputs of the task '\(type(of: task).name)'; its files "
                + "must come from one run")
    }

    /// Writes `config.json`, the weights and, for tokens, a `tokenizer.json` of the task's own symbols.
    ///
    /// - Parameters:
    ///   - folder: An existing folder.
    ///   - task: What the model learned.
    /// - Throws: `RondoError` that names the file.
    public func write(to folder: String, task: some SequenceTask) throws {
        try signal?.write(to: folder)
        guard let language else { return }
        try language.write(to: folder)
        let vocabulary = task.vocabulary(count: language.configuration.vocabSize)
        try AtomicFile.write(
            JSONValue.object(vocabulary).text(.pretty) + "\n", to: FileSystem.join(folder, TextTokenizer.fileName))
    }
}

extension TaskInput {
    /// Tokens or features.
    var size: Int {
        switch self {
        case .tokens(let count), .features(let count): count
        }
    }
}

extension TaskOutput {
    /// Classes or numbers.
    var size: Int {
        switch self {
        case .classes(let count), .values(let count): count
        }
    }
}

extension SequenceTask {
    /// A `tokenizer.json` in which words between spaces are the task's symbols.
    ///
    /// A token beyond the inputs is the class of that number. Symbols with spaces in them, and those that are taken, are
    /// replaced by `<number>`.
    fileprivate func vocabulary(count: Int) -> JSONObject {
        var words = JSONObject()
        for token in 0..<count {
            let text = token < input.size ? self.text(ofInput: Int32(token)) : self.text(ofOutput: Int32(token))
            let isWord = !text.isEmpty && !text.contains(where: \.isWhitespace) && words[text] == nil
            words[isWord ? text : "<\(token)>"] = .integer(token)
        }
        var tokenizer = JSONObject()
        tokenizer["version"] = .string("1.0")
        tokenizer["pre_tokenizer"] = ["type": .string("WhitespaceSplit")]
        tokenizer["model"] = [
            "type": .string("WordLevel"), "vocab": .object(words), "unk_token": .string(words.keys[0]),
        ]
        return tokenizer
    }
}

import ArgumentParser
import RondoData
import RondoIO
import RondoModels
import RondoTensor
import RondoTrain

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `rondo evaluate`.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measure how well a model predicts a text, or does its task.",
        discussion: """
            Example:
              rondo evaluate --model runs/book --text other.txt
              rondo evaluate --model runs/book --text book.txt --validation-fraction 0.1
              rondo evaluate --model runs/parity --lengths 64,512

            Of a text, every token is predicted once, from all before it. A run of `rondo train --task` is measured on \
            fresh examples of its task, length by length, if no text is given.
            """)

    @Option(
        help: ArgumentHelp("A run folder or a checkpoint (default: the last run in runs/).", valueName: "dir"),
        completion: .directory)
    var model: String?

    @Option(
        help: ArgumentHelp(
            "Small additions to the model (LoRA in PEFT's layout, or a learned state).", valueName: "dir"),
        completion: .directory)
    var adapter: String?

    @Option(
        help: ArgumentHelp("A file, a folder, or - for standard input; may be repeated.", valueName: "path"),
        completion: .file())
    var text: [String] = []

    @Option(help: ArgumentHelp("Measure only this share at the end: the part that training left out.", valueName: "x"))
    var validationFraction: Double?

    @Option(
        help: ArgumentHelp(
            "Rows into which the text is cut, each read from a fresh state; more are faster.", valueName: "n"))
    var batch = 1

    @Option(
        help: ArgumentHelp(
            "Of a run on a task: the lengths, with commas between them (default: those of the run).",
            valueName: "n,n"))
    var lengths: LengthList?

    @Option(help: ArgumentHelp("Of a run on a task: examples of each length (default: the run's).", valueName: "n"))
    var examples: Int?

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        if !text.isEmpty, lengths != nil || examples != nil {
            throw ValidationError("--lengths and --examples go with a run on a task, without --text.")
        }
        guard (1...1 << 30).contains(examples ?? 1) else {
            throw ValidationError("--examples must be at least 1.")
        }
        guard (1...65_536).contains(batch) else {
            throw ValidationError("--batch \(batch): must be between 1 and 65536.")
        }
        if let validationFraction, !(validationFraction > 0 && validationFraction < 1) {
            throw ValidationError("--validation-fraction \(validationFraction): must be between 0 and 1.")
        }
    }

    func run() throws {
        Interruption.listen()
        compute.apply()
        let console = global.console
        guard !text.isEmpty else { return try evaluateTask(console: console) }
        let loaded = try RunLocator.loadModel(model, adapter: adapter)
        let tokenizer = try ModelText(folder: loaded.folder, vocabSize: loaded.model.configuration.vocabSize).encoder
        let corpus = try Corpus.load(text)
        console.note("Read: \(corpus.report.summary)")
        let parts = try TokenizedCorpus(corpus, tokenizer: tokenizer, validationFraction: validationFraction ?? 0)
        let isPart = validationFraction != nil
        let watch = Timer()
        var lastDrawn = Timer()
        let result = try Evaluator.evaluate(
            loaded.model, on: parts.text, in: isPart ? parts.split.validation : nil, batchSize: batch,
            bytesPerToken: isPart ? parts.validationBytesPerToken : parts.trainingBytesPerToken
        ) {
            done, total in
            if lastDrawn.seconds > 0.1 {
                lastDrawn = Timer()
                console.showProgress("\(Format.percent(Double(done) / Double(total)))  \(Format.count(done)) tokens")
            }
            return !Interruption.isRequested
        }
        console.clearProgress()
        if Interruption.isRequested { throw Interruption.exitStatus }
        try OutputStream.data.writeLine(global.json ? json(result, loaded.folder) : Self.summary(result))
        console.note("\(Format.count(Double(result.predictedBytes) / watch.seconds)) bytes/s")
    }

    /// Measures a run on a task, length by length.
    private func evaluateTask(console: Console) throws {
        let folder = try RunLocator.modelFolder(model ?? RunLocator.latestRun())
        guard let configuration = try TaskRun.configuration(of: folder) else {
            throw ValidationError("Missing expected argument '--text <path>': '\(folder)' is no run on a task.")
        }
        let run = try TaskRun(resuming: folder)
        let task = run.task
        var scores: [TaskScore] = []
        for length in lengths?.lengths ?? run.lengths {
            console.showProgress("length \(length)")
            scores.append(
                try run.trainer.score(length: length, count: examples ?? configuration.evaluation.examples))
            if Interruption.isRequested {
                console.clearProgress()
                throw Interruption.exitStatus
            }
        }
        console.clearProgress()
        console.note("\(type(of: task).name) after \(run.step) steps")
        guard global.json else {
            return try OutputStream.data.writeLine(TaskScoreTable.text(scores, trained: run.trainer.allLengths))
        }
        var object = JSONObject()
        object["model"] = .string(folder)
        object["task"] = .string(configuration.task)
        object["step"] = .integer(run.step)
        object["scores"] = try StrictJSON.tree(of: scores)
        try OutputStream.data.writeLine(JSONValue.object(object).text())
    }

    private static func summary(_ result: Evaluator.Result) -> String {
        """
        bits_per_byte  \(Format.decimals(result.bitsPerByte, 4))
        perplexity     \(Format.decimals(exp(result.loss), 4))
        bytes          \(result.predictedBytes)
        tokens         \(result.predictedTokens)
        """
    }

    private func json(_ result: Evaluator.Result, _ folder: String) -> String {
        var object = JSONObject()
        object["model"] = .string(folder)
        object["text"] = .array(text.map(JSONValue.string))
        object["bits_per_byte"] = .real(result.bitsPerByte)
        object["perplexity"] = .real(exp(result.loss))
        object["bytes"] = .integer(result.predictedBytes)
        object["tokens"] = .integer(result.predictedTokens)
        return JSONValue.object(object).text()
    }
}

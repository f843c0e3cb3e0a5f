public import ArgumentParser
public import RondoDiagnostics
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTracking

/// `rondo diagnose`.
struct DiagnoseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diagnose",
        abstract: "Show what a model does with its memory: states, horizon, timescales.",
        discussion: """
            Example:
              rondo diagnose --model runs/book --length 8192 --out report
              rondo diagnose --model DIR --text book.txt --json
              rondo diagnose --model DIR --mixer-option state_window=512

            Reads a text well beyond the training length and measures the loss by position, the norm, rank and spectrum \
            of the states as they fill, how far back the loss looks, whether planted pairs are found again, how slowly \
            units change, and the eigenvalues by which the state is kept. Without --text, a run is read on the end of \
            its own text, any other model on random tokens. With --out, diagnosis.html has the pictures and \
            diagnosis.json all numbers.
            """)

    @Option(
        help: ArgumentHelp(
            "A run, a checkpoint or a Hugging Face folder (default: the last run in runs/).", valueName: "dir"),
        completion: .directory)
    var model: String?

    @Option(
        help: ArgumentHelp("A file, a folder, or - for standard input; may be repeated.", valueName: "path"),
        completion: .file())
    var text: [String] = []

    @Flag(help: "Read random tokens, even if the model has a text.")
    var random = false

    @Option(
        help: ArgumentHelp(
            "Positions to read (default: 2048, or four training lengths if that is more).", valueName: "n"))
    var length: Int?

    @Option(help: ArgumentHelp("Rows to read side by side.", valueName: "n"))
    var rows = DiagnosisOptions().rows

    @Option(
        help: ArgumentHelp(
            "Length the model was trained at, with which states are compared (default: the run's window).",
            valueName: "n"))
    var trainingLength: Int?

    @Option(help: "How positions are put together for the loss.")
    var buckets = LossByPosition.Bucketing.powersOfTwo

    @Option(help: ArgumentHelp("The largest distance of the memory horizon.", valueName: "n"))
    var horizon = DiagnosisOptions().horizon

    @Option(
        help: ArgumentHelp(
            "Another option for the mixers than the model was trained with; may be repeated.", valueName: "key=value"))
    var mixerOption: [String] = []

    @Option(help: ArgumentHelp("The seed of everything random.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Folder for the report.", valueName: "dir"), completion: .directory)
    var out: String?

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        if random, !text.isEmpty { throw ValidationError("--random and --text exclude each other.") }
    }

    func run() throws {
        Interruption.listen()
        compute.apply()
        let (console, started) = (global.console, Timer())
        let loaded = try RunLocator.loadModel(model)
        // Derivatives do not flow through weights that are stored in small types.
        let model = try changed(loaded.model.cast(to: .float32))
        let source = try DiagnosisText(
            folder: loaded.folder, text: text, isRandom: random, vocabSize: model.configuration.vocabSize, seed: seed)
        let options = try options(source)
        let rows = try source.rows(options.rows, length: options.length + 1)
        console.note("Reads \(options.rows) rows of \(options.length) tokens of \(source.name).")
        if let out { try FileSystem.makeFolder(out) }
        var lastDrawn = Timer()
        let diagnosis = try ModelDiagnosis(of: model, options: options, rows: rows) { text in
            guard !Interruption.isRequested else { throw Interruption.exitStatus }
            guard lastDrawn.seconds > 0.1 else { return }
            lastDrawn = Timer()
            console.showProgress("\(text)  \(Format.duration(started.seconds))")
        }
        console.clearProgress()
        let report = DiagnosisReport(
            diagnosis: diagnosis, modelName: loaded.folder, textName: source.name, model: model.configuration)
        if let out {
            try report.html.write(to: FileSystem.join(out, "diagnosis.html"))
            try AtomicFile.write(report.json().text(.pretty) + "\n", to: FileSystem.join(out, "diagnosis.json"))
            console.note("Report: \(FileSystem.join(out, "diagnosis.html"))")
        }
        try OutputStream.data.writeLine(global.json ? report.json().text() : report.summary)
    }

    private func changed(_ model: LanguageModel) throws -> LanguageModel {
        guard !mixerOption.isEmpty else { return model }
        var options = JSONObject()
        for text in mixerOption {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw RondoError(.invalidArgument, "--mixer-option \(text): must be key=value, as state_window=512")
            }
            options[parts[0]] = (try? JSONValue(parsing: parts[1], source: text)) ?? .string(parts[1])
        }
        return try model.withMixerOptions(options)
    }

    private func options(_ source: DiagnosisText) throws -> DiagnosisOptions {
        var options = DiagnosisOptions()
        options.trainingLength = trainingLength ?? source.trainingLength
        options.rows = rows
        options.bucketing = buckets
        options.horizon = horizon
        options.seed = seed
        let wished = max(options.length, 4 * (options.trainingLength ?? 0))
        options.length = length ?? source.longest.map { min(wished, $0 - 1) } ?? wished
        try options.validate()
        return options
    }
}

extension LossByPosition.Bucketing: ExpressibleByArgument {}

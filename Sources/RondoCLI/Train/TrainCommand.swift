import ArgumentParser
import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTracking
import RondoTrain

/// `rondo train`.
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a model on a text or on a task.",
        discussion: """
            Example:
              rondo train --text book.txt --minutes 5 --out runs/book
              rondo train --text book.txt --mixer gru --steps 2000 optimizer.beta2=0.99
              rondo train --resume runs/book
              rondo train --model mamba-hf --text book.txt --lora 8 --out runs/lora
              rondo train --task parity --mixer delta_net --d-model 64 --steps 500

            Ctrl-C finishes the step, saves, and says how to go on. Every setting is a key of the configuration, which \
            --dry-run prints; keys without a flag are set by key=value or in the file of --config.
            """)

    @OptionGroup var settings: TrainSettings

    @OptionGroup(title: "Task \(ConfigurationLayers.settingsMark)")
    var task: TaskSettings

    @Option(
        help: ArgumentHelp("Folder of the run (default: runs/<time>-<name>).", valueName: "dir"), completion: .directory
    )
    var out: String?

    @Option(help: ArgumentHelp("Name of the run, for the default folder.", valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp("JSON file with some or all keys of the configuration.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var config: String?

    @Option(
        defaultAsFlag: "",
        help: ArgumentHelp("Go on with a run; without a folder, with the last one in runs/.", valueName: "dir"),
        completion: .directory)
    var resume: String?

    @Option(help: ArgumentHelp("The SQLite file that lists all runs.", valueName: "file"), completion: .file())
    var store = RunLocator.defaultStore

    @Flag(help: "Check everything, print the configuration, and do nothing.")
    var dryRun = false

    @Argument(help: ArgumentHelp("Keys of the configuration.", valueName: "key=value"))
    var overrides: [String] = []

    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        if resume != nil, out != nil || config != nil || name != nil {
            throw ValidationError("--resume goes on with a run as it is; leave out --out, --config and --name.")
        }
    }

    func run() throws {
        // Not in `validate()`, where it would hide the message about a mistyped option before the argument.
        for argument in overrides where !Override.isOverride(argument) {
            throw ValidationError("'\(argument)' is no key=value; to name a text, write --text \(argument).")
        }
        Interruption.listen()
        let console = global.console
        if let resume {
            let path = try resume.isEmpty ? RunLocator.latestRun() : resume
            let folder = try RunFolder(opening: path)
            let isTask = try JSONValue(contentsOf: folder.configurationPath)["task"] != nil
            try isTask ? resumeTask(folder, console: console) : self.resume(folder, console: console)
        } else {
            try isTask(environment: .current) ? beginTask(console: console) : begin(console: console)
        }
    }

    // MARK: - Beginning

    private func begin(console: Console) throws {
        if let setting = task.settings.first(where: { $0.value != nil }) {
            throw ValidationError("--\(setting.flag) needs --task.")
        }
        var configuration = try resolvedConfiguration(environment: .current)
        let source = try ModelSource(&configuration)
        try configuration.validate()
        let corpus = try loadCorpus(&configuration, console: console)
        Runtime.threadCount = configuration.threads
        var trainer = try Trainer(
            configuration, corpus: corpus, tokenizer: source.tokenizer, initial: source.model())
        trainer.companions = source.companions
        if dryRun {
            describe(configuration, console: console)
            return try printPlan(configuration)
        }
        let path = out ?? Self.defaultFolder(name ?? Self.name(for: configuration))
        let folder = try RunFolder(
            creating: path, configuration: StrictJSON.tree(of: configuration, absentAsNull: true))
        describe(configuration, console: console)
        try train(trainer, in: folder, console: console)
    }

    /// Flag, then `key=value`, then environment, then file, then default.
    func resolvedConfiguration(environment: EnvironmentVariables) throws -> TrainingConfiguration {
        var layers = ConfigurationLayers(exclusiveKeys: LoopSettings.limits)
        if let config { try layers.add(file: config) }
        try layers.add(environment, as: TrainSettings.self)
        try layers.add(overrides)
        try layers.add(settings)
        return try layers.resolve(TrainingConfiguration())
    }

    /// Reads the text, and makes its paths absolute: a run may be resumed from another folder.
    private func loadCorpus(_ configuration: inout TrainingConfiguration, console: Console) throws -> Corpus {
        if configuration.data.text.isEmpty {
            configuration.data.text = try DefaultCorpus.locate()
        }
        let corpus = try Corpus.load(configuration.data.text)
        configuration.data.text = configuration.data.text.map {
            $0 == Corpus.standardInput ? $0 : FileSystem.canonical($0)
        }
        console.note("Read:   \(corpus.report.summary)")
        return corpus
    }

    private func describe(_ configuration: TrainingConfiguration, console: Console) {
        let model = configuration.model
        console.detail("Layers: \(model.everyLayer.count) x \(model.shortName) of width \(model.dModel)")
        if configuration.minutes != nil, !dryRun { console.note("Measuring the speed ...") }
    }

    func printPlan(_ configuration: some Encodable) throws {
        let text = try StrictJSON.tree(of: configuration, absentAsNull: true).text(.pretty)
        try OutputStream.data.writeLine(text)
    }

    // MARK: - Going on

    private func resume(_ folder: RunFolder, console: Console) throws {
        var configuration = try StrictJSON.decode(
            TrainingConfiguration.self, contentsOf: folder.configurationPath)
        try requireUnchanged(except: ["steps", "threads", "text"])
        if let threads = settings.loop.threads { configuration.threads = threads }
        if !settings.text.text.isEmpty { configuration.data.text = settings.text.text }
        let source = try ModelSource(resuming: configuration)
        let corpus = try loadCorpus(&configuration, console: console)
        Runtime.threadCount = configuration.threads
        var trainer = try restoredTrainer(configuration, corpus, source, folder: folder, console: console)
        trainer.companions = source.companions
        if dryRun { return try printPlan(configuration) }
        try train(trainer, in: folder, console: console)
    }

    /// Refuses settings that would make another run of the one that is resumed.
    func requireUnchanged(except allowed: [String]) throws {
        let changes = (settings.settings + task.settings).filter { $0.value != nil }.map(\.flag)
        guard overrides.isEmpty, changes.allSatisfy(allowed.contains) else {
            let flags = allowed.map { "--\($0)" }
            let list = flags.dropLast().joined(separator: ", ") + " and \(flags.last ?? "")"
            throw RondoError(
                .invalidArgument, "--resume goes on with a run as it is; only \(list) can be given with it")
        }
    }

    /// The trainer of the last checkpoint, or of the beginning if the run was stopped before the first one.
    private func restoredTrainer(
        _ configuration: TrainingConfiguration, _ corpus: Corpus, _ source: ModelSource, folder: RunFolder,
        console: Console
    ) throws -> Trainer {
        guard let checkpoint = try folder.latestCheckpoint() else {
            console.note("The run has no checkpoint yet; it begins anew.")
            var configuration = configuration
            if let steps = settings.loop.steps {
                (configuration.steps, configuration.minutes, configuration.epochs) = (steps, nil, nil)
            }
            return try Trainer(
                configuration, corpus: corpus, tokenizer: source.tokenizer, initial: source.model())
        }
        console.detail("Going on from \(checkpoint.path)")
        return try Trainer(
            resuming: checkpoint.path, corpus: corpus, tokenizer: source.tokenizer,
            base: configuration.adapters.isUsed ? source.model() : nil, totalSteps: settings.loop.steps)
    }

    // MARK: - Both

    private func train(_ trainer: Trainer, in folder: RunFolder, console: Console) throws {
        var trainer = trainer
        let recorder = try RunRecorder(
            folder: folder,
            RunDescription(trainer.configuration, parameterCount: trainer.trained.parameterCount),
            resumingAfter: trainer.step, store: RunStore(store), console: console)
        console.note("Run:    \(folder.path)")
        let reporter = TrainingReporter(console: console, recorder: recorder)
        let result: TrainingResult
        do {
            result = try trainer.run(store: recorder, observer: reporter) { Interruption.isRequested }
        } catch {
            recordFailure(recorder, console: console)
            throw error
        }
        try report(result, recorder: recorder, console: console)
        if result.reason == .interrupted { throw Interruption.exitStatus }
    }

    /// Notes that the run ended with an error, and says what is left of it.
    func recordFailure(_ recorder: RunRecorder, console: Console) {
        recorder.recordFailure()
        console.clearProgress()
        if let good = try? recorder.folder.latestCheckpoint() {
            console.note(
                "The last good checkpoint is \(good.path). Go on with: rondo train --resume \(recorder.folder.path)")
        }
    }

    private func report(_ result: TrainingResult, recorder: RunRecorder, console: Console) throws {
        let folder = recorder.folder.path
        switch result.reason {
        case .completed: console.note("Done after \(Format.duration(result.elapsedSeconds)).")
        case .earlyStop: console.note("Stopped early: the validation part stopped getting better.")
        case .interrupted: console.note("Interrupted at step \(result.step); everything is saved.")
        case .timeLimit: console.note("The time is over at step \(result.step); everything is saved.")
        }
        if !result.isComplete { console.note("Go on with:   rondo train --resume \(folder)") }
        console.note("Loss picture: \(recorder.folder.lossPNGPath)")
        console.note("Let it write: rondo generate --model \(folder) --prompt \"The \"")
        try OutputStream.data.writeLine(global.json ? Self.json(result, recorder) : Self.summary(result, recorder))
    }

    private static func json(_ result: TrainingResult, _ recorder: RunRecorder) throws -> String {
        var object = JSONObject()
        object["run"] = .string(recorder.run.id)
        object["folder"] = .string(recorder.folder.path)
        for (key, value) in try StrictJSON.tree(of: result).objectValue?.members ?? [] { object[key] = value }
        return JSONValue.object(object).text()
    }

    private static func summary(_ result: TrainingResult, _ recorder: RunRecorder) -> String {
        var lines = [
            "run             \(recorder.run.id)", "folder          \(recorder.folder.path)",
            "ended           \(result.reason.rawValue)", "steps           \(result.step)",
            "bytes           \(result.tokens)", "seconds         \(Format.decimals(result.elapsedSeconds, 1))",
        ]
        if let best = result.bestBitsPerByte { lines.append("bits_per_byte   \(Format.decimals(best, 4))") }
        return lines.joined(separator: "\n")
    }

    /// A folder of its own for every run: by time, then by what it is.
    static func defaultFolder(_ name: String) -> String {
        let time = WallClock.text(WallClock.now, format: "%Y%m%d-%H%M%S")
        return FileSystem.join(RunLocator.runsFolder, "\(time)-\(name)")
    }

    /// "book-lstm512" for a text book.txt.
    static func name(for configuration: TrainingConfiguration) -> String {
        let texts = configuration.data.text
        let text = texts.count == 1 ? FileSystem.name(of: texts[0]) : "text"
        let stem = text.prefix { $0 != "." }.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let model = configuration.model
        return "\(stem.allSatisfy { $0 == "-" } ? "text" : String(stem))-\(model.shortName)\(model.dModel)"
    }
}

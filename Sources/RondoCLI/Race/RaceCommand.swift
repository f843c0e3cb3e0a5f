import ArgumentParser
import RondoData
import RondoIO
import RondoModels
import RondoReproduce
import RondoTensor
import RondoTrain

/// `rondo race`.
struct RaceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "race",
        abstract: "Compare mixers at equal compute.",
        discussion: """
            Example:
              rondo race --mixers lstm,gru,gla --text book.txt --minutes 2
              rondo race --mixers gla,mamba2 --text book.txt --flops 1e13 --seeds 3
              rondo race --resume races/a

            The speed of each is measured first and turned into steps, so that all get the same time (or the same \
            operations). Trainings: contestants x budgets x seeds. Models get equally many parameters. Ctrl-C saves \
            and says how to go on. Other keys of the configuration, which --dry-run prints, are set by key=value.
            """)

    @OptionGroup(title: "Race \(ConfigurationLayers.settingsMark)")
    var settings: RaceSettings

    @Option(
        help: ArgumentHelp("Folder of the results (default: races/<time>).", valueName: "dir"), completion: .directory)
    var out: String?

    @Option(help: ArgumentHelp("Go on with a race.", valueName: "dir"), completion: .directory)
    var resume: String?

    @Flag(help: "Check everything, print the configuration, and do nothing.")
    var dryRun = false

    @Argument(help: ArgumentHelp("Keys of the configuration.", valueName: "key=value"))
    var overrides: [String] = []

    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        guard resume != nil else { return }
        guard out == nil, overrides.isEmpty, settings.settings.allSatisfy({ $0.value == nil }) else {
            throw ValidationError("--resume goes on with a race as it is; give nothing else with it.")
        }
    }

    func run() throws {
        for argument in overrides where !Override.isOverride(argument) {
            throw ValidationError("'\(argument)' is no key=value; to name a text, write --text \(argument).")
        }
        Interruption.listen()
        if let resume {
            let folder = try RaceFolder(opening: resume)
            let progress = try folder.progress()
            let source = try ModelSource(resuming: progress.configuration.training)
            let corpus = try Corpus.load(progress.configuration.training.data.text)
            let race = try Race(resuming: progress, corpus: corpus, tokenizer: source.tokenizer)
            return try run(race, in: folder, companions: source.companions)
        }
        var configuration = try resolvedConfiguration(environment: .current)
        if configuration.training.data.text.isEmpty {
            configuration.training.data.text = try DefaultCorpus.locate()
        }
        let texts = configuration.training.data.text
        let source = try ModelSource(&configuration.training)
        try configuration.validate()
        let corpus = try Corpus.load(texts)
        configuration.training.data.text = texts.map { FileSystem.canonical($0) }
        global.console.note("Read:   \(corpus.report.summary)")
        let race = try Race(configuration, corpus: corpus, tokenizer: source.tokenizer)
        if dryRun {
            let tree = try StrictJSON.tree(of: configuration, absentAsNull: true)
            return try OutputStream.data.writeLine(tree.text(.pretty))
        }
        let time = WallClock.text(WallClock.now, format: "%Y%m%d-%H%M%S")
        try run(race, in: RaceFolder(creating: out ?? "races/\(time)"), companions: source.companions)
    }

    /// Flag, then `key=value`, then environment, then default.
    private func resolvedConfiguration(environment: EnvironmentVariables) throws -> RaceConfiguration {
        guard !settings.text.text.contains(Corpus.standardInput) else {
            throw ValidationError("A race reads its text again when it goes on; name a file with --text.")
        }
        var layers = ConfigurationLayers(exclusiveKeys: ["minutes", "flops"])
        try layers.add(environment, as: RaceSettings.self)
        try layers.add(overrides)
        try layers.add(settings)
        return try layers.resolve(RaceConfiguration())
    }

    // MARK: - Running

    private func run(_ race: Race, in folder: RaceFolder, companions: [String: [UInt8]]) throws {
        var race = race
        let console = global.console
        let reporter = RaceReporter(console: console)
        console.note("Race:   \(folder.path)")
        try folder.write(race)
        try race.measure(onEvent: reporter.show) { Interruption.isRequested }
        try folder.write(race)
        var isComplete = false
        if !race.legs.isEmpty, !Interruption.isRequested {
            reporter.begin(race)
            isComplete = try race.run(
                folder: folder.modelsPath, companions: companions,
                onEvent: { race, event in
                    try reporter.show(event)
                    if case .finished = event { try folder.write(race) }
                },
                shouldStop: { Interruption.isRequested })
        }
        console.clearProgress()
        try folder.write(race)
        guard isComplete else {
            console.note("Interrupted; everything is saved. Go on with: rondo race --resume \(folder.path)")
            throw Interruption.exitStatus
        }
        let report = race.report
        try OutputStream.data.writeLine(global.json ? StrictJSON.tree(of: report).text() : Self.text(report))
        console.note("Page: \(folder.pagePath)")
    }

    private static func text(_ report: RaceReport) -> String {
        var table = Table(columns: report.table.header.enumerated().map { ($1.uppercased(), $0 == 0 ? .left : .right) })
        table.rows = report.table.rows
        return ([table.text()] + report.crossingsInWords).joined(separator: "\n")
    }
}

/// Tells the user how a race goes.
private final class RaceReporter {
    private let console: Console
    private let started = Timer()
    private var lastDrawn = -Double.infinity
    private var names: [String] = []
    private var contestants: [String] = []

    init(console: Console) { self.console = console }

    /// Says what is going to happen.
    func begin(_ race: Race) {
        let legs = race.legs
        names = legs.map { race.name(of: $0) }
        contestants = race.configuration.contestants.map(\.name)
        for (index, entry) in race.progress.entries.enumerated() {
            let steps = legs.filter { $0.contestant == index && $0.seed == legs[0].seed }.map { "\($0.steps)" }
            console.note(
                "\(entry.name): width \(entry.dModel), \(Format.count(entry.parameters)) parameters, "
                    + "\(Format.count(entry.tokensPerSecond)) tokens/s, \(steps.joined(separator: ", ")) steps")
        }
        guard race.configuration.flops == nil else { return }
        let left = legs.dropFirst(race.progress.outcomes.count).reduce(0) {
            $0 + race.configuration.budgets[$1.level]
        }
        console.note("\(legs.count) trainings, about \(Format.duration(left)) of training left")
    }

    func show(_ event: Race.Event) throws {
        switch event {
        case .measuring(let name): console.note("Measuring the speed of \(name) ...")
        case .step(_, let index, let count, let metrics):
            let seconds = started.seconds
            let interval = console.isTerminal ? TrainingReporter.terminalInterval : TrainingReporter.pipeInterval
            guard seconds - lastDrawn >= interval else { return }
            lastDrawn = seconds
            let line =
                "\(index + 1)/\(count) \(names[index])  step \(metrics.step)  "
                + "\(Format.decimals(metrics.bitsPerByte, 3)) bits per byte  "
                + "\(Format.count(metrics.tokensPerSecond)) tokens/s  \(Format.duration(metrics.secondsLeft)) left"
            if console.isTerminal { console.showProgress(line) } else { console.note(line) }
        case .finished(let outcome):
            let leg = outcome.leg
            console.note(
                "\(contestants[leg.contestant]), budget \(leg.level + 1), seed \(leg.seed), \(leg.steps) steps: "
                    + "perplexity of a byte \(Format.decimals(outcome.perplexity, 4)), "
                    + "\(Format.decimals(outcome.bitsPerByte, 4)) bits per byte")
        }
    }
}

import RondoIO
import RondoReproduce
import RondoTensor
import RondoTracking
import RondoTrain

/// The folder of one race, locked while this object lives.
///
///     progress.json   where it stands, from which --resume goes on
///     race.json  race.html  race.svg  race.png   what was found
///     models/NAME-BUDGET-seedN   the models, as runs have them in their checkpoints
final class RaceFolder {
    let path: String
    private let lock: FolderLock

    var modelsPath: String { FileSystem.join(path, "models") }
    var pagePath: String { FileSystem.join(path, "race.html") }
    private var progressPath: String { FileSystem.join(path, "progress.json") }

    /// Creates the folder of a new race.
    ///
    /// - Throws: `RondoError` if it holds other files.
    init(creating path: String) throws {
        if FileSystem.kind(of: path) != nil {
            let names = FileSystem.kind(of: path) == .folder ? try FileSystem.list(path) : [path]
            guard names.allSatisfy({ $0 == FolderLock.fileName }) else {
                throw RondoError(.conflict, "'\(path)' holds other files; go on with --resume or choose another --out")
            }
        }
        try FileSystem.makeFolder(path)
        lock = try FolderLock(path)
        self.path = path
    }

    /// Opens the folder of a race.
    ///
    /// - Throws: `RondoError` if it holds none.
    init(opening path: String) throws {
        self.path = path
        guard FileSystem.kind(of: FileSystem.join(path, "progress.json")) == .file else {
            throw RondoError(.notFound, "'\(path)' holds no race (no progress.json); check the path")
        }
        lock = try FolderLock(path)
        try FileSystem.removeStaleTemporaries(in: path)
    }

    /// Where the race stood.
    func progress() throws -> RaceProgress { try StrictJSON.decode(contentsOf: progressPath) }

    /// Writes where the race stands, and all that was found.
    func write(_ race: Race) throws {
        let report = race.report
        try StrictJSON.write(race.progress, to: progressPath)
        try StrictJSON.write(report, to: FileSystem.join(path, "race.json"))
        guard report.contestants.contains(where: { !$0.results.isEmpty }) else { return }
        let charts = [report.lossChart, report.scalingChart]
        try LossChart.write(charts, to: FileSystem.join(path, "race.svg"))
        try LossChart.write(charts, to: FileSystem.join(path, "race.png"))
        try page(race, report).write(to: pagePath)
    }

    private func page(_ race: Race, _ report: RaceReport) throws -> HTMLReport {
        var page = HTMLReport(title: "Race of " + report.contestants.map(\.entry.name).joined(separator: ", "))
        let done = race.progress.outcomes.count
        if done < race.legs.count { page.paragraph("\(done) of \(race.legs.count) trainings are done.") }
        page.heading("Results")
        page.paragraph(
            "Every contestant trains with equal compute. Perplexity is e to the loss of a byte of the validation part, "
                + "whatever the tokenizer; means over seeds, ± their deviation. Trend: perplexity as a power of compute."
        )
        page.table(report.table.header, report.table.rows)
        for line in report.crossingsInWords { page.paragraph(line) }
        page.chart(report.scalingChart)
        page.chart(report.lossChart)
        page.heading("What compute is")
        page.paragraph(Self.explanation(race.configuration))
        page.heading("Settings")
        page.code(try StrictJSON.prettyText(of: race.configuration))
        return page
    }

    /// What the budget is made of, and what of it is counted.
    static func explanation(_ configuration: RaceConfiguration) -> String {
        guard configuration.flops == nil else {
            return "Steps are operations / (6 · multiply-adds · tokens of a step): two operations each, and a backward "
                + "pass of twice the forward one. Counted are every matrix once, without the embedding's table, and "
                + "of the mixers' states two multiply-adds for each element of a recurrence and one for each element "
                + "of an attention's cache; not counted are gates, norms, activations and the softmax."
        }
        let clock = configuration.clock == .wall ? "on the clock" : "of the processors"
        return
            "Steps are tokens/s · seconds / tokens of a step, to the nearest whole number. The speed is the median of "
            + "\(configuration.timedSteps) training steps after \(configuration.warmupSteps) others, in seconds \(clock), "
            + "measured before the race."
    }
}

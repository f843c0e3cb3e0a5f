import ArgumentParser
import RondoIO
import RondoReproduce
import RondoTensor
import RondoTracking

/// `rondo reproduce`.
struct ReproduceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reproduce",
        abstract: "Show the claims of published papers on this machine.",
        discussion: """
            Example:
              rondo reproduce gla
              rondo reproduce s4 --full --seed 2 --out reports
              rondo reproduce --all
              rondo reproduce --list

            Quick mode takes seconds, --full some minutes for each paper. With --out, every paper gets a page SLUG.html \
            with pictures and the exact settings, and SLUG.json. Exit status is 1 if a claim does not hold.

            With --all, Ctrl-C keeps the reports that are written; --resume goes on with the papers that have none.
            """)

    @Argument(help: ArgumentHelp("Papers, as --list shows them.", valueName: "slug"))
    var slugs: [String] = []

    @Flag(help: "All papers that can be reproduced.")
    var all = false

    @Flag(help: "List all papers and how much of each can be reproduced.")
    var list = false

    @Flag(help: "Run the long parts too.")
    var full = false

    @Option(help: ArgumentHelp("The seed of everything random.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Folder for the reports.", valueName: "dir"), completion: .directory)
    var out: String?

    @Option(
        help: ArgumentHelp(
            "Folder of real data (tinyshakespeare.txt, ETTh1.csv); else parts use Rondo's own text or made-up series.",
            valueName: "dir"), completion: .directory)
    var data: String?

    @Flag(help: "Leave out papers whose report of this mode and seed is in --out already.")
    var resume = false

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        guard [all, list, !slugs.isEmpty].count(where: { $0 }) == 1 else {
            throw ValidationError("Name papers, or give --all or --list.")
        }
        if resume, out == nil { throw ValidationError("--resume needs --out, where the reports are.") }
        if list, full || out != nil || resume {
            throw ValidationError("--list only lists; leave out --full, --out and --resume.")
        }
    }

    func run() throws {
        if list { return try printList() }
        let experiments = try all ? Experiments.all : slugs.map(Experiments.experiment)
        if let data, FileSystem.kind(of: data) != .folder {
            throw RondoError(.notFound, "--data \(data): no such folder")
        }
        if let out { try FileSystem.makeFolder(out) }
        compute.apply()
        Interruption.listen()
        var results: [JSONValue] = []
        var failed: [String] = []
        for experiment in experiments {
            if let earlier = try finished(experiment) {
                global.console.note("\(experiment.slug): reported already")
                results.append(earlier)
                if earlier["passed"]?.boolValue != true { failed.append(experiment.slug) }
                continue
            }
            let result = try reproduce(experiment)
            results.append(result.json)
            if !result.passed { failed.append(experiment.slug) }
        }
        if global.json {
            try OutputStream.data.writeLine((slugs.count == 1 ? results[0] : .array(results)).text())
        } else if experiments.count > 1 {
            let held = experiments.count - failed.count
            let rest = failed.isEmpty ? "" : "; not those of \(failed.joined(separator: ", "))"
            global.console.note("The claims of \(held) of \(experiments.count) papers hold here\(rest).")
        }
        if !failed.isEmpty { throw ExitStatus.failure }
    }

    // MARK: - One paper

    private func reproduce(_ experiment: Experiment) throws -> Reproduction {
        let printer = ReproductionPrinter(console: global.console, isSilent: global.json)
        try printer.begin(experiment)
        let result: Reproduction
        do {
            result = try Reproduction.run(
                experiment, isFull: full, seed: seed, dataFolder: data, onPart: printer.show,
                onProgress: printer.progress)
        } catch is Reproduction.Interrupted {
            global.console.clearProgress()
            if let out { global.console.note("Stopped. To go on: the same command with --out \(out) --resume.") }
            throw Interruption.exitStatus
        }
        if let out {
            try result.html.write(to: FileSystem.join(out, "\(experiment.slug).html"))
            let path = FileSystem.join(out, "\(experiment.slug).json")
            try AtomicFile.write(result.json.text(.pretty) + "\n", to: path)
        }
        try printer.end(result, folder: out)
        return result
    }

    /// The report of an earlier call that --resume goes on from.
    private func finished(_ experiment: Experiment) throws -> JSONValue? {
        guard resume, let out else { return nil }
        let path = FileSystem.join(out, "\(experiment.slug).json")
        guard FileSystem.kind(of: path) != nil else { return nil }
        let report = try JSONValue(contentsOf: path)
        let isSame = report["mode"]?.stringValue == (full ? "full" : "quick") && report["seed"]?.intValue == Int(seed)
        return isSame ? report : nil
    }

    // MARK: - The list

    private func printList() throws {
        let entries = Catalogue.papers.map { ($0, Experiments.status(of: $0)) }
        if global.json {
            let items = entries.map { paper, status -> JSONValue in
                var missing = JSONValue.null
                if case .partial(let text) = status { missing = .string(text) }
                return [
                    "slug": .string(paper.slug), "title": .string(paper.title), "status": .string(status.name),
                    "missing": missing,
                ]
            }
            return try OutputStream.data.writeLine(JSONValue.array(items).text())
        }
        var table = Table(columns: [("PAPER", .left), ("STATUS", .left), ("TITLE", .left)])
        table.rows = entries.map { paper, status in
            var title = paper.title
            if case .partial(let missing) = status { title += " (missing: \(missing))" }
            return [paper.slug, status.name, title]
        }
        try OutputStream.data.writeLine(table.text(width: OutputStream.data.width))
        let works = entries.count { $0.1 == .works }
        let partial = entries.count { $0.1 != .works && $0.1 != .planned }
        global.console.note("\(works) work, \(partial) in part, \(entries.count - works - partial) are planned.")
    }
}

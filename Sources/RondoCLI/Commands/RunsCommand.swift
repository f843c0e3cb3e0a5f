import ArgumentParser
import RondoIO
import RondoTensor
import RondoTracking

/// `rondo runs`.
struct RunsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "Look back on what was trained.",
        discussion: """
            Example:
              rondo runs list
              rondo runs show runs/book
              rondo runs compare runs/book runs/book2
            """,
        subcommands: [List.self, Show.self, Compare.self], defaultSubcommand: List.self)
}

/// Where the runs are listed.
struct StoreOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The SQLite file that lists all runs.", valueName: "file"), completion: .file())
    var store = RunLocator.defaultStore

    /// Opens the store, if there is one: looking at runs should not create files.
    /// - Throws: `RondoError` of code `notFound`.
    func open() throws -> RunStore {
        guard FileSystem.kind(of: store) == .file else {
            throw RondoError(
                .notFound,
                "there is no run store '\(store)'; train something with `rondo train`, or name one with --store")
        }
        let opened = try RunStore(store)
        try opened.markAbandoned()
        return opened
    }
}

extension RunsCommand {
    /// `rondo runs list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List runs, the newest first.",
            discussion: """
                Example:
                  rondo runs list --status finished --sort best --limit 10
                """)

        @Option(help: "Only runs that stand so.")
        var status: Run.Status?

        @Option(help: ArgumentHelp("Only runs of this kind of model.", valueName: "cell"))
        var cell: String?

        @Option(help: ArgumentHelp("Only runs whose name contains this.", valueName: "text"))
        var name: String?

        @Option(help: "What comes first.")
        var sort = RunStore.Order.created

        @Option(help: ArgumentHelp("At most so many.", valueName: "n"))
        var limit: Int?

        @OptionGroup var store: StoreOptions
        @OptionGroup var global: GlobalOptions

        func run() throws {
            let runs = try store.open().list(
                status: status, model: cell, nameContaining: name, order: sort, limit: limit)
            if global.json {
                return try OutputStream.data.writeLine(JSONValue.array(runs.map { $0.json() }).text())
            }
            var table = Table(columns: [
                ("ID", .left), ("NAME", .left), ("STATUS", .left), ("MODEL", .left), ("PARAMS", .right),
                ("STEP", .right), ("BITS/BYTE", .right), ("TIME", .right), ("BEGAN", .left),
            ])
            table.rows = runs.map { run in
                [
                    run.id, run.name, run.status.rawValue, run.model, Format.count(run.parameterCount), "\(run.step)",
                    run.bestBitsPerByte.map { Format.decimals($0, 4) } ?? "-", Format.duration(run.seconds),
                    WallClock.text(run.createdAt, format: "%Y-%m-%d %H:%M"),
                ]
            }
            try OutputStream.data.writeLine(table.text(width: OutputStream.data.width))
        }
    }

    /// `rondo runs show`.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show one run: results, configuration and the curve of its loss.",
            discussion: """
                Example:
                  rondo runs show runs/book
                """)

        @Argument(help: ArgumentHelp("Id, or the beginning of one, folder or name.", valueName: "run"))
        var reference: String

        @OptionGroup var store: StoreOptions
        @OptionGroup var global: GlobalOptions

        func run() throws {
            let run = try store.open().find(reference)
            if global.json {
                return try OutputStream.data.writeLine(run.json(withConfiguration: true).text())
            }
            var table = Table(columns: [("RUN", .left), (run.id, .left)])
            table.rows = (run.json().objectValue?.members ?? []).dropFirst().map {
                [$0.key, $0.value.stringValue ?? $0.value.text()]
            }
            let width = OutputStream.data.width
            try OutputStream.data.writeLine(table.text(width: width))
            if let curve = Self.curve(of: run, width: width) { try OutputStream.data.writeLine("\n" + curve) }
            try OutputStream.data.writeLine(run.configuration.text(.pretty))
        }

        private static func curve(of run: Run, width: Int?) -> String? {
            let metrics = FileSystem.join(run.folder, "metrics.jsonl")
            guard let points = try? MetricsLogger.curves(metrics)["train/bits_per_byte"], points.count > 1 else {
                return nil
            }
            let series = LossChart.Series(name: "training", points: points, style: .smoothed)
            return LossChart(title: run.name, series: [series]).terminalText(columns: min(width ?? 72, 100))
        }
    }

    /// `rondo runs compare`.
    struct Compare: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "compare",
            abstract: "Put runs side by side: where their configurations differ, and their results.",
            discussion: """
                Example:
                  rondo runs compare runs/book runs/book2
                  rondo runs compare runs/a runs/b --chart compare.svg
                """)

        @Argument(help: ArgumentHelp("Ids, folders or names.", valueName: "run"))
        var references: [String]

        @Option(
            help: ArgumentHelp(
                "Draw bits per byte against time into a file (.svg or .png), a panel for each family of mixers.",
                valueName: "file"),
            completion: .file(extensions: ["svg", "png"]))
        var chart: String?

        @OptionGroup var store: StoreOptions
        @OptionGroup var global: GlobalOptions

        mutating func validate() throws {
            guard references.count >= 2 else { throw ValidationError("compare needs at least two runs.") }
            if let chart, !chart.hasSuffix(".svg"), !chart.hasSuffix(".png") {
                throw ValidationError("--chart \(chart): the name must end in .svg or .png.")
            }
        }

        func run() throws {
            let comparison = try store.open().compare(references)
            if let chart { try RunComparisonChart.write(comparison.runs, to: chart) }
            if global.json {
                return try OutputStream.data.writeLine(
                    JSONValue.array(comparison.runs.map { $0.json(withConfiguration: true) }).text())
            }
            var table = Table(columns: [("", .left)] + comparison.runs.map { ($0.name, .left) })
            table.rows = (comparison.configuration + comparison.results).map { row in
                [row.key] + row.values.map { $0 ?? "-" }
            }
            try OutputStream.data.writeLine(table.text(width: OutputStream.data.width))
        }
    }
}

extension Run {
    /// The run as JSON, with the names of the store's columns.
    fileprivate func json(withConfiguration: Bool = false) -> JSONValue {
        var object = JSONObject()
        object["id"] = .string(id)
        object["name"] = .string(name)
        object["folder"] = .string(folder)
        object["status"] = .string(status.rawValue)
        object["model"] = .string(model)
        object["parameter_count"] = .integer(parameterCount)
        object["step"] = .integer(step)
        object["tokens"] = .integer(tokens)
        object["train_loss"] = trainLoss.map { .real($0) } ?? .null
        object["best_bits_per_byte"] = bestBitsPerByte.map { .real($0) } ?? .null
        object["seconds"] = .real(seconds)
        object["created_at"] = .real(createdAt)
        object["updated_at"] = .real(updatedAt)
        object["seed"] = .integer(seed)
        object["version"] = .string(version)
        object["host"] = .string(host)
        if withConfiguration { object["configuration"] = configuration }
        return .object(object)
    }
}

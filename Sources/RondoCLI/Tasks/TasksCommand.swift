import ArgumentParser
import RondoData
import RondoIO
import RondoTensor

/// `rondo tasks`.
struct TasksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks",
        abstract: "List and show the synthetic tasks that models can be measured on.",
        discussion: """
            Example:
              rondo tasks list
              rondo tasks show dyck --count 3

            A task makes examples with known answers from a seed, the same on every machine.
            """,
        subcommands: [TasksListCommand.self, TasksShowCommand.self])
}

/// `rondo tasks list`.
struct TasksListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the tasks.",
        discussion: """
            Example:
              rondo tasks list
            """)

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let tasks = try TaskDescription.all()
        guard !global.json else {
            return try OutputStream.data.writeLine(JSONValue.array(tasks.map { try $0.json() }).text())
        }
        var table = Table(columns: [("NAME", .left), ("ASKED", .left), ("WHAT IT IS", .left)])
        table.rows = try tasks.map { [$0.card.name, try $0.question(), $0.card.summary] }
        try OutputStream.data.writeLine(table.text(width: OutputStream.data.width))
    }
}

/// `rondo tasks show`.
struct TasksShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Say what a task is, and show examples of it.",
        discussion: """
            Example:
              rondo tasks show parity
              rondo tasks show group_word --options '{"group":"a5"}' --length 8
              rondo tasks show reber --count 5 --seed 1 --json
              rondo tasks show --all --markdown

            Of every example the input is shown with what is asked below it; · marks positions where nothing is asked.
            """)

    @Argument(help: ArgumentHelp("The task, as `rondo tasks list` shows it.", valueName: "name"))
    var name: String?

    @Flag(help: "Show all tasks.")
    var all = false

    @Option(
        help: ArgumentHelp("Options of the task that differ from the defaults, as a JSON object.", valueName: "json"))
    var options: String?

    @Option(help: ArgumentHelp("The length of the examples (default: a short one).", valueName: "n"))
    var length: Int?

    @Option(help: ArgumentHelp("How many examples.", valueName: "n"))
    var count = 2

    @Option(help: ArgumentHelp("The seed of the examples.", valueName: "n"))
    var seed: UInt64 = 0

    @Flag(help: "Print the page of the documentation.")
    var markdown = false

    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        if all == (name != nil) { throw ValidationError("Name one task, or say --all.") }
        if all && (options != nil || length != nil) {
            throw ValidationError("--options and --length are those of one task; leave out --all.")
        }
        if markdown && global.json { throw ValidationError("--markdown and --json exclude each other.") }
        guard (0...10_000).contains(count) else {
            throw ValidationError("--count \(count): must be between 0 and 10000.")
        }
        guard (-1 << 20...1 << 20).contains(length ?? 1) else {
            throw ValidationError("--length \(length ?? 1): must be at most 1048576.")
        }
    }

    func run() throws {
        let tasks = try descriptions()
        if global.json {
            let entries = try tasks.map { try $0.json(samples: samples(of: $0)) }
            return try OutputStream.data.writeLine((name == nil ? .array(entries) : entries[0]).text())
        }
        let texts = try tasks.map { task in
            let samples = try samples(of: task)
            return try markdown ? TaskPage.section(of: task, samples: samples) : task.text(samples: samples)
        }
        let page = all && markdown ? TaskPage.page(sections: texts) : texts.joined(separator: "\n\n")
        try OutputStream.data.writeLine(page)
    }

    private func descriptions() throws -> [TaskDescription] {
        guard let name else { return try TaskDescription.all() }
        let options = try options.map { try JSONValue(parsing: Array($0.utf8), source: "--options") }
        return [try TaskDescription(TaskRegistry.make(name, options: options))]
    }

    private func samples(of task: TaskDescription) throws -> [TaskExample] {
        try task.samples(length: length, count: count, seed: seed)
    }
}

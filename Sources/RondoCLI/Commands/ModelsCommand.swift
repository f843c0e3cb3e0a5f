import ArgumentParser
import RondoIO
import RondoMixers

/// `rondo models`.
struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "List what can be trained.",
        discussion: """
            Example:
              rondo models
              rondo train --text book.txt --mixer gru
            """)

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let entries = MixerRegistry.all.map { $0.card }
        if global.json { return try OutputStream.data.writeLine(StrictJSON.tree(of: entries).text()) }
        var table = Table(columns: [("MIXER", .left), ("WHAT IT IS", .left)])
        table.rows = entries.map { [$0.name, $0.summary] }
        try OutputStream.data.writeLine(table.text(width: OutputStream.data.width))
    }
}

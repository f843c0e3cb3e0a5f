import ArgumentParser
import RondoIO
import RondoMixers

/// `rondo models`.
struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "List the mixers that models are made of.",
        discussion: """
            Example:
              rondo models
              rondo describe lstm

            STATE is the memory of one sequence at a width of 64. `rondo describe` says more about each.
            """)

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let mixers = try MixerDescription.all()
        guard !global.json else {
            return try OutputStream.data.writeLine(JSONValue.array(mixers.map { try $0.json() }).text())
        }
        try OutputStream.data.writeLine(Self.text(of: mixers, width: OutputStream.data.width))
    }

    /// One table, with a heading before each family.
    static func text(of mixers: [MixerDescription], width: Int?) -> String {
        var table = Table(columns: [("NAME", .left), ("STATE", .right), ("WHAT IT IS", .left), ("COST", .left)])
        table.rows = mixers.map { [$0.card.name, $0.stateSizeText, $0.card.summary, $0.card.complexity] }
        let lines = table.text(width: width).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var result = [lines[0]]
        for (index, line) in lines.dropFirst().enumerated() {
            let family = mixers[index].card.family
            if index == 0 || mixers[index - 1].card.family != family { result += ["", family.title] }
            result.append(line)
        }
        return result.joined(separator: "\n")
    }
}

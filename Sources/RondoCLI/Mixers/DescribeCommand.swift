import ArgumentParser
import RondoIO
import RondoMixers
import RondoTensor

/// `rondo describe`.
struct DescribeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Say what a mixer is: equations, options, state and costs.",
        discussion: """
            Example:
              rondo describe lstm
              rondo describe gru --d-model 256 --json
              rondo describe --all --markdown --out docs/mixers
            """)

    @Argument(help: ArgumentHelp("The mixer, as `rondo models` lists it.", valueName: "name"))
    var name: String?

    @Flag(help: "Describe all mixers.")
    var all = false

    @Flag(help: "Print the page of the documentation.")
    var markdown = false

    @Option(
        help: ArgumentHelp("With --all --markdown: write the pages and an index to this folder.", valueName: "folder"),
        completion: .directory)
    var out: String?

    @Option(help: ArgumentHelp("The width that sizes are given for.", valueName: "n"))
    var dModel = MixerDescription.defaultWidth

    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        if all == (name != nil) { throw ValidationError("Name one mixer, or say --all.") }
        if out != nil && !(all && markdown) { throw ValidationError("--out goes with --all --markdown.") }
        if out != nil && dModel != MixerDescription.defaultWidth {
            throw ValidationError("The pages of --out are for a width of \(MixerDescription.defaultWidth).")
        }
        if markdown && global.json { throw ValidationError("--markdown and --json exclude each other.") }
        guard (1...1 << 14).contains(dModel) else {
            throw ValidationError("--d-model \(dModel): must be between 1 and 16384.")
        }
    }

    func run() throws {
        if let out {
            let count = try MixerPages.write(to: out)
            return global.console.note("Wrote \(count) pages to \(out).")
        }
        guard let name else { return try printAll() }
        let description = try MixerDescription(MixerRegistry.mixer(named: name), dModel: dModel)
        if global.json { return try OutputStream.data.writeLine(description.json().text()) }
        try OutputStream.data.write(Array(text(of: description).utf8))
    }

    private func printAll() throws {
        let descriptions = try MixerDescription.all(dModel: dModel)
        if global.json {
            return try OutputStream.data.writeLine(JSONValue.array(descriptions.map { try $0.json() }).text())
        }
        try OutputStream.data.write(Array(descriptions.map(text).joined(separator: "\n").utf8))
    }

    private func text(of description: MixerDescription) -> String {
        markdown ? MixerPages.page(of: description) : description.text + "\n"
    }
}

import RondoIO
import RondoMixers
import RondoTensor

/// The documentation of all mixers: one Markdown page each, and an index.
enum MixerPages {
    private static let mark =
        "<!-- Written by `rondo describe --all --markdown --out docs/mixers`; changes get lost. -->"

    /// The pages by file name.
    static func all() throws -> [(name: String, text: String)] {
        let descriptions = try MixerDescription.all()
        return [("README.md", index(of: descriptions))] + descriptions.map { ("\($0.card.name).md", page(of: $0)) }
    }

    /// Writes all pages to a folder, which is made if need be.
    ///
    /// - Returns: How many there are.
    static func write(to folder: String) throws -> Int {
        let pages = try all()
        try FileSystem.makeFolder(folder)
        for page in pages { try AtomicFile.write(page.text, to: FileSystem.join(folder, page.name)) }
        return pages.count
    }

    /// The page of one mixer.
    static func page(of mixer: MixerDescription) -> String {
        let card = mixer.card
        var parts = [mark, "# \(card.title)", sentence(card.summary)]
        parts.append(table(["", ""], [["name", "`\(card.name)`"]] + mixer.facts.map { [$0.name, $0.text] }))
        parts += ["## Equations", block(card.equations, "text")]
        let configuration = block(mixer.configuration.text(.pretty), "json")
        parts += ["## Configuration", "All keys with their defaults:", configuration]
        parts += ["## State", state(of: mixer)]
        if !card.notes.isEmpty { parts += ["## Notes", card.notes] }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private static func state(of mixer: MixerDescription) -> String {
        guard !mixer.state.isEmpty else { return "None." }
        let rows = mixer.state.map { ["`\($0.name)`", "`\($0.shapeText)`", $0.dtype.rawValue] }
        let positions =
            mixer.card.needsEqualPositions
            ? "Rows that are read together must have read equally many positions; batches with padding or documents "
                + "take them apart."
            : "Rows that are read together may have read different numbers of positions."
        return """
            For one row at a width of \(mixer.dModel) (`time`: positions read):

            \(table(["leaf", "shape", "type"], rows))

            \(positions)
            """
    }

    private static func index(of mixers: [MixerDescription]) -> String {
        var parts = [
            mark, "# Mixers",
            """
            A mixer maps a sequence to a sequence of the same shape and looks backwards only. All of them keep the same \
            laws, which `rondo verify` checks; `rondo describe NAME` prints these pages in the terminal.
            """,
            "State: for one row at a width of \(MixerDescription.defaultWidth), with the default configuration.",
        ]
        for family in MixerCard.Family.allCases {
            let members = mixers.filter { $0.card.family == family }
            guard !members.isEmpty else { continue }
            let rows = members.map {
                ["[\($0.card.title)](\($0.card.name).md)", $0.card.summary, $0.card.complexity, $0.stateSizeText]
            }
            parts += ["## \(family.title)", table(["mixer", "what it is", "cost", "state"], rows)]
        }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private static func table(_ headings: [String], _ rows: [[String]]) -> String {
        let lines = [headings, headings.map { _ in "---" }] + rows.map { $0.map(cell) }
        return lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }

    /// A cell is one line, in which a bar would end it.
    private static func cell(_ text: String) -> String {
        text.map { $0 == "|" ? "\\|" : $0 == "\n" ? " " : String($0) }.joined()
    }

    private static func block(_ text: String, _ language: String) -> String { "```\(language)\n\(text)\n```" }

    private static func sentence(_ text: String) -> String { text.hasSuffix(".") ? text : text + "." }
}

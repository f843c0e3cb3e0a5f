import RondoData
import RondoIO

/// The documentation of all tasks, in Markdown.
enum TaskPage {
    private static let mark = "<!-- Written by `rondo tasks show --all --markdown`; changes get lost. -->"

    /// All sections below an introduction.
    static func page(sections: [String]) -> String {
        let introduction = """
            # Tasks

            A task makes examples with known answers from a seed, the same on every machine. `rondo tasks list` lists \
            them; `rondo tasks show NAME` prints a section of this page and examples of any length, seed and options. Of \
            every example the input is shown with what is asked below it; · marks positions where nothing is asked.
            """
        return ([mark, introduction] + sections).joined(separator: "\n\n")
    }

    /// The section of one task.
    static func section(of task: TaskDescription, samples: [TaskExample]) throws -> String {
        var parts = ["## \(task.card.name)", task.card.summary, task.card.definition]
        let facts = try task.facts().map { "- \($0.name): \($0.text)" }
        let options = task.optionTexts.map { "`\($0.name)` \($0.value)" }.joined(separator: ", ")
        parts.append((facts + ["- options: \(options.isEmpty ? "none" : options)"]).joined(separator: "\n"))
        if !samples.isEmpty {
            let texts = samples.map { ExampleText($0, of: task.task).lines(width: 90).joined(separator: "\n") }
            parts.append("```text\n\(texts.joined(separator: "\n\n"))\n```")
        }
        return parts.joined(separator: "\n\n")
    }
}

/// What a command says to the person who runs it: lines on standard error, and one that is drawn over and over.
final class Console {
    private let stream: OutputStream
    private let isQuiet: Bool
    private let isVerbose: Bool
    private var progressIsShown = false

    /// Whether a progress line can be drawn over itself.
    let isTerminal: Bool

    init(isQuiet: Bool = false, isVerbose: Bool = false, stream: OutputStream = .messages) {
        self.isQuiet = isQuiet
        self.isVerbose = isVerbose
        self.stream = stream
        isTerminal = stream.isTerminal
    }

    deinit { clearProgress() }

    /// Says something worth knowing; nothing if the user asked for quiet.
    func note(_ text: String) {
        if !isQuiet { say(text) }
    }

    /// Says something that only matters when looking closely.
    func detail(_ text: String) {
        if isVerbose { say(text) }
    }

    /// Says that something is odd, even if the user asked for quiet.
    func warn(_ text: String) { say("Warning: \(text)") }

    /// Draws the progress line, shortened to the width of the terminal; nothing in a pipe.
    func showProgress(_ text: String) {
        guard isTerminal, !isQuiet else { return }
        progressIsShown = true
        emit("\r\(text.prefix((stream.width ?? 80) - 1))\u{1B}[K")
    }

    /// Removes the progress line.
    func clearProgress() {
        guard progressIsShown else { return }
        progressIsShown = false
        emit("\r\u{1B}[K")
    }

    private func say(_ text: String) {
        clearProgress()
        emit(text + "\n")
    }

    /// Messages that nobody receives are no reason to stop working.
    private func emit(_ text: String) { try? stream.write(Array(text.utf8)) }
}

/// Columns of text under headings.
struct Table {
    enum Alignment: Sendable { case left, right }

    var columns: [(heading: String, alignment: Alignment)]
    var rows: [[String]] = []

    /// The table as lines; on a terminal each is cut at its width.
    func text(width: Int? = nil) -> String {
        let lines = [columns.map(\.heading)] + rows
        let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let cells = columns.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - line[column].count)
                return columns[column].alignment == .left ? line[column] + padding : padding + line[column]
            }
            return Self.trimmed(cells.joined(separator: "  "), to: width)
        }.joined(separator: "\n")
    }

    private static func trimmed(_ line: String, to width: Int?) -> String {
        var line = line
        if let width, line.count > width { line = line.prefix(max(1, width - 1)) + "…" }
        while line.last == " " { line.removeLast() }
        return line
    }
}

import RondoData

/// An example as rows of text: the input, and below it what is asked.
struct ExampleText {
    /// What stands where nothing is asked.
    static let unasked = "·"

    private struct Row {
        var label: String
        var cells: [String]
    }

    private var rows: [Row]
    private let count: Int

    init(_ example: TaskExample, of task: any SequenceTask) {
        count = example.count
        switch example.inputs {
        case .tokens(let tokens): rows = [Row(label: "input", cells: tokens.map { task.text(ofInput: $0) })]
        case .features(let features): rows = Self.numberRows("input", features, width: features.first?.count ?? 0)
        }
        switch example.targets {
        case .classes(let classes):
            let cells = classes.map { $0 == TaskExample.unasked ? Self.unasked : task.text(ofOutput: $0) }
            rows.append(Row(label: "target", cells: cells))
        case .values(let values):
            rows += Self.numberRows("target", values, width: values.lazy.compactMap { $0?.count }.first ?? 0)
        }
    }

    /// One row for each number of a position.
    private static func numberRows(_ label: String, _ vectors: [[Float]?], width: Int) -> [Row] {
        (0..<width).map { index in
            Row(label: width == 1 ? label : "\(label) \(index + 1)", cells: vectors.map { short($0?[index]) })
        }
    }

    /// Two decimals at most: 1, -0.25, 0.5 is 0.50.
    private static func short(_ number: Float?) -> String {
        guard let number else { return unasked }
        return number == number.rounded() && number.magnitude < 1e6
            ? "\(Int(number))" : Format.decimals(Double(number), 2)
    }

    /// The rows with equal positions below each other, broken into blocks that are not wider than they may be.
    ///
    /// Long examples whose cells are all single characters read as text, without spaces.
    func lines(width: Int) -> [String] {
        let labelWidth = (rows.map(\.label.count).max() ?? 0) + 2
        let widths = (0..<count).map { position in rows.map { $0.cells[position].count }.max() ?? 0 }
        let gap = count > 80 && widths.allSatisfy { $0 == 1 } ? "" : " "
        var lines: [String] = []
        var start = 0
        while start < count {
            var (end, used) = (start, labelWidth)
            repeat {
                used += widths[end] + gap.count
                end += 1
            } while end < count && used + widths[end] <= width
            if start > 0 { lines.append("") }
            lines += rows.map { row in
                let cells = (start..<end).map { position in
                    String(repeating: " ", count: widths[position] - row.cells[position].count) + row.cells[position]
                }
                let padding = String(repeating: " ", count: labelWidth - row.label.count)
                var line = row.label + padding + cells.joined(separator: gap)
                while line.last == " " { line.removeLast() }
                return line
            }
            start = end
        }
        return lines
    }
}

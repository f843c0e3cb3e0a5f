import RondoIO

/// A page of text, tables and pictures in one file that needs no other: no script, no network.
public struct HTMLReport: Sendable {
    /// The heading, and the title of the window.
    public var title: String
    private var body: [String] = []

    /// Creates an empty page.
    public init(title: String) { self.title = title }

    /// Adds a heading.
    public mutating func heading(_ text: String) { body.append("<h2>\(Self.escape(text))</h2>") }

    /// Adds a smaller heading.
    public mutating func subheading(_ text: String) { body.append("<h3>\(Self.escape(text))</h3>") }

    /// Adds a paragraph.
    public mutating func paragraph(_ text: String) { body.append("<p>\(Self.escape(text))</p>") }

    /// Adds a paragraph that stands out as good or bad.
    public mutating func verdict(_ text: String, isGood: Bool) {
        body.append("<p class=\"verdict \(isGood ? "good" : "bad")\">\(Self.escape(text))</p>")
    }

    /// Adds text as it is, as configurations.
    public mutating func code(_ text: String) { body.append("<pre>\(Self.escape(text))</pre>") }

    /// Adds a table.
    ///
    /// - Parameters:
    ///   - header: The headings.
    ///   - rows: Cells by row; those that are "pass" or "FAIL" get a colour.
    public mutating func table(_ header: [String], _ rows: [[String]]) {
        var lines = ["<table><thead><tr>"]
        lines.append(header.map { "<th>\(Self.escape($0))</th>" }.joined())
        lines.append("</tr></thead><tbody>")
        for row in rows {
            let cells = row.map { cell in
                let kind = cell == "pass" ? " class=\"good\"" : cell == "FAIL" ? " class=\"bad\"" : ""
                return "<td\(kind)>\(Self.escape(cell))</td>"
            }
            lines.append("<tr>\(cells.joined())</tr>")
        }
        lines.append("</tbody></table>")
        body.append(lines.joined(separator: "\n"))
    }

    /// Adds a picture.
    public mutating func chart(_ chart: LossChart) { body.append("<figure>\n\(chart.svg())</figure>") }

    /// Adds a picture of a table of numbers.
    public mutating func chart(_ chart: HeatMap) { body.append("<figure>\n\(chart.svg())</figure>") }

    /// The page.
    public var text: String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>\(Self.escape(title))</title>
        <style>
        \(Self.style)
        </style></head><body>
        <h1>\(Self.escape(title))</h1>
        \(body.joined(separator: "\n"))
        </body></html>

        """
    }

    /// Writes the page.
    ///
    /// - Throws: `RondoError` that names the file.
    public func write(to path: String) throws { try AtomicFile.write(text, to: path) }

    private static let style = """
        :root { color-scheme: light dark }
        body { font: 16px/1.5 system-ui, Helvetica, Arial, sans-serif }
        body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
        h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.2rem } h3 { font-size: 1.05rem }
        table { border-collapse: collapse; display: block; overflow-x: auto; font-variant-numeric: tabular-nums }
        th, td { padding: .25rem .8rem .25rem 0; text-align: left }
        th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
        pre { overflow-x: auto; padding: .8rem; font-size: .85rem }
        pre { background: color-mix(in srgb, currentColor 7%, transparent) }
        figure { margin: 1rem 0 } svg { max-width: 100%; height: auto }
        .good { color: #1a7f37; font-weight: 600 } .bad { color: #cf222e; font-weight: 600 }
        @media (prefers-color-scheme: dark) { .good { color: #3fb950 } .bad { color: #f85149 } }
        """

    private static func escape(_ text: String) -> String { SVG.escape(text) }
}

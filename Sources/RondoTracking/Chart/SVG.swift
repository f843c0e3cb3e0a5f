/// Renders a drawing as a self-contained SVG document.
enum SVG {
    static func render(_ drawing: Drawing, title: String) -> String {
        let (width, height) = (number(drawing.width), number(drawing.height))
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(width) \(height)\" width=\"\(width)\" "
                + "height=\"\(height)\" role=\"img\" font-family=\"system-ui, Helvetica, Arial, sans-serif\">",
            "<title>\(escape(title))</title>",
            "<style>",
            Ink.allCases.map { rule($0, $0.light) }.joined(separator: "\n"),
            "path { fill: none; stroke-linejoin: round; stroke-linecap: round }",
            "@media (prefers-color-scheme: dark) {",
            Ink.allCases.map { rule($0, $0.dark) }.joined(separator: "\n"),
            "}",
            "</style>",
            "<rect class=\"fill-background\" width=\"\(width)\" height=\"\(height)\"/>",
        ]
        lines += drawing.elements.map(render)
        lines.append("</svg>\n")
        return lines.joined(separator: "\n")
    }

    private static func rule(_ ink: Ink, _ color: UInt32) -> String {
        let digits = String(color, radix: 16)
        let hex = "#" + String(repeating: "0", count: 6 - digits.count) + digits
        return ".fill-\(ink) { fill: \(hex) } .line-\(ink) { stroke: \(hex) }"
    }

    private static func render(_ element: Drawing.Element) -> String {
        switch element {
        case .line(let points, let width, let ink):
            let path = points.enumerated().map { index, point in
                "\(index == 0 ? "M" : "L")\(number(point.x)) \(number(point.y))"
            }
            return "<path class=\"line-\(ink)\" stroke-width=\"\(number(width))\" d=\"\(path.joined())\"/>"
        case .disc(let center, let radius, let ink):
            return
                "<circle class=\"fill-\(ink)\" cx=\"\(number(center.x))\" cy=\"\(number(center.y))\" "
                + "r=\"\(number(radius))\"/>"
        case .area(let first, let second, let opacity, let ink):
            return
                "<rect class=\"fill-\(ink)\" x=\"\(number(first.x))\" y=\"\(number(first.y))\" "
                + "width=\"\(number(second.x - first.x))\" height=\"\(number(second.y - first.y))\" "
                + "fill-opacity=\"\(number(opacity))\"/>"
        case .text(let text, let origin, let size, let anchor, let isRotated, let ink):
            let place = "x=\"\(number(origin.x))\" y=\"\(number(origin.y))\""
            let turn = isRotated ? " transform=\"rotate(-90 \(number(origin.x)) \(number(origin.y)))\"" : ""
            return
                "<text class=\"fill-\(ink)\" \(place)\(turn) font-size=\"\(number(size))\" text-anchor=\"\(anchor)\">"
                + "\(escape(text))</text>"
        }
    }

    /// Two decimals are finer than any screen; fewer digits make a smaller file.
    private static func number(_ value: Double) -> String {
        var text = Axis.fixed(value, decimals: 2)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }

    static func escape(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}

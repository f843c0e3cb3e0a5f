/// Numbers of a table as shades, from the background (the smallest) to the first colour (the largest).
public struct HeatMap: Sendable {
    /// The line above the picture.
    public var title: String
    /// What runs along the columns.
    public var xLabel: String
    /// What runs along the rows, upwards.
    public var yLabel: String
    /// Names of columns; some are left out if there are many.
    public var columns: [String]
    /// Names of rows, from the bottom; some are left out if there are many.
    public var rows: [String]
    /// Values by row from the bottom; those that are not finite stay empty.
    public var values: [[Double]]
    /// What the values are.
    public var valueLabel: String

    /// Creates a heat map.
    ///
    /// - Parameters:
    ///   - title: The line above the picture.
    ///   - xLabel: What runs along the columns.
    ///   - yLabel: What runs along the rows, upwards.
    ///   - valueLabel: What the values are.
    ///   - columns: Names of columns.
    ///   - rows: Names of rows, from the bottom.
    ///   - values: Values by row from the bottom.
    public init(
        title: String, xLabel: String, yLabel: String, valueLabel: String, columns: [String], rows: [String],
        values: [[Double]]
    ) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.valueLabel = valueLabel
        self.columns = columns
        self.rows = rows
        self.values = values
    }

    /// The picture as a self-contained SVG document that follows the reader's light or dark theme.
    ///
    /// - Returns: The document's text.
    public func svg() -> String { SVG.render(drawing(), title: title) }

    private static let (left, right, top, bottom) = (118.0, 24.0, 54.0, 58.0)

    func drawing() -> Drawing {
        var drawing = Drawing(width: 800, height: 450)
        let (width, height) = (drawing.width - Self.left - Self.right, drawing.height - Self.top - Self.bottom)
        let (across, up) = (width / Double(max(1, columns.count)), height / Double(max(1, rows.count)))
        let finite = values.joined().filter { abs($0) < 1e100 }
        let (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
        func text(
            _ text: String, _ x: Double, _ y: Double, _ size: Double, _ anchor: Drawing.Anchor, turned: Bool = false
        ) {
            drawing.elements.append(.text(text, Position(x, y), size: size, anchor, isRotated: turned, .text))
        }
        for (row, line) in values.prefix(rows.count).enumerated() {
            let lower = drawing.height - Self.bottom - Double(row) * up
            for (column, value) in line.prefix(columns.count).enumerated() where abs(value) < 1e100 {
                let x = Self.left + Double(column) * across
                let shade = high > low ? 0.04 + 0.96 * (value - low) / (high - low) : 0.5
                drawing.elements.append(
                    .area(Position(x, lower - up), Position(x + across, lower), opacity: shade, .first))
            }
        }
        for row in Self.shown(rows.count, limit: 16) {
            text(rows[row], Self.left - 9, drawing.height - Self.bottom - (Double(row) + 0.5) * up + 4.5, 12.5, .end)
        }
        for column in Self.shown(columns.count, limit: 12) {
            text(columns[column], Self.left + (Double(column) + 0.5) * across, drawing.height - 38, 12.5, .middle)
        }
        text(title, Self.left, 30, 17, .start)
        let range = finite.isEmpty ? "no values yet" : "\(Axis.short(low)) (light) to \(Axis.short(high)) (dark)"
        text("\(valueLabel): \(range)", drawing.width - Self.right, 48, 12.5, .end)
        text(xLabel, Self.left + width / 2, drawing.height - 14, 13.5, .middle)
        text(yLabel, 24, Self.top + height / 2, 13.5, .middle, turned: true)
        return drawing
    }

    /// At most about `limit` of many indices, evenly spaced.
    private static func shown(_ count: Int, limit: Int) -> [Int] {
        Array(stride(from: 0, to: count, by: max(1, (count + limit - 1) / limit)))
    }
}

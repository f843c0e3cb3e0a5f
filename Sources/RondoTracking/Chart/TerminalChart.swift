extension LossChart {
    /// The curves as a small picture of braille characters, for terminals.
    ///
    /// - Parameters:
    ///   - columns: The width in characters, the labels of the vertical axis included.
    ///   - rows: The height in lines, without the line below that names the steps.
    /// - Returns: The lines, each ended by a newline.
    public func terminalText(columns: Int = 72, rows: Int = 10) -> String {
        let curves = drawable.map { [.points, .scatter, .bars].contains($0.style) ? $0.points : $0.points.smoothed() }
        let points = curves.flatMap { $0 }
        let xAxis = Axis(values: points.map(\.step), isTight: true, tickCount: 4)
        let yAxis = Axis(values: points.map(\.value), isLogarithmic: isLogarithmic, isTight: true, tickCount: 4)
        let labels = [points.map(\.value).max(), points.map(\.value).min()].map { $0.map { Axis.short($0) } ?? "" }
        let margin = labels.map(\.count).max() ?? 0
        var dots = BrailleGrid(columns: max(1, columns - margin - 2), rows: max(1, rows))
        for curve in curves { dots.draw(curve.map { (xAxis.fraction($0.step), yAxis.fraction($0.value)) }) }
        var lines = dots.lines.enumerated().map { row, line in
            let label = row == 0 ? labels[0] : row == dots.rows - 1 ? labels[1] : ""
            return String(repeating: " ", count: margin - label.count) + label + " \u{2502}" + line
        }
        let ends = [points.map(\.step).min(), points.map(\.step).max()].map {
            $0.map { Axis.label($0, spacing: 1) } ?? ""
        }
        let gap = max(1, dots.columns - ends[0].count - ends[1].count)
        lines.append(String(repeating: " ", count: margin + 2) + ends[0] + String(repeating: " ", count: gap) + ends[1])
        return lines.map { $0 + "\n" }.joined()
    }
}

/// Characters of two by four dots.
private struct BrailleGrid {
    let columns: Int
    let rows: Int
    private var cells: [UInt8]

    init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        cells = [UInt8](repeating: 0, count: columns * rows)
    }

    var lines: [String] {
        (0..<rows).map { row in
            let cells = cells[(row * columns)..<((row + 1) * columns)]
            return String(String.UnicodeScalarView(cells.compactMap { Unicode.Scalar(0x2800 + UInt32($0)) }))
        }
    }

    /// Draws a line through points given as fractions of width and height from the lower left corner.
    mutating func draw(_ points: [(x: Double, y: Double)]) {
        var last: (x: Double, y: Double)?
        for point in points {
            let start = last ?? point
            let (width, height) = (Double(columns * 2 - 1), Double(rows * 4 - 1))
            let steps = max(1, (max(abs(point.x - start.x) * width, abs(point.y - start.y) * height)).rounded(.up))
            for step in stride(from: 0, through: steps, by: 1) {
                let part = step / steps
                let x = (start.x + part * (point.x - start.x)) * width
                set(Int(x.rounded()), Int(((1 - start.y - part * (point.y - start.y)) * height).rounded()))
            }
            last = point
        }
    }

    private mutating func set(_ x: Int, _ y: Int) {
        guard (0..<(columns * 2)).contains(x), (0..<(rows * 4)).contains(y) else { return }
        // Unicode numbers the dots down the left column, then the right one, with the fourth row added later.
        let bit = y % 4 == 3 ? 6 + x % 2 : y % 4 + 3 * (x % 2)
        cells[(y / 4) * columns + x / 2] |= 1 << bit
    }
}

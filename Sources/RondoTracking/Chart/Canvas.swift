/// A grid of pixels that shapes are drawn on with smooth edges.
struct Canvas {
    let width: Int
    let height: Int
    /// Red, green, blue per pixel, row by row.
    private(set) var pixels: [UInt8]
    private var coverage: [Float]

    init(_ drawing: Drawing, scale: Double) {
        width = Int((drawing.width * scale).rounded())
        height = Int((drawing.height * scale).rounded())
        let background = Self.components(.background)
        pixels = []
        pixels.reserveCapacity(width * height * 3)
        for _ in 0..<(width * height) { pixels += background.map { UInt8($0) } }
        coverage = [Float](repeating: 0, count: width * height)
        for element in drawing.elements { draw(element, scale: scale) }
    }

    private mutating func draw(_ element: Drawing.Element, scale: Double) {
        switch element {
        case .line(let points, let width, let ink):
            stroke([points.map { Position($0.x * scale, $0.y * scale) }], width: width * scale, ink)
        case .disc(let center, let radius, let ink):
            stroke([[Position(center.x * scale, center.y * scale)]], width: 2 * radius * scale, ink)
        case .area(let first, let second, let opacity, let ink):
            fill(
                rows: pixels(first.y * scale, second.y * scale, limit: height),
                columns: pixels(first.x * scale, second.x * scale, limit: width), opacity: opacity, ink)
        case .text(let text, let origin, let size, let anchor, let isRotated, let ink):
            let shift: Double
            switch anchor {
            case .start: shift = 0
            case .middle: shift = StrokeFont.width(text, size: size) / 2
            case .end: shift = StrokeFont.width(text, size: size)
            }
            let strokes = StrokeFont.strokes(text, size: size).map { stroke in
                stroke.map { point in
                    let (along, down) = (point.x - shift, point.y)
                    let place =
                        isRotated
                        ? Position(origin.x + down, origin.y - along) : Position(origin.x + along, origin.y + down)
                    return Position(place.x * scale, place.y * scale)
                }
            }
            stroke(strokes, width: size * 0.095 * scale, ink)
        }
    }

    private func pixels(_ low: Double, _ high: Double, limit: Int) -> Range<Int> {
        let start = max(0, min(limit, Int(low.rounded())))
        return start..<max(start, min(limit, Int(high.rounded())))
    }

    private mutating func fill(rows: Range<Int>, columns: Range<Int>, opacity: Double, _ ink: Ink) {
        for row in rows {
            for column in columns { coverage[row * width + column] = Float(min(max(opacity, 0), 1)) }
        }
        blend(ink, rows: rows, columns: columns)
    }

    /// Draws lines with round ends; parts that overlap are not drawn twice.
    private mutating func stroke(_ lines: [[Position]], width lineWidth: Double, _ ink: Ink) {
        let reach = Float(lineWidth / 2 + 0.5)
        var touched = (top: height, bottom: 0, left: width, right: 0)
        for line in lines {
            guard let first = line.first else { continue }
            for (start, end) in zip([first] + line, line) {
                let columns = range(start.x, end.x, reach, limit: width)
                let rows = range(start.y, end.y, reach, limit: height)
                cover(Segment(start, end), reach: reach, columns: columns, rows: rows)
                touched = (
                    min(touched.top, rows.lowerBound), max(touched.bottom, rows.upperBound),
                    min(touched.left, columns.lowerBound), max(touched.right, columns.upperBound)
                )
            }
        }
        guard touched.top < touched.bottom, touched.left < touched.right else { return }
        blend(ink, rows: touched.top..<touched.bottom, columns: touched.left..<touched.right)
    }

    private func range(_ first: Double, _ second: Double, _ reach: Float, limit: Int) -> Range<Int> {
        let low = max(0, min(limit, Int((min(first, second) - Double(reach)).rounded(.down))))
        let high = max(low, min(limit, Int((max(first, second) + Double(reach)).rounded(.up)) + 1))
        return low..<high
    }

    private mutating func cover(_ segment: Segment, reach: Float, columns: Range<Int>, rows: Range<Int>) {
        for row in rows {
            for column in columns {
                let distance = segment.distance(Float(column) + 0.5, Float(row) + 0.5)
                let amount = min(1, max(0, reach - distance))
                let index = row * width + column
                if amount > coverage[index] { coverage[index] = amount }
            }
        }
    }

    /// Mixes the ink in where it covers, and clears the coverage for the next shape.
    private mutating func blend(_ ink: Ink, rows: Range<Int>, columns: Range<Int>) {
        let color = Self.components(ink)
        for row in rows {
            for column in columns {
                let index = row * width + column
                let amount = coverage[index]
                guard amount > 0 else { continue }
                coverage[index] = 0
                for channel in 0..<3 {
                    let old = Float(pixels[index * 3 + channel])
                    pixels[index * 3 + channel] = UInt8((old + (color[channel] - old) * amount).rounded())
                }
            }
        }
    }

    private static func components(_ ink: Ink) -> [Float] {
        [16, 8, 0].map { Float(ink.light >> UInt32($0) & 0xFF) }
    }
}

/// A straight piece of a line.
private struct Segment {
    let x: Float
    let y: Float
    let dx: Float
    let dy: Float
    let inverseSquare: Float

    init(_ start: Position, _ end: Position) {
        x = Float(start.x)
        y = Float(start.y)
        dx = Float(end.x - start.x)
        dy = Float(end.y - start.y)
        let square = dx * dx + dy * dy
        inverseSquare = square > 0 ? 1 / square : 0
    }

    func distance(_ px: Float, _ py: Float) -> Float {
        let along = min(1, max(0, ((px - x) * dx + (py - y) * dy) * inverseSquare))
        let (ox, oy) = (px - x - along * dx, py - y - along * dy)
        return (ox * ox + oy * oy).squareRoot()
    }
}

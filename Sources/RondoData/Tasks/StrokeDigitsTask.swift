public import RondoTensor

/// Tells which digit the pixels of a small drawing show, read one by one.
public struct StrokeDigitsTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "stroke_digits",
        summary: "Which digit do 8 by 8 pixels show, read one by one?",
        definition: """
            A digit of a stroke font, drawn anew for each example: every point of its strokes shifted, the whole turned, \
            slanted, stretched and moved, each by normal numbers in proportion to `distortion`; ink from 0 to 1 by the \
            distance of a pixel from the nearest stroke, plus normal noise of deviation `noise`. Pixels come row by \
            row, or, if `permuted`, in an order drawn once from `permutation_seed`. Asked at the last pixel: the digit. The length \
            is 64.
            """,
        source: "a synthetic stand-in for permuted sequential digits, Le et al., 2015")

    /// Whether pixels come in a random order, the same for all examples.
    public var permuted = true
    /// Draws that order.
    public var permutationSeed: UInt64 = 0
    /// How much drawings differ: 0 not at all, 1 as much as careful handwriting.
    public var distortion = 1.0
    /// The deviation of the noise of pixels.
    public var noise = 0.1

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses negative deviations.
    public func validate() throws {
        try requireValue((0...10).contains(distortion), "distortion", distortion, "from 0 to 10")
        try requireValue((0...10).contains(noise), "noise", noise, "from 0 to 10")
    }

    /// Ink.
    public var input: TaskInput { .features(1) }
    /// The digits.
    public var output: TaskOutput { .classes(10) }
    /// All pixels.
    public var trainingLengths: ClosedRange<Int> { Self.pixels...Self.pixels }
    /// All pixels.
    public var testLengths: [Int] { [Self.pixels] }

    private static let side = 8
    private static let pixels = side * side

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length == Self.pixels, length, "\(Self.pixels), the number of pixels")
        let digit = Int32.random(in: 0..<10, using: &generator)
        let drawing = try drawing(of: Int(digit), using: &generator)
        var order = Array(0..<Self.pixels)
        if permuted {
            var shuffler = Generator(seed: permutationSeed)
            order.shuffle(using: &shuffler)
        }
        var classes = Array(repeating: TaskExample.unasked, count: Self.pixels)
        classes[Self.pixels - 1] = digit
        return TaskExample(inputs: .features(order.map { [drawing[$0]] }), targets: .classes(classes))
    }

    /// Ink of all pixels, row by row.
    private func drawing(of digit: Int, using generator: inout Generator) throws -> [Float] {
        let strokes = Self.digits[digit]
        let points = strokes.reduce(0) { $0 + $1.count }
        var draws = try generator.normal([6 + 2 * points + Self.pixels]).array(of: Float.self).makeIterator()
        func draw(_ deviation: Double) -> Float { Float(deviation) * (draws.next() ?? 0) }
        let (turn, slant) = (draw(0.12 * distortion), draw(0.12 * distortion))
        let (width, height) = (1 + draw(0.1 * distortion), 1 + draw(0.1 * distortion))
        let (x, y) = (draw(0.4 * distortion), draw(0.4 * distortion))
        let moved = strokes.map { stroke in
            stroke.map { point in
                // The grid of strokes is 4 wide and 6 high; pixels are 8 by 8.
                let px = (point.x - 2 + draw(0.18 * distortion)) * width
                let py = (point.y - 3 + draw(0.18 * distortion)) * height
                return Point(x: 4 + x + px + (slant - turn) * py, y: 4 + y + py + turn * px)
            }
        }
        return (0..<Self.pixels).map { index in
            let center = Point(x: Float(index % Self.side) + 0.5, y: Float(index / Self.side) + 0.5)
            let distance = moved.map { center.distance(to: $0) }.min() ?? .infinity
            return max(0, min(1, 1.4 - distance)) + draw(noise)
        }
    }

    /// Strokes as points on a grid 4 wide and 6 high, y downwards; digit by digit.
    private static let digits: [[[Point]]] = [
        ["10 01 05 16 36 45 41 30 10"], ["11 20 26"], ["01 10 30 41 42 06 46"],
        ["01 10 30 41 42 33 13", "33 44 45 36 16 05"], ["36 30 04 44"], ["40 00 03 32 43 45 36 06"],
        ["30 10 01 05 16 36 45 44 33 13 04"], ["00 40 16"],
        ["10 30 41 42 33 13 02 01 10", "13 04 05 16 36 45 44 33"], ["43 13 02 01 10 30 41 45 36 16"],
    ].map { $0.map(points) }

    /// Points from pairs of digits.
    private static func points(_ text: String) -> [Point] {
        let digits = text.compactMap(\.wholeNumberValue).map(Float.init)
        return stride(from: 0, to: digits.count - 1, by: 2).map { Point(x: digits[$0], y: digits[$0 + 1]) }
    }
}

/// A point of a drawing.
private struct Point {
    var x: Float
    var y: Float

    /// The distance to the nearest point of a line through points.
    func distance(to line: [Point]) -> Float {
        zip(line, line.dropFirst()).map { from, to in
            let (dx, dy) = (to.x - from.x, to.y - from.y)
            let square = dx * dx + dy * dy
            let share = square > 0 ? max(0, min(1, ((x - from.x) * dx + (y - from.y) * dy) / square)) : 0
            let (ex, ey) = (from.x + share * dx - x, from.y + share * dy - y)
            return (ex * ex + ey * ey).squareRoot()
        }.min() ?? .infinity
    }
}

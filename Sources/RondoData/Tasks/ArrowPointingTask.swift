public import RondoTensor

/// Whether an arrow on a grid points at a target.
public struct ArrowPointingTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "arrow_pointing",
        summary: "Does the arrow on the grid point at the target?",
        definition: """
            A square grid, read row by row. One cell holds an arrow, another a target, both uniform; the arrow has one of \
            16 directions, uniform, multiples of an eighth of π. Input: four features of a cell: 1 if the target is \
            there; 1 if the arrow is there; its direction as the cosine (columns) and the sine (rows). Asked at the last \
            cell: whether the centre of the target is at most `tolerance` cells away from the ray that begins in the \
            centre of the arrow's cell and goes its way. The answer is drawn first, 1/2 each, and the rest is drawn anew \
            until it fits. A length is the side of the grid, 2 or more; an example has its square as positions. Chance: \
            1/2.
            """,
        source: "Pöppel et al., 2025 (pLSTM), with cells in place of pixels")

    /// How far from its way the arrow still points at the target, in cells.
    public var tolerance = 0.6

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses tolerances that are always or never met.
    public func validate() throws {
        try requireValue((0.1..<1).contains(tolerance), "tolerance", tolerance, "from 0.1 to less than 1")
    }

    /// Target, arrow, cosine, sine.
    public var input: TaskInput { .features(4) }
    /// No, yes.
    public var output: TaskOutput { .classes(2) }
    /// A grid of 8 times 8.
    public var trainingLengths: ClosedRange<Int> { 8...8 }
    /// Up to 16 times 16.
    public var testLengths: [Int] { [8, 12, 16] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 2, length, "2 or more")
        let cells = length * length
        let answer = generator.flip()
        while true {
            let places = generator.twoPlaces(below: cells)
            let direction = Self.directions[Int(generator.token(below: 16))]
            let column = Double(places.1 % length - places.0 % length)
            let row = Double(places.1 / length - places.0 / length)
            let along = column * direction.cosine + row * direction.sine
            let aside = abs(column * direction.sine - row * direction.cosine)
            guard (along > 0 && aside <= tolerance) == answer else { continue }
            var features = [[Float]](repeating: [0, 0, 0, 0], count: cells)
            features[places.0] = [0, 1, Float(direction.cosine), Float(direction.sine)]
            features[places.1][0] = 1
            return TaskExample(
                inputs: .features(features), targets: .classes(.unasked(cells - 1) + [answer ? 1 : 0]))
        }
    }

    private static let directions: [(cosine: Double, sine: Double)] = {
        let quarter = [
            (1, 0), (0.923_879_532_511_286_7, 0.382_683_432_365_089_8), (0.5.squareRoot(), 0.5.squareRoot()),
        ]
        let first = quarter + [(quarter[1].1, quarter[1].0)]
        return [(1.0, 0.0), (0, 1), (-1, 0), (0, -1)].flatMap { turn in
            first.map { ($0.0 * turn.0 - $0.1 * turn.1, $0.1 * turn.0 + $0.0 * turn.1) }
        }
    }()
}

extension Generator {
    /// Two different numbers below a bound; every pair is equally likely.
    fileprivate mutating func twoPlaces(below bound: Int) -> (Int, Int) {
        let first = Int.random(in: 0..<bound, using: &self)
        let second = Int.random(in: 0..<bound - 1, using: &self)
        return (first, second < first ? second : second + 1)
    }
}

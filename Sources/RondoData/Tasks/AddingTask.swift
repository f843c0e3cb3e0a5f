public import RondoTensor

/// The sum of the two marked numbers.
public struct AddingTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "adding",
        summary: "What is the sum of the two marked numbers?",
        definition: """
            Input: two features, a number, uniform from 0 to 1, and a mark, 1 at two positions and 0 elsewhere: one mark \
            is uniform in the first half (of n positions the first ⌊n/2⌋), one in the second. Asked at the last position: \
            the sum of the two marked numbers. A length counts positions, 2 or more. Chance: a mean squared error of 1/6 \
            for always 1, its mean.
            """,
        source: "Hochreiter and Schmidhuber, 1997; Le et al., 2015")

    /// Creates the task.
    public init() {}

    /// Number, mark.
    public var input: TaskInput { .features(2) }
    /// The sum.
    public var output: TaskOutput { .values(1) }
    /// Up to 50.
    public var trainingLengths: ClosedRange<Int> { 20...50 }
    /// Up to 400.
    public var testLengths: [Int] { [50, 100, 200, 400] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 2, length, "2 or more")
        let numbers = (0..<length).map { _ in Float.random(in: 0..<1, using: &generator) }
        let first = Int.random(in: 0..<length / 2, using: &generator)
        let second = Int.random(in: length / 2..<length, using: &generator)
        let features = numbers.enumerated().map { [$1, $0 == first || $0 == second ? 1 : 0] }
        var targets = [[Float]?](repeating: nil, count: length)
        targets[length - 1] = [numbers[first] + numbers[second]]
        return TaskExample(inputs: .features(features), targets: .values(targets))
    }
}

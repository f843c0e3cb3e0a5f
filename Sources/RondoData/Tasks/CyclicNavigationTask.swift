public import RondoTensor

/// Where a walk on a circle has led.
public struct CyclicNavigationTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "cyclic_navigation",
        summary: "Where on a circle has the walk led?",
        definition: """
            Input: steps on a circle of `size` places, independent and uniform among 0 (stay), + (one place on) and - \
            (one place back). Asked at every position, or with `asks_at_end_only` at the last: the place after the step; \
            the walk begins at place 0. A length counts steps. Chance: 1/`size` once the walk is long; near its beginning \
            places around 0 are likelier.
            """,
        source: "Delétang et al., 2022")

    /// The number of places.
    public var size = 5
    /// Whether only the last position is asked.
    public var asksAtEndOnly = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses a circle without a choice.
    public func validate() throws { try requireValue((2...1 << 20).contains(size), "size", size, "from 2 to 1048576") }

    /// Stay, on, back.
    public var input: TaskInput { .tokens(3) }
    /// Places.
    public var output: TaskOutput { .classes(size) }
    /// Up to 40.
    public var trainingLengths: ClosedRange<Int> { 3...40 }
    /// Up to 256.
    public var testLengths: [Int] { [40, 64, 128, 256] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        let steps = generator.tokens(length, below: 3)
        var place = 0
        let classes = steps.map { step in
            place = (place + [0, 1, size - 1][Int(step)]) % size
            return Int32(place)
        }
        return TaskExample(tokens: steps, classes: asksAtEndOnly ? classes.askedAtEndOnly : classes)
    }

    /// 0, + and -.
    public func text(ofInput token: Int32) -> String { token == 1 ? "+" : token == 2 ? "-" : "\(token)" }
}

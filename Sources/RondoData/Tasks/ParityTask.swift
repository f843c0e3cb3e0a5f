public import RondoTensor

/// Whether the number of ones so far is odd, asked at every position.
public struct ParityTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "parity",
        summary: "Is the number of ones so far odd?",
        definition: """
            Input: bits (tokens 0 and 1), independent and fair. Asked at every position, or with `asks_at_end_only` at \
            the last: the sum of the bits up to and including it, modulo 2. A length counts bits.
            """,
        source: "Grazzi et al., 2024 (prefix form); Minsky and Papert, 1969")

    /// Whether only the last position is asked.
    public var asksAtEndOnly = false

    /// Creates the task with its defaults.
    public init() {}

    /// Two tokens.
    public var input: TaskInput { .tokens(2) }
    /// Even, odd.
    public var output: TaskOutput { .classes(2) }
    /// Up to 40.
    public var trainingLengths: ClosedRange<Int> { 3...40 }
    /// Up to 256.
    public var testLengths: [Int] { [40, 64, 128, 256] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        let bits = generator.tokens(length, below: 2)
        var sum: Int32 = 0
        let classes = bits.map { bit in
            sum ^= bit
            return sum
        }
        return TaskExample(tokens: bits, classes: asksAtEndOnly ? classes.askedAtEndOnly : classes)
    }
}

public import RondoTensor

/// Whether the number of ones so far is odd, asked at every position.
public struct ParityTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "parity",
        summary: "Is the number of ones so far odd?",
        definition: """
            Input: bits (tokens 0 and 1), independent and fair. Asked at every position: the sum of the bits up to and \
            including it, modulo 2. A length counts bits.
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
    public func example(length: Int, using generator: inout Generator) -> TaskExample {
        let bits = (0..<length).map { _ in Int32.random(in: 0...1, using: &generator) }
        var sum: Int32 = 0
        var classes = bits.map { bit in
            sum ^= bit
            return sum
        }
        if asksAtEndOnly { for index in classes.indices.dropLast() { classes[index] = TaskExample.unasked } }
        return TaskExample(tokens: bits, classes: classes)
    }
}

public import RondoTensor

/// Remembers the first symbol among distractors.
public struct LatchingTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "latching",
        summary: "What was the first symbol?",
        definition: """
            Input: a symbol, uniform among the first `symbols` tokens, then distractors, independent and uniform among all \
            `symbols` + `others` tokens or, with `distractors_differ`, among the `others` only. Asked at every position, \
            or with `asks_at_end_only` at the last: the first symbol. A length counts positions. Latching(k) of the \
            source has 4 · 2^(k-1) symbols and four times as many others. Chance: 1/`symbols`.
            """,
        source: "Ronca, 2026; Bengio et al., 1994")

    /// How many symbols may come first.
    public var symbols = 4
    /// How many tokens never come first.
    public var others = 16
    /// Whether a symbol that may come first comes only there.
    public var distractorsDiffer = false
    /// Whether only the last position is asked.
    public var asksAtEndOnly = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses a single symbol, and distractors that do not exist.
    public func validate() throws {
        try requireValue((2...1 << 20).contains(symbols), "symbols", symbols, "from 2 to 1048576")
        let fewest = distractorsDiffer ? 1 : 0
        try requireValue((fewest...1 << 20).contains(others), "others", others, "from \(fewest) to 1048576")
    }

    /// Symbols, then others.
    public var input: TaskInput { .tokens(symbols + others) }
    /// Symbols.
    public var output: TaskOutput { .classes(symbols) }
    /// Up to 64.
    public var trainingLengths: ClosedRange<Int> { 32...64 }
    /// Up to 4096.
    public var testLengths: [Int] { [64, 256, 1024, 4096] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        let first = generator.token(below: symbols)
        let distractors =
            distractorsDiffer
            ? generator.tokens(length - 1, below: others).map { $0 + Int32(symbols) }
            : generator.tokens(length - 1, below: symbols + others)
        let classes = [Int32](repeating: first, count: length)
        return TaskExample(tokens: [first] + distractors, classes: asksAtEndOnly ? classes.askedAtEndOnly : classes)
    }
}

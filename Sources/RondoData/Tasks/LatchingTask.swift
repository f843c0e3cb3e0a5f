public import RondoTensor

/// Say the first token at every position.
public struct LatchingTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "latching",
        summary: "Say the first token at every position.",
        definition: """
            4 · 2^(level - 1) tokens can come first, five times as many afterwards, each uniformly. Asked at every \
            position, the first included: the first token. A length counts tokens.
            """,
        source: "Ronca, 2026")

    /// The difficulty, from 1: each level doubles the number of tokens.
    public var level = 1

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses levels with no or too many tokens.
    public func validate() throws { try requireValue((1...16).contains(level), "level", level, "from 1 to 16") }

    private var firstTokens: Int { 4 << (level - 1) }

    /// All tokens.
    public var input: TaskInput { .tokens(5 * firstTokens) }
    /// The tokens that can come first.
    public var output: TaskOutput { .classes(firstTokens) }
    /// 256 to 511, the source's.
    public var trainingLengths: ClosedRange<Int> { 256...511 }
    /// Up to 4096; models that hold the token can be measured at any length.
    public var testLengths: [Int] { [512, 1024, 2048, 4096] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) -> TaskExample {
        let first = Int32.random(in: 0..<Int32(firstTokens), using: &generator)
        let rest = (1..<max(1, length)).map { _ in Int32.random(in: 0..<Int32(5 * firstTokens), using: &generator) }
        return TaskExample(
            tokens: Array(([first] + rest).prefix(length)), classes: Array(repeating: first, count: length))
    }
}

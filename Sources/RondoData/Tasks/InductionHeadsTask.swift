public import RondoTensor

/// Recalls what followed a mark when the mark comes again.
public struct InductionHeadsTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "induction_heads",
        summary: "What followed the mark when it came the first time?",
        definition: """
            Input: symbols of an alphabet of `symbols`, independent and uniform, except that the last position and one \
            position before it hold the mark >. The first mark is uniform among the positions from which at least one \
            symbol lies between the marks, with `latest_mark` only among those up to that (counted from 0). Asked at \
            the last position: the symbol after the first mark. A length counts positions, 3 or more. Chance: \
            1/`symbols`.
            """,
        source: "Olsson et al., 2022; Gu and Dao, 2023; Ronca, 2026")

    /// The size of the alphabet.
    public var symbols = 16
    /// The last position at which the first mark may stand; `nil` for no limit.
    public var latestMark: Int?

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses an alphabet without a choice.
    public func validate() throws {
        try requireValue((2...1 << 20).contains(symbols), "symbols", symbols, "from 2 to 1048576")
        try requireValue((latestMark ?? 0) >= 0, "latest_mark", latestMark ?? 0, "0 or more")
    }

    /// The alphabet, the mark.
    public var input: TaskInput { .tokens(symbols + 1) }
    /// The alphabet.
    public var output: TaskOutput { .classes(symbols) }
    /// Up to 64.
    public var trainingLengths: ClosedRange<Int> { 16...64 }
    /// Up to 1024.
    public var testLengths: [Int] { [64, 128, 256, 1024] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 3, length, "3 or more")
        var tokens = generator.tokens(length, below: symbols)
        let first = Int.random(in: 0...min(length - 3, latestMark ?? .max), using: &generator)
        tokens[first] = Int32(symbols)
        tokens[length - 1] = Int32(symbols)
        return TaskExample(tokens: tokens, classes: .unasked(length - 1) + [tokens[first + 1]])
    }

    /// Symbols, the mark as >.
    public func text(ofInput token: Int32) -> String { token == symbols ? ">" : "\(token)" }
}

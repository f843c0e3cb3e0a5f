public import RondoTensor

/// Repeats symbols after a delay.
public struct CopyingTask: SequenceTask {
    /// What a length counts.
    public enum Growth: String, Codable, Sendable, CaseIterable {
        /// The positions between the symbols and their repetition.
        case delay
        /// The symbols.
        case symbols
    }

    /// Name, definition, source.
    public static let card = TaskCard(
        name: "copying",
        summary: "Repeat the first symbols after a delay.",
        definition: """
            Input: S symbols of an alphabet of `symbols`, independent and uniform; T - 1 blanks; the mark >; S blanks. \
            Asked at the last S positions, so after the mark: the S symbols in order, with `reversed` backwards. By \
            default (`grows` delay) a length is T, 1 or more, and S is `copied`; with `grows` symbols a length is S, and \
            T is `delay`. An example has T + 2 S positions. Chance: 1/`symbols`.
            """,
        source: "Hochreiter and Schmidhuber, 1997; Arjovsky et al., 2016")

    /// The size of the alphabet.
    public var symbols = 8
    /// How many symbols are repeated, where a length is the delay.
    public var copied = 10
    /// What a length counts.
    public var grows = Growth.delay
    /// The delay, where a length counts symbols.
    public var delay = 1
    /// Whether the last symbol comes first.
    public var reversed = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses empty alphabets and copies.
    public func validate() throws {
        try requireValue((2...1 << 20).contains(symbols), "symbols", symbols, "from 2 to 1048576")
        try requireValue((1...1 << 20).contains(copied), "copied", copied, "from 1 to 1048576")
        try requireValue((1...1 << 20).contains(delay), "delay", delay, "from 1 to 1048576")
    }

    /// The alphabet, the blank, the mark.
    public var input: TaskInput { .tokens(symbols + 2) }
    /// The alphabet.
    public var output: TaskOutput { .classes(symbols) }
    /// Up to 50 blanks or 20 symbols.
    public var trainingLengths: ClosedRange<Int> { grows == .delay ? 10...50 : 1...20 }
    /// Up to eight times as much.
    public var testLengths: [Int] { grows == .delay ? [50, 100, 200, 400] : [20, 40, 80, 160] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        let (count, wait) = grows == .delay ? (copied, length) : (length, delay)
        let (blank, mark) = (Int32(symbols), Int32(symbols + 1))
        let data = generator.tokens(count, below: symbols)
        let blanks = { [Int32](repeating: blank, count: $0) }
        return TaskExample(
            tokens: data + blanks(wait - 1) + [mark] + blanks(count),
            classes: .unasked(count + wait) + (reversed ? data.reversed() : data))
    }

    /// Symbols, the blank as _, the mark as >.
    public func text(ofInput token: Int32) -> String {
        token == symbols ? "_" : token == symbols + 1 ? ">" : "\(token)"
    }
}

/// Repeats the symbols that stand among blanks.
public struct SelectiveCopyingTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "selective_copying",
        summary: "Repeat the symbols that are scattered among blanks.",
        definition: """
            Input: a stretch of blanks in which `copied` positions, every set of them equally likely, hold symbols of an \
            alphabet of `symbols`, independent and uniform; then the mark > `copied` times. Asked at the marks: the \
            symbols in order. A length counts the positions of the stretch and is at least `copied`; an example has \
            `copied` more. Chance: 1/`symbols`.
            """,
        source: "Gu and Dao, 2023; Jing et al., 2019")

    /// The size of the alphabet.
    public var symbols = 14
    /// How many symbols are repeated.
    public var copied = 8

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses empty alphabets and copies.
    public func validate() throws {
        try requireValue((2...1 << 20).contains(symbols), "symbols", symbols, "from 2 to 1048576")
        try requireValue((1...1 << 20).contains(copied), "copied", copied, "from 1 to 1048576")
    }

    /// The alphabet, the blank, the mark.
    public var input: TaskInput { .tokens(symbols + 2) }
    /// The alphabet.
    public var output: TaskOutput { .classes(symbols) }
    /// From four to eight times the copied symbols.
    public var trainingLengths: ClosedRange<Int> { 4 * copied...8 * copied }
    /// Up to eight times the longest of training.
    public var testLengths: [Int] { [8 * copied, 16 * copied, 32 * copied, 64 * copied] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= copied, length, "copied = \(copied) or more")
        let positions = generator.sortedChoice(of: copied, below: length)
        let data = generator.tokens(copied, below: symbols)
        var tokens = [Int32](repeating: Int32(symbols), count: length)
        for (position, symbol) in zip(positions, data) { tokens[position] = symbol }
        let marks = [Int32](repeating: Int32(symbols + 1), count: copied)
        return TaskExample(tokens: tokens + marks, classes: .unasked(length) + data)
    }

    /// Symbols, the blank as _, the mark as >.
    public func text(ofInput token: Int32) -> String {
        token == symbols ? "_" : token == symbols + 1 ? ">" : "\(token)"
    }
}

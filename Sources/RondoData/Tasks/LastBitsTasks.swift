public import RondoTensor

/// The parity of the last N bits.
public struct NParityTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "n_parity",
        summary: "Is the number of ones among the last N bits odd?",
        definition: """
            Input: bits; every example draws the share of ones, uniform between 0 and 1. Asked at the last position, or \
            with `asks_at_every_position` from position `n` on: the sum of the last `n` bits modulo 2. A length counts \
            bits and is at least `n`. Chance: for even `n` the answer 0 has a share of 1/2 + 1/(2(n + 1)), for odd `n` \
            1/2.
            """,
        source: "Khajehabdollahi et al., 2023")

    /// How many bits count.
    public var n = 4
    /// Whether it is asked at every position that has so many bits up to it.
    public var asksAtEveryPosition = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses a count below 1.
    public func validate() throws { try requireValue((1...10_000).contains(n), "n", n, "from 1 to 10000") }

    /// Two tokens.
    public var input: TaskInput { .tokens(2) }
    /// Even, odd.
    public var output: TaskOutput { .classes(2) }
    /// As in the source, from n + 2 to 4 n + 1.
    public var trainingLengths: ClosedRange<Int> { n + 2...4 * n + 1 }
    /// Up to 32 n.
    public var testLengths: [Int] { [4 * n + 1, 8 * n, 16 * n, 32 * n] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= n, length, "n = \(n) or more")
        let share = Double.random(in: 0..<1, using: &generator)
        let bits = (0..<length).map { _ in Double.random(in: 0..<1, using: &generator) < share ? Int32(1) : 0 }
        let classes = (0..<length).map { index in
            index + 1 >= n ? Self.answer(bits[...index], n: n) : TaskExample.unasked
        }
        return TaskExample(tokens: bits, classes: asksAtEveryPosition ? classes : classes.askedAtEndOnly)
    }

    /// The parity of the last bits, for models that answer for several N at once.
    ///
    /// - Parameters:
    ///   - bits: The bits, at least `n`.
    ///   - n: How many count.
    /// - Returns: 0 or 1.
    public static func answer(_ bits: some BidirectionalCollection<Int32>, n: Int) -> Int32 {
        bits.suffix(n).reduce(0, ^)
    }
}

/// Whether the last bit is the same as one some time before it.
public struct DelayedMatchTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "n_delayed_match",
        summary: "Is the last bit the same as the N-th from the end?",
        definition: """
            Delayed match to sample. Input: bits, independent and fair. Asked at the last position, or with \
            `asks_at_every_position` from position `n` on: 1 if the bit there is the same as the one n - 1 positions \
            before it, else 0. A length counts bits and is at least `n`.
            """,
        source: "Khajehabdollahi et al., 2023")

    /// The compared bits are the first and the last of so many.
    public var n = 4
    /// Whether it is asked at every position that has so many bits up to it.
    public var asksAtEveryPosition = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses to compare a bit with itself.
    public func validate() throws { try requireValue((2...10_000).contains(n), "n", n, "from 2 to 10000") }

    /// Two tokens.
    public var input: TaskInput { .tokens(2) }
    /// Different, same.
    public var output: TaskOutput { .classes(2) }
    /// As in the source, from n + 2 to 4 n + 1.
    public var trainingLengths: ClosedRange<Int> { n + 2...4 * n + 1 }
    /// Up to 32 n.
    public var testLengths: [Int] { [4 * n + 1, 8 * n, 16 * n, 32 * n] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= n, length, "n = \(n) or more")
        let bits = generator.tokens(length, below: 2)
        let classes = (0..<length).map { index in
            index + 1 >= n ? Self.answer(bits[...index], n: n) : TaskExample.unasked
        }
        return TaskExample(tokens: bits, classes: asksAtEveryPosition ? classes : classes.askedAtEndOnly)
    }

    /// Whether the first and the last of the last bits are the same, for models that answer for several N at once.
    ///
    /// - Parameters:
    ///   - bits: The bits, at least `n`.
    ///   - n: How many count.
    /// - Returns: 0 or 1.
    public static func answer(_ bits: some BidirectionalCollection<Int32>, n: Int) -> Int32 {
        let last = bits.suffix(n)
        return last.first == last.last ? 1 : 0
    }
}

public import RondoTensor

/// Recalls the values of several keys.
public struct AssociativeRecallTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "associative_recall",
        summary: "Which values came with these keys? (MQAR)",
        definition: """
            Multi-query associative recall. Input: D pairs of a key and its value, side by side; the keys differ from \
            each other (of `keys`), and so do the values (of `values`). Then gaps of two positions; `queries` of the keys \
            (all, if null) come once more, each at the beginning of a gap of its own. Gap g (from 1) is chosen with a \
            weight of 1/g without repetition, so that most queries come early (the source: g^-0.99); which key comes in \
            which gap is random. All else after the pairs is a blank, or with `random_filler` a value, independent and \
            uniform. D is `pairs`, or uniform from `min_pairs` to it. Asked at the queries: the value. A length counts \
            positions; it is even, or one shorter, and leaves a gap for every query. Chance: 1/`values`, or 1/D for who \
            remembers which values there were.
            """,
        source: "Arora et al., 2023 (Zoology)")

    /// The number of keys that exist.
    public var keys = 64
    /// The number of values that exist.
    public var values = 64
    /// The most pairs of an example.
    public var pairs = 8
    /// The fewest pairs of an example; `nil` for always `pairs`.
    public var minPairs: Int?
    /// How many keys are asked; `nil` for all.
    public var queries: Int?
    /// Whether positions where nothing is asked hold values rather than blanks.
    public var randomFiller = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses more pairs than keys or values.
    public func validate() throws {
        try requireValue((1...1 << 20).contains(keys), "keys", keys, "from 1 to 1048576")
        try requireValue((1...1 << 20).contains(values), "values", values, "from 1 to 1048576")
        let most = min(keys, values)
        try requireValue((1...most).contains(pairs), "pairs", pairs, "from 1 to the number of keys and of values")
        let fewest = minPairs ?? pairs
        try requireValue((1...pairs).contains(fewest), "min_pairs", fewest, "from 1 to pairs = \(pairs)")
        try requireValue(
            (1...fewest).contains(queries ?? 1), "queries", queries ?? 1, "from 1 to the fewest pairs, \(fewest)")
    }

    /// Values, keys, the blank.
    public var input: TaskInput { .tokens(values + keys + 1) }
    /// Values.
    public var output: TaskOutput { .classes(values) }
    /// From the pairs with a gap each to twice that.
    public var trainingLengths: ClosedRange<Int> { shortest...2 * shortest }
    /// Up to sixteen times the shortest.
    public var testLengths: [Int] { [2 * shortest, 4 * shortest, 8 * shortest, 16 * shortest] }

    private var shortest: Int { 2 * pairs + 2 * (queries ?? pairs) }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        let enough = "\(shortest) or more for \(pairs) pairs and \(queries ?? pairs) queries"
        try requireLength(length >= shortest, length, enough)
        let pairCount = Int.random(in: (minPairs ?? pairs)...pairs, using: &generator)
        let chosenKeys = generator.choice(of: pairCount, below: keys).map { $0 + Int32(values) }
        let chosenValues = generator.choice(of: pairCount, below: values)
        var tokens = zip(chosenKeys, chosenValues).flatMap { [$0, $1] }
        let gaps = length / 2 - pairCount
        tokens +=
            randomFiller
            ? generator.tokens(2 * gaps, below: values)
            : Array(repeating: Int32(values + keys), count: 2 * gaps)
        var classes = [Int32].unasked(tokens.count)
        var weights = (0..<gaps).map { 1 / Double($0 + 1) }
        for pair in generator.choice(of: queries ?? pairCount, below: pairCount).map(Int.init) {
            let gap = generator.index(weights: weights)
            weights[gap] = 0
            tokens[2 * (pairCount + gap)] = chosenKeys[pair]
            classes[2 * (pairCount + gap)] = chosenValues[pair]
        }
        return TaskExample(tokens: tokens, classes: classes)
    }

    /// Values as numbers, keys as k and a number, the blank as _.
    public func text(ofInput token: Int32) -> String { recallText(token, values: values, keys: keys) }
}

/// Recalls the latest values of keys that came before with others.
public struct LatestRecallTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "latest_recall",
        summary: "Which values came last with these keys, after many others?",
        definition: """
            Input: pairs of a key and its value, side by side, then `queried` keys. The keys of the last `queried` pairs \
            differ from each other; the keys of the pairs before them are independent and uniform (of `keys`), and so \
            are all values (of `values`), so that pairs overwrite earlier ones. The last keys come again in random order; \
            asked at each: the value of its last pair. A length counts pairs, at least `queried`; an example has twice as \
            many positions and `queried` more. Chance: 1/`values`.
            """,
        source: "Chen et al., 2024 (Stuffed Mamba)")

    /// The number of keys that exist.
    public var keys = 64
    /// The number of values that exist.
    public var values = 64
    /// How many of the last pairs are asked.
    public var queried = 12

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses more queries than keys.
    public func validate() throws {
        try requireValue((1...1 << 20).contains(keys), "keys", keys, "from 1 to 1048576")
        try requireValue((2...1 << 20).contains(values), "values", values, "from 2 to 1048576")
        try requireValue((1...keys).contains(queried), "queried", queried, "from 1 to keys = \(keys)")
    }

    /// Values, keys.
    public var input: TaskInput { .tokens(values + keys) }
    /// Values.
    public var output: TaskOutput { .classes(values) }
    /// As many pairs as are asked, so that nothing need be forgotten.
    public var trainingLengths: ClosedRange<Int> { queried...queried }
    /// Up to sixteen times as many.
    public var testLengths: [Int] { [queried, 2 * queried, 4 * queried, 8 * queried, 16 * queried] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= queried, length, "queried = \(queried) or more")
        let last = generator.choice(of: queried, below: keys)
        let pairKeys = generator.tokens(length - queried, below: keys) + last
        let pairValues = generator.tokens(length, below: values)
        let pairs = zip(pairKeys, pairValues).flatMap { [$0 + Int32(values), $1] }
        let order = generator.choice(of: queried, below: queried).map(Int.init)
        return TaskExample(
            tokens: pairs + order.map { last[$0] + Int32(values) },
            classes: .unasked(pairs.count) + order.map { pairValues[length - queried + $0] })
    }

    /// Values as numbers, keys as k and a number.
    public func text(ofInput token: Int32) -> String { recallText(token, values: values, keys: keys) }
}

private func recallText(_ token: Int32, values: Int, keys: Int) -> String {
    token < values ? "\(token)" : token < values + keys ? "k\(token - Int32(values))" : "_"
}

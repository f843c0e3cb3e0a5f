public import RondoTensor

/// The running product of elements of a group: the word problem.
public struct GroupWordTask: SequenceTask {
    /// Which elements words are made of.
    public enum Elements: String, Codable, Sendable, CaseIterable {
        /// All of the group.
        case all
        /// Two that generate it.
        case generators
    }

    /// Name, definition, source.
    public static let card = TaskCard(
        name: "group_word",
        summary: "Where have all permutations so far taken the things?",
        definition: """
            Input: elements of the `group` (s3, s4, s5, a4 or a5), independent and uniform among all of them or, with \
            `elements` generators, among two: for s3, s4 and s5 the swap of the first two things and the cycle of all; \
            for a4 (0 1 2) and (1 2 3); for a5 (0 1 2) and (0 1 2 3 4). With `max_moved`, only elements that move at \
            most so many things. Asked at every position, or with `asks_at_end_only` at the last: the product of the \
            elements up to it, each applied after those before it. Elements are written as the images of 0, 1, …; \
            classes are all elements in lexicographic order. A length counts elements. Chance: one in the order of the \
            group (6, 24, 120, 12 or 60) from all elements; with generators of s3, s4 or s5 and with `max_moved`, \
            positions near the beginning favour some elements.
            """,
        source: "Barrington, 1989; Merrill et al., 2024; Grazzi et al., 2024")

    /// The group.
    public var group = PermutationGroup.s3
    /// Which of its elements words are made of.
    public var elements = Elements.all
    /// The most things that an element of a word may move; `nil` for no limit.
    public var maxMoved: Int?
    /// Whether only the last position is asked.
    public var asksAtEndOnly = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses words that no element could be in.
    public func validate() throws {
        guard let maxMoved else { return }
        let least = group == .a4 || group == .a5 ? 3 : 2
        try requireValue(
            (least...group.degree).contains(maxMoved), "max_moved", maxMoved,
            "from \(least) to \(group.degree) in \(group.rawValue)")
        try requireValue(!letters.isEmpty, "max_moved", maxMoved, "large enough for one of the generators")
    }

    /// The elements that words are made of, as indices into those of the group.
    public var letters: [Int] {
        let candidates = elements == .all ? Array(0..<group.order) : group.generators
        guard let maxMoved else { return candidates }
        return candidates.filter { group.moved(by: $0) <= maxMoved }
    }

    /// The elements of words.
    public var input: TaskInput { .tokens(letters.count) }
    /// The elements of the group.
    public var output: TaskOutput { .classes(group.order) }
    /// Up to 32.
    public var trainingLengths: ClosedRange<Int> { 3...32 }
    /// Up to 512.
    public var testLengths: [Int] { [32, 64, 128, 512] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        let letters = letters
        let tokens = generator.tokens(length, below: letters.count)
        var product = 0
        let classes = tokens.map { token in
            product = group.product(product, letters[Int(token)])
            return Int32(product)
        }
        return TaskExample(tokens: tokens, classes: asksAtEndOnly ? classes.askedAtEndOnly : classes)
    }

    /// The images of 0, 1, ….
    public func text(ofInput token: Int32) -> String {
        let letters = letters
        return letters.indices.contains(Int(token)) ? images(letters[Int(token)]) : "\(token)"
    }

    /// The images of 0, 1, ….
    public func text(ofOutput token: Int32) -> String {
        (0..<group.order).contains(Int(token)) ? images(Int(token)) : "\(token)"
    }

    private func images(_ element: Int) -> String { group.elements[element].map(String.init).joined() }
}

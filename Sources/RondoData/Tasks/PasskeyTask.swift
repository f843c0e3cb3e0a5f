public import RondoTensor

/// Finds five digits in a long text.
public struct PasskeyTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "passkey",
        summary: "Which passkey was hidden in this long text?",
        definition: """
            Input: bytes of an English text: an instruction, the same block of five sentences again and again, before one \
            of the blocks the sentence "The passkey is 01234. Remember it. 01234 is the passkey.", and at the end "What \
            is the pass key? The passkey is " with all digits but the last. The passkey is uniform from 00000 to 99999. \
            It stands before block number ⌊d (n - 1)⌋ of n (from 0), where the depth d is `depth` or uniform from 0 to \
            1. Asked: the five digits, each at the byte before it, with `asks_repetition` also where the sentence says \
            them again; classes are bytes. A length counts blocks of 90 bytes. Chance: 1/10.
            """,
        source: "Mohtashami and Jaggi, 2023; Chen et al., 2024 (Stuffed Mamba)")

    /// Where the passkey stands, from 0 for the beginning to 1; `nil` for anywhere.
    public var depth: Double?
    /// Whether the digits are also asked where the sentence says them again, 20 bytes after the first time.
    ///
    /// Models that do not learn the task from the question alone may learn it so: first to copy over a short distance.
    public var asksRepetition = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses a place outside the text.
    public func validate() throws {
        try requireValue((0...1).contains(depth ?? 0), "depth", depth ?? 0, "from 0 to 1")
    }

    /// Bytes.
    public var input: TaskInput { .tokens(256) }
    /// Bytes.
    public var output: TaskOutput { .classes(256) }
    /// Up to 4 blocks.
    public var trainingLengths: ClosedRange<Int> { 1...4 }
    /// Up to 64 blocks.
    public var testLengths: [Int] { [4, 8, 16, 64] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        let number = Int.random(in: 0..<100_000, using: &generator)
        let digits = String("\(100_000 + number)".dropFirst())
        let place = Int((depth ?? Double.random(in: 0..<1, using: &generator)) * Double(length - 1))
        let untilRepetition =
            Self.instruction + String(repeating: Self.block, count: place) + "The passkey is \(digits). Remember it. "
        let prompt =
            untilRepetition + "\(digits) is the passkey.\n" + String(repeating: Self.block, count: length - place)
            + Self.question
        let tokens = (prompt + digits.dropLast()).utf8.map(Int32.init)
        let answers = digits.utf8.map(Int32.init)
        var classes: [Int32] = .unasked(tokens.count - answers.count) + answers
        if asksRepetition {
            let start = untilRepetition.utf8.count - 1
            classes.replaceSubrange(start..<start + answers.count, with: answers)
        }
        return TaskExample(tokens: tokens, classes: classes)
    }

    /// The character of a byte.
    public func text(ofInput token: Int32) -> String {
        switch token {
        case 0x0A: "↵"
        case 0x20...0x7E: String(UnicodeScalar(UInt8(token)))
        default: "<\(token)>"
        }
    }

    /// The character of a byte.
    public func text(ofOutput token: Int32) -> String { text(ofInput: token) }

    // MARK: - The text of the source

    private static let instruction = """
        There is an important info hidden inside a lot of irrelevant text. Find it and memorize it.


        """

    private static let block = """
        The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.

        """

    private static let question = "\nWhat is the pass key? The passkey is "
}

public import RondoTensor

/// Which bracket must be closed next.
public struct DyckTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "dyck",
        summary: "Which closing bracket is due, if any is?",
        definition: """
            Input: the beginning of a string of balanced brackets of `kinds` kinds that is never deeper than `max_depth`. \
            With nothing open a bracket is opened, at the full depth one is closed, else either with a chance of 1/2; \
            the kind of an opened bracket is uniform. Asked at every position, or with `asks_at_end_only` at the last: \
            the closing bracket that is due, which is of the kind opened last and not closed yet, or - if all are closed \
            (class number `kinds`). A length counts brackets. Chance: with depth D and k kinds, - has a share of 1/(2 D) \
            in long strings, every kind (1 - 1/(2 D))/k.
            """,
        source: "Chomsky and Schützenberger, 1963; Hewitt et al., 2020")

    /// The number of kinds of brackets.
    public var kinds = 2
    /// The most brackets that are open at once.
    public var maxDepth = 8
    /// Whether only the last position is asked.
    public var asksAtEndOnly = false

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses strings without brackets.
    public func validate() throws {
        try requireValue((1...1 << 20).contains(kinds), "kinds", kinds, "from 1 to 1048576")
        try requireValue((1...1 << 20).contains(maxDepth), "max_depth", maxDepth, "from 1 to 1048576")
    }

    /// Opening brackets, then closing ones.
    public var input: TaskInput { .tokens(2 * kinds) }
    /// The kinds, then none.
    public var output: TaskOutput { .classes(kinds + 1) }
    /// Up to 40.
    public var trainingLengths: ClosedRange<Int> { 4...40 }
    /// Up to 320.
    public var testLengths: [Int] { [40, 80, 160, 320] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        var open: [Int32] = []
        var (tokens, classes) = ([Int32](), [Int32]())
        for _ in 0..<length {
            let opens = open.isEmpty || (open.count < maxDepth && generator.flip())
            if opens {
                let kind = generator.token(below: kinds)
                open.append(kind)
                tokens.append(kind)
            } else {
                tokens.append(open.removeLast() + Int32(kinds))
            }
            classes.append(open.last ?? Int32(kinds))
        }
        return TaskExample(tokens: tokens, classes: asksAtEndOnly ? classes.askedAtEndOnly : classes)
    }

    /// A bracket; beyond four kinds, with a number.
    public func text(ofInput token: Int32) -> String {
        let (kind, closes) = (Int(token) % kinds, token >= kinds)
        let pairs = [("(", ")"), ("[", "]"), ("{", "}"), ("<", ">")]
        guard kinds > pairs.count else { return closes ? pairs[kind].1 : pairs[kind].0 }
        return closes ? "\(kind))" : "(\(kind)"
    }

    /// The closing bracket, or -.
    public func text(ofOutput token: Int32) -> String {
        token < kinds ? text(ofInput: token + Int32(kinds)) : "-"
    }
}

public import RondoTensor

/// Predicts the next symbol of strings of Reber's grammar.
public struct ReberTask: SequenceTask {
    /// Which strings.
    public enum Form: String, Codable, Sendable, CaseIterable {
        /// A string of the grammar.
        case plain
        /// A string of the grammar between two equal symbols.
        case embedded
        /// Embedded strings one after the other.
        case continual
    }

    /// What is asked.
    public enum Question: String, Codable, Sendable, CaseIterable {
        /// The next symbol, at every position.
        case next
        /// The second of the two equal symbols only, which nothing but the first one tells.
        case outer
    }

    /// Name, definition, source.
    public static let card = TaskCard(
        name: "reber",
        summary: "Which symbol comes next in a string of Reber's grammar?",
        definition: """
            Reber's grammar: B; then T S* X or P T* V; after X, X T* V again or S E; after V, P (and then as after the \
            first X) or V E; branches are fair. Embedded: B, T or P (fair), a string of the grammar, the same T or P \
            again, E. Input, by `form`: a plain or embedded string, or (continual) embedded strings one after the other. \
            Asked (`asks` next) at every position: the next symbol. With `asks` outer, only where the second of the two \
            equal symbols of an embedded string is next, which nothing but the first one tells. A length counts \
            positions read, one less than symbols: 4 or more for plain strings, which are drawn given their length, 8 or \
            more for embedded ones; continual strings are of any length and the last is cut. Chance: with outer 1/2; with \
            next, the best guess is right about two times in three.
            """,
        source: "Reber, 1967; Cleeremans et al., 1989; Hochreiter and Schmidhuber, 1997; Gers et al., 2000")

    /// Which strings.
    public var form = Form.embedded
    /// What is asked.
    public var asks = Question.next

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses to ask for symbols that plain strings lack.
    public func validate() throws {
        let isPossible = form != .plain || asks == .next
        try requireValue(isPossible, "asks", asks.rawValue, "next for plain strings, which have no outer symbols")
    }

    /// B T P S X V E.
    public var input: TaskInput { .tokens(ReberGrammar.symbols.count) }
    /// B T P S X V E.
    public var output: TaskOutput { .classes(ReberGrammar.symbols.count) }
    /// About as long as most strings; 100 for several.
    public var trainingLengths: ClosedRange<Int> {
        switch form {
        case .plain: 4...20
        case .embedded: 8...24
        case .continual: 100...100
        }
    }
    /// Up to four times as long; continual up to 1600.
    public var testLengths: [Int] {
        switch form {
        case .plain: [20, 40, 80]
        case .embedded: [24, 48, 96]
        case .continual: [100, 400, 1600]
        }
    }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        var string: [Int32] = []
        var outer: [Int] = []
        switch form {
        case .plain:
            try requireLength(length >= 4, length, "4 or more")
            string = ReberGrammar.string(length: length + 1, using: &generator)
        case .embedded:
            try requireLength(length >= 8, length, "8 or more")
            let inner = ReberGrammar.string(length: length - 3, using: &generator)
            append(inner, to: &string, outer: &outer, using: &generator)
        case .continual:
            try requireLength(length >= 1, length, "1 or more")
            while string.count <= length {
                let inner = ReberGrammar.string(using: &generator)
                append(inner, to: &string, outer: &outer, using: &generator)
            }
        }
        var classes = Array(string[1...length])
        if asks == .outer {
            let next = classes
            classes = .unasked(length)
            for position in outer where position <= length { classes[position - 1] = next[position - 1] }
        }
        return TaskExample(tokens: Array(string.prefix(length)), classes: classes)
    }

    /// Puts a string between two equal symbols, and notes where the second of them is.
    private func append(
        _ inner: [Int32], to string: inout [Int32], outer: inout [Int], using generator: inout Generator
    ) {
        let symbol = generator.flip() ? ReberGrammar.t : ReberGrammar.p
        string += [ReberGrammar.begin, symbol] + inner
        outer.append(string.count)
        string += [symbol, ReberGrammar.end]
    }

    /// B T P S X V E.
    public func text(ofInput token: Int32) -> String {
        let symbols = ReberGrammar.symbols
        return symbols.indices.contains(Int(token)) ? symbols[Int(token)] : "\(token)"
    }

    /// B T P S X V E.
    public func text(ofOutput token: Int32) -> String { text(ofInput: token) }
}

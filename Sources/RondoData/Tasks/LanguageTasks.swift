public import RondoTensor

/// Whether strings are in a regular language.
public struct RegularLanguageTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "regular_language",
        summary: "Is the string so far in the language? (Tomita's, and others)",
        definition: """
            Input: a string of 0 and 1. With a chance of 1/2 it is in the `language`, and all such strings of its length \
            are equally likely; else it is not: half of these are uniform among all strings outside, half are a string of \
            the language with one symbol at a uniform position replaced, drawn anew while that is inside too. Asked at \
            every position, or with `asks_at_end_only` at the last: whether the string up to it is in the language. \
            Languages: tomita1 1*; tomita2 (10)*; tomita3 no odd run of ones with an odd run of zeros right after it; \
            tomita4 no 000; tomita5 even numbers of zeros and of ones; tomita6 the number of zeros less that of ones is a \
            multiple of 3; tomita7 0*1*0*1*; even_pairs the first symbol is the last. A length counts symbols; if the \
            language has no string of it, the next shorter length of one is taken. Chance: 1/2 at the end (where strings \
            of the length exist inside and outside).
            """,
        source: "Tomita, 1982; Delétang et al., 2022")

    /// The language.
    public var language = RegularLanguage.tomita4
    /// Whether only the last position is asked.
    public var asksAtEndOnly = false

    /// Creates the task with its defaults.
    public init() {}

    /// Two symbols.
    public var input: TaskInput { .tokens(2) }
    /// Outside, inside.
    public var output: TaskOutput { .classes(2) }
    /// Up to 40.
    public var trainingLengths: ClosedRange<Int> { 3...40 }
    /// Up to 256.
    public var testLengths: [Int] { [40, 64, 128, 256] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        let automaton = language.automaton
        guard let possible = automaton.longestLength(upTo: length) else {
            throw RondoError(
                .invalidArgument, "task \(Self.name): length \(length): no string of \(language.rawValue) is so short")
        }
        let string = automaton.balancedString(length: possible, using: &generator)
        let classes = automaton.containsBeginnings(of: string).map { $0 ? Int32(1) : 0 }
        return TaskExample(tokens: string, classes: asksAtEndOnly ? classes.askedAtEndOnly : classes)
    }
}

/// Whether strings are in a context-free language.
public struct ContextFreeLanguageTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "context_free_language",
        summary: "Is the string in the language? (aⁿbⁿ, palindromes, …)",
        definition: """
            Input: a string. With a chance of 1/2 it is in the `language`, and all such strings of its length are equally \
            likely; else it is not: half of these are uniform among all strings outside, half are a string of the \
            language with one symbol at a uniform position replaced, drawn anew while that is inside too. Asked at the \
            last position: whether it is in the language. Languages: a_n_b_n and a_n_b_m_c_n_plus_m with n, m ≥ 1; \
            palindromes of a and b; marked_palindromes, with a c in the middle only; brackets, balanced, of two kinds. A \
            length counts symbols, up to 1000; if the language has no string of it, the next shorter length of one is \
            taken. Chance: 1/2.
            """,
        source: "Hopcroft and Ullman, 1979; Delétang et al., 2022")

    /// The language.
    public var language = ContextFreeLanguage.equalRuns

    /// Creates the task with its defaults.
    public init() {}

    /// The alphabet.
    public var input: TaskInput { .tokens(language.grammar.symbols.count) }
    /// Outside, inside.
    public var output: TaskOutput { .classes(2) }
    /// Up to 32.
    public var trainingLengths: ClosedRange<Int> { 4...32 }
    /// Up to 128.
    public var testLengths: [Int] { [32, 64, 128] }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length <= ContextFreeGrammar.countableLength, length, "at most 1000")
        let grammar = language.grammar
        guard let possible = grammar.longestLength(upTo: length) else {
            throw RondoError(
                .invalidArgument, "task \(Self.name): length \(length): no string of \(language.rawValue) is so short")
        }
        let string = grammar.balancedString(length: possible, using: &generator)
        let answer: Int32 = grammar.contains(string) ? 1 : 0
        return TaskExample(tokens: string, classes: .unasked(string.count - 1) + [answer])
    }

    /// A symbol.
    public func text(ofInput token: Int32) -> String {
        let symbols = language.grammar.symbols
        return symbols.indices.contains(Int(token)) ? symbols[Int(token)] : "\(token)"
    }
}

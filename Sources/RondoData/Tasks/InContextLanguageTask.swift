public import RondoTensor

/// Strings of a random language that is another one in every example: the next symbol is asked.
public struct InContextLanguageTask: SequenceTask {
    /// Name, definition, source.
    public static let card = TaskCard(
        name: "in_context_language",
        summary: "Which symbol may follow, in a random language known from its strings so far?",
        definition: """
            Each example has a random automaton of its own (RandomAutomaton): a number of states in \
            `min_states`...`max_states`, an alphabet of `min_symbols`...`max_symbols` of the letters, and for every state 1 to \
            `max_edges` edges with different symbols to different other states, all uniform; it is minimised. Strings \
            have 1 to `max_string_length` symbols, uniform, begin in state 0 and choose every edge with equal \
            probability. Input: the strings with a separator (token `letters`) between them. Asked at every position: \
            the next symbol, but not a separator. With `instances`, examples come from a fixed set of that size, drawn \
            by `instance_seed`. A length counts strings.
            """,
        source: "Akyürek et al., In-Context Language Learning, 2024")

    /// The fewest states.
    public var minStates = 4
    /// The most states.
    public var maxStates = 12
    /// The smallest alphabet.
    public var minSymbols = 4
    /// The largest alphabet.
    public var maxSymbols = 18
    /// The symbols there are.
    public var letters = 18
    /// The most edges out of a state.
    public var maxEdges = 3
    /// The longest string.
    public var maxStringLength = 49
    /// The size of the set that examples come from; `nil` for a fresh example every time.
    public var instances: Int?
    /// Draws the fixed set.
    public var instanceSeed: UInt64 = 0

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses empty ranges, and fewer letters, states or symbols than the edges need.
    public func validate() throws {
        try requireValue((2...1 << 16).contains(letters), "letters", letters, "from 2 to 65536")
        try requireValue((1...64).contains(maxEdges), "max_edges", maxEdges, "from 1 to 64")
        try requireValue(
            minStates > maxEdges && minStates <= 1 << 16, "min_states", minStates, "more than max_edges = \(maxEdges)")
        try requireValue(
            (minStates...1 << 16).contains(maxStates), "max_states", maxStates, "min_states = \(minStates) or more")
        try requireValue(
            minSymbols >= maxEdges && minSymbols <= letters, "min_symbols", minSymbols,
            "from max_edges = \(maxEdges) to letters = \(letters)")
        try requireValue(
            maxSymbols >= minSymbols && maxSymbols <= letters, "max_symbols", maxSymbols,
            "from min_symbols = \(minSymbols) to letters = \(letters)")
        try requireValue((1...1 << 20).contains(maxStringLength), "max_string_length", maxStringLength, "1 or more")
        try requireValue((instances ?? 1) >= 1, "instances", instances ?? 1, "1 or more")
    }

    /// The letters and the separator.
    public var input: TaskInput { .tokens(letters + 1) }
    /// The letters.
    public var output: TaskOutput { .classes(letters) }
    /// 10 to 19 strings.
    public var trainingLengths: ClosedRange<Int> { 10...19 }
    /// 5 to 19 strings.
    public var testLengths: [Int] { [10, 19, 30] }
    /// The token between strings.
    public var separator: Int32 { Int32(letters) }

    /// How automata are drawn.
    public var automata: RandomAutomaton.Settings {
        RandomAutomaton.Settings(
            states: minStates...maxStates, symbols: minSymbols...maxSymbols, letters: letters, edges: 1...maxEdges)
    }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        return try instance(strings: length, using: &generator).example(separator: separator)
    }

    /// Makes one example together with the truth behind it.
    ///
    /// - Parameters:
    ///   - strings: The number of strings.
    ///   - generator: Draws it, or its number in the fixed set.
    /// - Returns: The strings and their automaton.
    /// - Throws: `RondoError` if there would be no string.
    public func instance(strings: Int, using generator: inout Generator) throws -> LanguageInstance {
        try requireValue((1...1 << 20).contains(strings), "length", strings, "1 or more strings")
        guard let instances else { return draw(strings, using: &generator) }
        return instance(Int.random(in: 0..<instances, using: &generator), strings: strings)
    }

    /// A member of the fixed set: the same automaton for any number of strings, and the same strings.
    public func instance(_ index: Int, strings: Int) -> LanguageInstance {
        var own = Generator(seed: instanceSeed, stream: UInt64(index))
        return draw(strings, using: &own)
    }

    private func draw(_ strings: Int, using generator: inout Generator) -> LanguageInstance {
        let automaton = RandomAutomaton(automata, using: &generator).minimized()
        let drawn = (0..<strings).map { _ in
            let length = Int.random(in: 1...maxStringLength, using: &generator)
            return automaton.string(length: length, using: &generator)
        }
        return LanguageInstance(automaton: automaton, strings: drawn.map(\.symbols), states: drawn.map(\.states))
    }

    /// Letters, and `|` for the separator.
    public func text(ofInput token: Int32) -> String {
        token == separator ? "|" : text(ofOutput: token)
    }

    /// Letters from a on, numbers where there are too many.
    public func text(ofOutput token: Int32) -> String {
        guard letters <= 26, (0..<26).contains(token) else { return "\(token)" }
        return String(Character(Unicode.Scalar(UInt8(97 + token))))
    }
}

/// Strings of one random language, with the truth about what may follow.
public struct LanguageInstance: Sendable, Equatable {
    /// The language.
    public var automaton: RandomAutomaton
    /// The symbols of every string.
    public var strings: [[Int32]]
    /// The state after every symbol.
    public var states: [[Int]]

    /// Creates an instance.
    ///
    /// - Parameters:
    ///   - automaton: The language.
    ///   - strings: The symbols of every string.
    ///   - states: The state after every symbol.
    public init(automaton: RandomAutomaton, strings: [[Int32]], states: [[Int]]) {
        self.automaton = automaton
        self.strings = strings
        self.states = states
    }

    /// The strings with separators between them.
    ///
    /// - Parameter separator: The token between strings.
    /// - Returns: One token a position.
    public func tokens(separator: Int32) -> [Int32] { Array(strings.joined(separator: [separator])) }

    /// The state after every token; a separator leads to the start.
    public var positionStates: [Int] { Array(states.joined(separator: [0])) }

    /// What a model learns from: at every position the next symbol, but no separator.
    ///
    /// - Parameter separator: The token between strings.
    /// - Returns: The example.
    public func example(separator: Int32) -> TaskExample {
        let tokens = tokens(separator: separator)
        let next = tokens.dropFirst().map { $0 == separator ? TaskExample.unasked : $0 }
        return TaskExample(tokens: tokens, classes: next + [TaskExample.unasked])
    }

    /// Judges a predictor that learns from the instance alone.
    ///
    /// - Parameters:
    ///   - predictor: With no experience yet.
    ///   - judgesEnds: Whether it is also asked what could follow a whole string.
    ///   - score: Gets one entry for every position after the first symbol.
    public func judge(_ predictor: NGramPredictor, judgesEnds: Bool, into score: inout NextSymbolScore) {
        var predictor = predictor
        for (index, (symbols, states)) in zip(strings, states).enumerated() {
            if index > 0 {
                predictor.endString()
                score.add(predictor.probabilities(), allowed: automaton.symbols(after: 0))
            }
            for (place, (symbol, state)) in zip(symbols, states).enumerated() {
                predictor.read(symbol)
                guard judgesEnds || place < symbols.count - 1 else { continue }
                score.add(predictor.probabilities(), allowed: automaton.symbols(after: state))
            }
        }
    }
}

public import RondoTensor

/// Ambiguous symbols of a random grammar with gaps between them: the hidden state of the grammar is asked at every frame.
public struct SelectivityTask: SequenceTask {
    /// What a gap is filled with.
    public enum Gap: String, Codable, Sendable, CaseIterable {
        /// Frames of zeros.
        case silence
        /// Symbols that the grammar does not allow there.
        case distractors
    }

    /// Name, definition, source.
    public static let card = TaskCard(
        name: "selectivity",
        summary: "In which hidden state is a grammar of ambiguous symbols, across gaps?",
        definition: """
            A random grammar (SelectivityGrammar, the same for all examples, drawn by `grammar_seed`) has `symbols` \
            ambiguous symbols of `depth` states each and an end; from every state one state of each symbol may follow, \
            with probability 0.4 (the end: 0.4 / depth), chosen uniformly. Strings begin in one of four states and run \
            to the end; an example is strings one after the other, cut at its length. Every symbol is one frame, \
            one-hot, and with `gap_probability`, from the symbol `gap_start` on, `min_gap`...`max_gap` frames of `gap` follow it \
            (uniform): silence or distractors, symbols without probability in the present state. Uniform noise from 0 \
            to `noise` is added to every number. Asked at every frame: the state, which holds through the gap. A length \
            counts symbols.
            """,
        source: "Bouhadjar et al., SelectivBench, 2026")

    /// The ambiguous symbols.
    public var symbols = 8
    /// The states of each symbol.
    public var depth = 4
    /// Draws the grammar.
    public var grammarSeed: UInt64 = 0
    /// What gaps are filled with.
    public var gap = Gap.silence
    /// The share of symbols that a gap follows.
    public var gapProbability = 1.0
    /// The first symbol that a gap may follow.
    public var gapStart = 0
    /// The shortest gap, in frames.
    public var minGap = 1
    /// The longest gap, in frames.
    public var maxGap = 1
    /// The largest noise.
    public var noise = 0.0

    /// Creates the task with its defaults.
    public init() {}

    /// Refuses empty grammars and gaps.
    public func validate() throws {
        try requireValue((1...1 << 10).contains(symbols), "symbols", symbols, "from 1 to 1024")
        try requireValue((1...1 << 10).contains(depth), "depth", depth, "from 1 to 1024")
        try requireValue(symbols * depth >= 4, "depth", depth, "so large that symbols * depth is 4 or more")
        try requireValue(
            (0...1).contains(gapProbability), "gap_probability", gapProbability, "from 0 to 1")
        try requireValue(gapStart >= 0, "gap_start", gapStart, "0 or more")
        try requireValue((0...1 << 16).contains(minGap), "min_gap", minGap, "from 0 to 65536")
        try requireValue((minGap...1 << 16).contains(maxGap), "max_gap", maxGap, "min_gap = \(minGap) or more")
        try requireValue(noise >= 0 && noise.isFinite, "noise", noise, "0 or more")
    }

    /// The symbols and the end, one number each.
    public var input: TaskInput { .features(symbols + 1) }
    /// The states and the end.
    public var output: TaskOutput { .classes(symbols * depth + 1) }
    /// 64 symbols.
    public var trainingLengths: ClosedRange<Int> { 64...64 }
    /// 64 and 128 symbols.
    public var testLengths: [Int] { [64, 128] }

    /// The grammar.
    ///
    /// - Throws: `RondoError` if none can be drawn.
    public func grammar() throws -> SelectivityGrammar {
        var generator = Generator(seed: grammarSeed, stream: 0x9a)
        return try SelectivityGrammar(.init(symbols: symbols, depth: depth), using: &generator)
    }

    /// Makes one example.
    public func example(length: Int, using generator: inout Generator) throws -> TaskExample {
        try requireLength(length >= 1, length, "1 or more")
        return try sample(length: length, of: grammar(), using: &generator).example
    }

    /// Makes one example that knows where its symbols are.
    ///
    /// - Parameters:
    ///   - length: The number of symbols.
    ///   - grammar: The task's ``grammar()``, so that it need not be drawn again.
    ///   - generator: Draws it.
    /// - Returns: Frames and states.
    /// - Throws: `RondoError` if all strings are longer than `length`.
    public func sample(
        length: Int, of grammar: SelectivityGrammar, using generator: inout Generator
    ) throws -> SelectivitySample {
        let states = try grammar.stream(length: length, using: &generator)
        var sample = SelectivitySample(frames: [], states: [], starts: [])
        for (place, state) in states.enumerated() {
            sample.starts.append(sample.frames.count)
            sample.append(frame(grammar.symbol(of: state), using: &generator), state)
            guard place >= gapStart, Double.random(in: 0..<1, using: &generator) < gapProbability else { continue }
            let forbidden = gap == .distractors ? grammar.forbidden(after: state) : []
            for _ in 0..<Int.random(in: minGap...maxGap, using: &generator) {
                sample.append(frame(forbidden.randomElement(using: &generator), using: &generator), state)
            }
        }
        return sample
    }

    /// A symbol, or silence, with noise.
    private func frame(_ symbol: Int?, using generator: inout Generator) -> [Float] {
        var values = Array(repeating: Float(0), count: symbols + 1)
        if let symbol { values[symbol] = 1 }
        guard noise > 0 else { return values }
        return values.map { $0 + Float.random(in: 0..<Float(noise), using: &generator) }
    }
}

/// Frames of a ``SelectivityTask`` and where its symbols begin.
public struct SelectivitySample: Sendable, Equatable {
    /// The input, one row a frame.
    public var frames: [[Float]]
    /// The state at every frame.
    public var states: [Int32]
    /// The frame of every symbol; its gap lies before the next one's.
    public var starts: [Int]

    fileprivate mutating func append(_ frame: [Float], _ state: Int) {
        frames.append(frame)
        states.append(Int32(state))
    }

    /// What a model learns from.
    public var example: TaskExample { TaskExample(inputs: .features(frames), targets: .classes(states)) }

    /// The frames of every symbol with its gap.
    public var segments: [Range<Int>] { zip(starts, starts.dropFirst() + [frames.count]).map { $0..<$1 } }
}

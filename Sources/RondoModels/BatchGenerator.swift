import RondoTensor

/// Continues several texts side by side: a step reads the weights once for a token of each of up to sixteen texts.
///
/// Each stream draws by a generator of its own, and rows do not touch each other: its text is the one that a
/// ``TextGenerator`` of the same seed makes, whatever the other streams are.
public struct BatchGenerator: Sendable {
    /// A text to continue.
    public struct Stream: Sendable {
        /// What is read first, at least one token.
        public var prompt: [Int32]
        /// Decides the draws of this stream.
        public var seed: UInt64

        /// Creates a stream.
        public init(prompt: [Int32], seed: UInt64) {
            self.prompt = prompt
            self.seed = seed
        }
    }

    /// A token that was made.
    public struct Choice: Sendable, Equatable {
        /// The number of the stream, in the order in which they were given.
        public var stream: Int
        /// Its next token.
        public var token: Int32
    }

    /// Streams that take their steps together.
    private struct Group {
        var streams: [Int]
        var state: ModelState
        var stepper: TokenStepper
        /// Tokens that were chosen but not read yet: reading waits until their scores are needed.
        var unread: [Int32]?

        /// Reads what was chosen and gives the scores of what may follow, unless that was done.
        mutating func advance() throws -> Tensor? {
            guard let tokens = unread else { return nil }
            unread = nil
            return try stepper(tokens, state: &state).cast(to: .float32)
        }
    }

    /// Tokens of prompts that were read; a prompt that several streams share is read once.
    public let promptTokenCount: Int

    private let model: LanguageModel
    private var samplers: [Sampler]
    private var logits: [[Float]]
    private var groups: [Group]

    /// Reads the prompts; streams of the same prompt begin with copies of one state.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - streams: The texts.
    ///   - sampling: How tokens are chosen.
    ///   - vocabularySize: How many tokens may be made, if the model has more than text needs.
    /// - Throws: `RondoError` for options that make no sense, a prompt without tokens or tokens outside the vocabulary.
    public init(
        _ model: LanguageModel, _ streams: [Stream], sampling: SamplingOptions = .init(), vocabularySize: Int? = nil
    ) throws {
        guard streams.allSatisfy({ !$0.prompt.isEmpty }) else {
            throw RondoError(.invalidArgument, "generate: every stream needs a prompt of at least one token")
        }
        self.model = model
        let choices = min(vocabularySize ?? .max, model.configuration.vocabSize)
        samplers = try streams.map { stream in
            var sampler = try Sampler(sampling, seed: stream.seed, vocabularySize: choices)
            try sampler.observe(stream.prompt)
            return sampler
        }
        logits = streams.map { _ in [Float](repeating: 0, count: choices) }
        var states: [[Int32]: ModelState] = [:]
        for (prompt, members) in Dictionary(grouping: streams.indices, by: { streams[$0].prompt }) {
            var state = try model.initialState(batch: 1)
            let scores = try model.scores(after: prompt, state: &state)
            for stream in members { try scores.copyScores(ofRow: 0, to: &logits[stream]) }
            states[prompt] = state
        }
        promptTokenCount = states.keys.reduce(0) { $0 + $1.count }
        groups = try Self.divided(streams, by: model).map { members in
            var state = try model.initialState(batch: members.count)
            for (prompt, own) in Dictionary(grouping: members.indices, by: { streams[members[$0]].prompt }) {
                guard let begun = states[prompt] else { continue }
                try state.replaceRows(own, with: begun.selectingRows(own.map { _ in 0 }))
            }
            return Group(
                streams: members, state: state, stepper: try TokenStepper(model, batch: members.count))
        }
    }

    /// Which streams go together: few enough that a row's arithmetic does not depend on the number of rows, and of
    /// equally long prompts where the model needs that.
    private static func divided(_ streams: [Stream], by model: LanguageModel) -> [[Int]] {
        let lengths = Dictionary(grouping: streams.indices) { model.needsEqualPositions ? streams[$0].prompt.count : 0 }
        return lengths.values.flatMap { members in
            stride(from: 0, to: members.count, by: RowProduct.independentRows).map {
                Array(members[$0..<min($0 + RowProduct.independentRows, members.count)])
            }
        }
    }

    /// The streams that go on, in their order.
    public var active: [Int] { groups.flatMap(\.streams).sorted() }

    /// Bytes of weights that a step of up to sixteen streams reads.
    public var weightByteCount: Int { model.weightBytesOfStep }

    /// Bytes of all that the active streams remember.
    public var stateByteCount: Int { groups.reduce(0) { $0 + $1.state.byteCount } }

    /// Makes the next token of every active stream.
    ///
    /// - Returns: The tokens, in the order of the streams.
    /// - Throws: `RondoError` of code `notFinite` if the model's scores are no numbers.
    public mutating func next() throws -> [Choice] {
        var choices: [Choice] = []
        for index in groups.indices {
            let streams = groups[index].streams
            if let scores = try groups[index].advance() {
                for (row, stream) in streams.enumerated() { try scores.copyScores(ofRow: row, to: &logits[stream]) }
            }
            let tokens = try streams.map { try samplers[$0].sample(logits[$0]) }
            choices += zip(streams, tokens).map { Choice(stream: $0, token: $1) }
            groups[index].unread = tokens
        }
        return choices.sorted { $0.stream < $1.stream }
    }

    /// Lets streams end; the others go on as if these had never been.
    ///
    /// - Throws: `RondoError` when there is no memory.
    public mutating func finish(_ ended: some Sequence<Int>) throws {
        let ended = Set(ended)
        groups = try groups.compactMap { group in
            let kept = group.streams.indices.filter { !ended.contains(group.streams[$0]) }
            guard kept.count < group.streams.count else { return group }
            guard !kept.isEmpty else { return nil }
            return Group(
                streams: kept.map { group.streams[$0] }, state: try group.state.selectingRows(kept),
                stepper: try TokenStepper(model, batch: kept.count),
                unread: group.unread.map { tokens in kept.map { tokens[$0] } })
        }
    }
}

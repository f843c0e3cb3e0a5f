public import RondoTensor

/// Chooses tokens from logits, one after the other.
///
/// The random number of a draw depends on nothing but the seed and the number of draws before it, so that batching,
/// threads or a pause between two draws change nothing. After its creation a sampler allocates no memory.
public struct Sampler: Sendable {
    /// Everything a sampler needs to continue where another stopped.
    public struct State: Sendable, Codable, Equatable {
        /// Where the random numbers are: the seed, and the number of tokens chosen so far.
        public var generator: Generator
        /// The tokens that the repetition penalty applies to, the oldest first.
        public var recentTokens: [Int32]

        /// Creates the state before the first token.
        public init(seed: UInt64) {
            generator = Generator(seed: seed, stream: Sampler.drawStream)
            recentTokens = []
        }
    }

    /// How tokens are chosen.
    public let options: SamplingOptions
    /// The number of different tokens.
    public let vocabularySize: Int

    private var generator: Generator
    private var history: RepetitionHistory
    private var candidates: CandidateSet

    /// Keeps these draws apart from others made with the same seed.
    fileprivate static let drawStream: UInt64 = 0x0073_616D_706C_6572

    /// Creates a sampler at its beginning.
    ///
    /// - Throws: `RondoError` with code `invalidArgument` for options that make no sense.
    public init(_ options: SamplingOptions, seed: UInt64, vocabularySize: Int) throws {
        try self.init(options, resuming: State(seed: seed), vocabularySize: vocabularySize)
    }

    /// Creates a sampler that continues where another stopped.
    ///
    /// - Throws: `RondoError` with code `invalidArgument` for options that make no sense, or `outOfRange` if the state
    ///   names tokens outside the vocabulary.
    public init(_ options: SamplingOptions, resuming state: State, vocabularySize: Int) throws {
        try options.validate()
        guard vocabularySize > 0, vocabularySize <= Int32.max else {
            throw RondoError(.invalidArgument, "sampler: a vocabulary of \(vocabularySize) tokens is impossible")
        }
        self.options = options
        self.vocabularySize = vocabularySize
        generator = state.generator
        history = RepetitionHistory(window: options.repetitionWindow, vocabularySize: vocabularySize)
        candidates = CandidateSet(vocabularySize: vocabularySize)
        try observe(state.recentTokens)
    }

    /// What another sampler needs to continue from here.
    public var state: State {
        var state = State(seed: generator.seed)
        state.generator = generator
        state.recentTokens = history.tokens
        return state
    }

    /// Notes tokens that were read, not chosen: the prompt.
    ///
    /// - Throws: `RondoError` with code `outOfRange` for a token outside the vocabulary; then none is noted.
    public mutating func observe(_ tokens: some Collection<Int32>) throws {
        for token in tokens where token < 0 || token >= vocabularySize {
            throw RondoError(.outOfRange, "sampler: token \(token) is outside the vocabulary 0..<\(vocabularySize)")
        }
        for token in tokens { history.append(token) }
    }

    /// Chooses the next token and notes it.
    ///
    /// - Parameter logits: One number for each token; minus infinity excludes a token.
    /// - Returns: The token's number.
    /// - Throws: `RondoError` with code `shapeMismatch` or `notFinite`; then nothing changes.
    public mutating func sample(_ logits: UnsafeBufferPointer<Float>) throws -> Int32 {
        guard logits.count == vocabularySize else {
            throw RondoError(
                .shapeMismatch, "sample: \(logits.count) logits for a vocabulary of \(vocabularySize) tokens")
        }
        try candidates.fill(logits)
        if options.repetitionPenalty != 1 {
            candidates.penalize(history.occurrences, by: Float(options.repetitionPenalty))
        }
        let token = choose()
        history.append(token)
        return token
    }

    /// Chooses the next token and notes it.
    ///
    /// - Parameter logits: One number for each token; minus infinity excludes a token.
    /// - Returns: The token's number.
    /// - Throws: `RondoError` with code `shapeMismatch` or `notFinite`; then nothing changes.
    public mutating func sample(_ logits: [Float]) throws -> Int32 {
        try logits.withUnsafeBufferPointer { try sample($0) }
    }

    private mutating func choose() -> Int32 {
        // One draw for every token, needed or not: the n-th token always gets the n-th number.
        let bits = generator.next()
        if options.isGreedy { return candidates.mostLikely }
        candidates.shape(options)
        return candidates.draw(Double(bits >> 11) * 0x1p-53)
    }
}

extension CandidateSet {
    /// Applies temperature and truncations in the order that the options ask for.
    package mutating func shape(_ options: SamplingOptions) {
        if options.order == .transformers { applyTemperature(options) }
        if options.topK > 0 { keepTop(options.topK) }
        if options.topP < 1 { keepNucleus(options.topP) }
        if options.minP > 0 { keepLikely(ratio: options.minP) }
        if options.order == .llamaCpp { applyTemperature(options) }
    }

    private mutating func applyTemperature(_ options: SamplingOptions) {
        if options.temperature != 1 { scale(temperature: Float(options.temperature)) }
    }
}

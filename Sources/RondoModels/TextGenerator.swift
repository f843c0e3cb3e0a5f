public import RondoIO
import RondoMixers
import RondoNN
import RondoTensor

/// Continues a text token by token, in memory that does not grow with its length.
public struct TextGenerator: Sendable {
    /// The number of tokens that were read or made.
    public private(set) var position = 0
    /// Bytes that were made but not shown when the state was saved; empty unless this continues a saved state.
    public private(set) var pendingBytes: [UInt8] = []
    /// What the caller kept with the saved state.
    public private(set) var companion: JSONValue?

    private let model: LanguageModel
    /// Tokens that may be made; a table may be longer than the tokenizer's.
    private let choices: Int
    private var stepper: TokenStepper
    private var state: ModelState
    private var logits: [Float]
    private var sampler: Sampler
    /// A token that was chosen but not read yet: reading waits until its scores are needed.
    private var unread: Int32?

    /// Starts before the first token.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - sampling: How tokens are chosen.
    ///   - seed: Decides all draws.
    ///   - vocabularySize: How many tokens may be made, if the model has more than text needs.
    /// - Throws: `RondoError` for options that make no sense.
    public init(
        _ model: LanguageModel, sampling: SamplingOptions = .init(), seed: UInt64, vocabularySize: Int? = nil
    ) throws {
        self.model = model
        choices = min(vocabularySize ?? .max, model.configuration.vocabSize)
        sampler = try Sampler(sampling, seed: seed, vocabularySize: choices)
        stepper = try TokenStepper(model, batch: 1)
        state = try model.initialState(batch: 1)
        logits = [Float](repeating: 0, count: choices)
    }

    /// Goes on where a saved state ends, bit for bit.
    ///
    /// - Parameters:
    ///   - model: The model that made the state.
    ///   - sampling: How tokens are chosen from here on; `nil` for as before.
    ///   - vocabularySize: How many tokens may be made, as before.
    ///   - path: The file that ``save(to:pendingBytes:)`` wrote.
    /// - Throws: `RondoError` for a damaged file or the state of another model.
    public init(
        _ model: LanguageModel, sampling: SamplingOptions? = nil, vocabularySize: Int? = nil, resuming path: String
    ) throws {
        try self.init(model, seed: 0, vocabularySize: vocabularySize)
        let saved = try GenerationState(path, for: snapshot(pendingBytes: []))
        let header = saved.header
        sampler = try Sampler(
            sampling ?? header.sampling, resuming: header.sampler, vocabularySize: choices)
        position = header.owner.positions[0]
        pendingBytes = header.pendingBytes.map { UInt8($0) }
        companion = header.companion
        state = saved.state
        logits = saved.logits
    }

    /// Bytes of all that is remembered.
    public var stateByteCount: Int { state.byteCount }

    /// Bytes of weights that every token reads: all but a table from which one row is taken.
    public var weightByteCount: Int { model.weightBytesOfStep }

    /// Whether nothing was read yet: then there are no scores to choose a first token from.
    public var isAtStart: Bool { position == 0 }

    /// Reads tokens: the prompt.
    ///
    /// - Throws: `RondoError` of code `outOfRange` for a token outside the vocabulary; then nothing is read.
    public mutating func read(_ tokens: [Int32]) throws {
        try sampler.observe(tokens)
        try advance()
        guard !tokens.isEmpty else { return }
        try keep(model.scores(after: tokens, state: &state))
        position += tokens.count
    }

    /// Makes the next token.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` at the start, `notFinite` if the model's scores are no numbers.
    public mutating func next() throws -> Int32 {
        guard !isAtStart else {
            throw RondoError(.invalidArgument, "generate: nothing was read yet; give a prompt of at least one token")
        }
        try advance()
        let token = try sampler.sample(logits)
        unread = token
        position += 1
        return token
    }

    /// Saves what was read and made, atomically, to continue later bit for bit.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - pendingBytes: Bytes made but not yet shown; ``init(_:sampling:vocabularySize:resuming:)`` gives them back.
    ///   - companion: What else the caller needs to go on; given back too.
    /// - Throws: `RondoError` that names the file.
    public mutating func save(to path: String, pendingBytes: [UInt8] = [], companion: JSONValue? = nil) throws {
        try advance()
        var snapshot = try snapshot(pendingBytes: pendingBytes)
        snapshot.header.companion = companion
        try snapshot.write(to: path)
    }

    private mutating func advance() throws {
        guard let token = unread else { return }
        try keep(stepper([token], state: &state))
        unread = nil
    }

    /// Copies scores to where the sampler reads them.
    private mutating func keep(_ scores: Tensor) throws { try scores.copyScores(ofRow: 0, to: &logits) }

    private func snapshot(pendingBytes: [UInt8]) throws -> GenerationState {
        let owner = StateFile(
            architecture: "\(model.configuration.modelType) \(model.configuration.shortName)",
            configurationDigest: try model.configuration.digest(),
            modelFingerprint: try model.parameters.fingerprint(), dtype: model.dtype, positions: [position])
        let header = GenerationState.Header(
            owner: owner, sampling: sampler.options, sampler: sampler.state, pendingBytes: pendingBytes.map(Int.init))
        return GenerationState(header: header, state: state, logits: logits)
    }
}

extension LanguageModel {
    /// How many tokens of a prompt are read at once.
    private static let chunkLength = 256

    /// Reads at least one token of one sequence, in pieces of bounded size, and gives the scores of the next,
    /// `[1, vocabSize]`.
    func scores(after tokens: [Int32], state: inout ModelState) throws -> Tensor {
        func read(_ piece: ArraySlice<Int32>) throws -> Tensor {
            try lastLogits(Tensor(Array(piece), shape: [1, piece.count]), state: &state)
        }
        var rest = tokens[...]
        while rest.count > Self.chunkLength {
            _ = try read(rest.prefix(Self.chunkLength))
            rest = rest.dropFirst(Self.chunkLength)
        }
        return try read(rest)
    }

    /// Bytes of weights that a step reads: all but a table from which some rows are taken.
    var weightBytesOfStep: Int {
        let all = parameters.tensors.reduce(0) { $0 + $1.byteCount }
        return head == nil ? all : all - embedding.weight.byteCount
    }
}

extension Tensor {
    /// Copies the beginning of a row of scores, `[rows, vocabSize]`, to where a sampler reads it.
    func copyScores(ofRow row: Int, to target: inout [Float]) throws {
        let stride = shape[1] * MemoryLayout<Float>.size
        try cast(to: .float32).withUnsafeBytes { bytes in
            target.withUnsafeMutableBytes { target in
                let source = bytes[row * stride..<row * stride + target.count]
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source))
            }
        }
    }
}

import RondoMixers
import RondoNN
public import RondoTensor

/// A language model one token at a time, for one or more streams side by side: what generation runs on.
public struct TokenStepper: Sendable {
    private let model: LanguageModel
    private var norms: [RowNormalization?]
    private var steppers: [any MixerStepper]
    private var feedForwardNorms: [RowNormalization?]
    private var norm: RowNormalization?
    private var head: RowProduct
    private let batch: Int
    /// The tokens of the latest call, `[batch]`, and their vectors, `[batch, dModel]`, in memory for the next.
    private var tokens: Tensor
    private var vectors = Tensor.empty
    /// What the lowest layer finds, but for the tokens.
    private let beginning: SharedValues
    /// Memory of what is computed on the way.
    private let workspace = Workspace()

    /// Lays a model out for reading token by token.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - batch: The number of streams.
    /// - Throws: `RondoError` when there is no memory.
    public init(_ model: LanguageModel, batch: Int) throws {
        self.model = model
        self.batch = batch
        tokens = try Tensor.zeros([batch], dtype: .int32)
        steppers = try model.layers.map { try $0.mixer.makeStepper(batch: batch) }
        norms = try model.layers.map { try $0.norm.makeStepper(rows: batch) }
        feedForwardNorms = try model.layers.map { try $0.feedForwardNorm?.makeStepper(rows: batch) }
        norm = try model.norm.makeStepper(rows: batch)
        beginning = try SharedValues(layers: model.layers.map(\.mixer))
        head = try RowProduct(
            weight: model.head?.weight ?? model.embedding.weight, bias: model.head?.bias, rows: batch)
    }

    /// Reads a token of each stream and gives the scores of the next ones, `[batch, vocabSize]`, which the next call
    /// may overwrite.
    ///
    /// - Parameters:
    ///   - tokens: One token of each stream.
    ///   - state: The state of all streams; becomes the one after.
    /// - Returns: Scores, `[batch, vocabSize]`.
    /// - Throws: `RondoError` of code `outOfRange` for a token outside the vocabulary.
    public mutating func callAsFunction(_ tokens: [Int32], state: inout ModelState) throws -> Tensor {
        try take(tokens)
        let workspace = workspace
        return try workspace.run { try step(&state) }
    }

    private mutating func step(_ state: inout ModelState) throws -> Tensor {
        var (x, isOwn) = (try takeVectors(), true)
        defer { if isOwn { vectors = x } }
        var shared = beginning
        shared.tokens = self.tokens
        for (index, layer) in model.layers.enumerated() {
            // The memory of the vectors is for the next token; what takes their place is not.
            if !layer.residual, isOwn { (vectors, isOwn) = (x, false) }
            try norms[index]?(x)
            let mixed = try steppers[index](
                norms[index]?.output ?? x, state: &state.layers[index], passing: &shared)
            // Without a residual the result belongs to the stepper, or is a leaf of the state: both change later.
            if layer.residual { try x.accumulate(mixed) } else { x = try mixed.copied() }
            guard let feedForward = layer.feedForward else { continue }
            try feedForwardNorms[index]?(x)
            let y = try feedForward(feedForwardNorms[index]?.output ?? x)
            if layer.residual { try x.accumulate(y) } else { x = y }
        }
        try norm?(x)
        try head(norm?.output ?? x)
        return try model.capped(head.output)
    }

    private mutating func take(_ tokens: [Int32]) throws {
        guard tokens.count == batch else {
            throw RondoError(.shapeMismatch, "generate: \(batch) streams need as many tokens, got \(tokens.count)")
        }
        if let token = tokens.first(where: { !(0..<model.configuration.vocabSize).contains(Int($0)) }) {
            throw RondoError(
                .outOfRange, "generate: token \(token) lies outside 0..<\(model.configuration.vocabSize)")
        }
        try self.tokens.mutateInPlace { memory in tokens.withUnsafeBytes { memory.copyMemory(from: $0) } }
    }

    /// The vectors of the tokens: moved out of the stepper, so that they have one owner and change in place.
    private mutating func takeVectors() throws -> Tensor {
        try vectors.update(takingRows: tokens, of: model.embedding.weight)
        let own = vectors
        vectors = .empty
        return try model.embedded(own)
    }
}

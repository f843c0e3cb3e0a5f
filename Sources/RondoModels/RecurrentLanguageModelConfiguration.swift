import RondoIO
public import RondoNN
public import RondoTensor

/// The shape of a recurrent language model: all that `config.json` says.
public struct RecurrentLanguageModelConfiguration: Codable, Sendable, Equatable {
    /// The name of this kind of model in `config.json`.
    public static let modelType = "rondo_recurrent_lm"

    /// The kind of model, always ``modelType``.
    public var modelType = Self.modelType
    /// The number of different tokens; 256 for bytes.
    public var vocabSize = 256
    /// The width of a token's vector.
    public var embeddingSize = 128
    /// The recurrent layers; their input size is ``embeddingSize``.
    public var recurrent: RecurrentConfiguration
    /// The share of token types that a sequence drops while training, in `0..<1`.
    public var embeddingDropout = 0.0
    /// The share of elements of the last layer's outputs that are dropped while training, in `0..<1`.
    public var outputDropout = 0.0
    /// Whether the outputs are normalised (layer norm) before the head.
    public var outputNorm = false
    /// Whether the head's matrix is that of the embedding; embedding and hidden size must agree then.
    public var tieEmbeddings = false

    /// Creates a configuration of layers of equal width.
    public init(
        cell: RecurrentCell = .lstm, embeddingSize: Int = 128, hiddenSize: Int = 384, layers: Int = 1,
        vocabSize: Int = 256
    ) {
        self.vocabSize = vocabSize
        self.embeddingSize = embeddingSize
        recurrent = RecurrentConfiguration(
            cell: cell, inputSize: embeddingSize, hiddenSize: hiddenSize, layers: layers)
    }

    /// Refuses what cannot be built.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` that names the key and its range.
    public func validate() throws {
        try requireValue(modelType == Self.modelType, "model_type", modelType, "\"\(Self.modelType)\"")
        try requireValue((2...1 << 24).contains(vocabSize), "vocab_size", vocabSize, "from 2 to 16777216")
        try requireValue((1...1 << 20).contains(embeddingSize), "embedding_size", embeddingSize, "from 1 to 1048576")
        try recurrent.validate()
        try requireValue(
            !recurrent.bidirectional, "recurrent.bidirectional", true, "false: a language model reads forwards")
        try requireValue(
            recurrent.inputSize == embeddingSize, "recurrent.input_size", recurrent.inputSize,
            "embedding_size, which is \(embeddingSize)")
        try requireValue(
            (0..<1).contains(embeddingDropout), "embedding_dropout", embeddingDropout, "at least 0 and below 1")
        try requireValue((0..<1).contains(outputDropout), "output_dropout", outputDropout, "at least 0 and below 1")
        try requireValue(
            !tieEmbeddings || embeddingSize == recurrent.hiddenSize, "tie_embeddings", tieEmbeddings,
            "false unless embedding_size (\(embeddingSize)) and recurrent.hidden_size (\(recurrent.hiddenSize)) agree")
    }

    /// A check value of the configuration's canonical JSON, that tells configurations apart.
    public func digest() throws -> String {
        let text = try StrictJSON.tree(of: self).text(sortedKeys: true)
        return "crc32c:" + String(CRC32C.checksum(Array(text.utf8)), radix: 16)
    }

    /// Tied tables must give scores of moderate size; others may be as wide as the layers' inputs like.
    var embeddingDeviation: Double { tieEmbeddings ? 1 / Double(embeddingSize).squareRoot() : 1 }
}

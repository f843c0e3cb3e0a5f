import RondoTensor

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
    /// The share of elements of the token vectors that are dropped while training, in `0..<1`.
    public var embeddingDropout = 0.0
    /// The share of elements of the last layer's outputs that are dropped while training, in `0..<1`.
    public var outputDropout = 0.0
    /// Whether the outputs are normalised (layer norm) before the head.
    public var outputNorm = false
    /// Whether the head's matrix is that of the embedding; the sizes of both must agree then.
    public var tieEmbeddings = false

    /// Creates a configuration of layers of equal width.
    public init(
        cell: RecurrentCell = .lstm, embeddingSize: Int = 128, hiddenSize: Int = 512, layers: Int = 1,
        vocabSize: Int = 256
    ) {
        self.vocabSize = vocabSize
        self.embeddingSize = embeddingSize
        recurrent = RecurrentConfiguration(
            cell: cell, inputSize: embeddingSize, hiddenSize: hiddenSize, layers: layers)
    }
}

public import RondoTokenizers

/// A text as tokens; of a byte vocabulary it is the bytes themselves, which take a quarter of the memory.
public struct TokenText: Sendable {
    private enum Storage {
        case bytes([UInt8])
        case tokens([Int32])
    }

    private let storage: Storage

    /// A text whose tokens are its bytes.
    public init(_ bytes: [UInt8]) { storage = .bytes(bytes) }

    /// A text of tokens.
    public init(_ tokens: [Int32]) { storage = .tokens(tokens) }

    /// The number of tokens.
    public var count: Int {
        switch storage {
        case .bytes(let bytes): bytes.count
        case .tokens(let tokens): tokens.count
        }
    }

    /// The token at a position.
    public subscript(position: Int) -> Int32 {
        switch storage {
        case .bytes(let bytes): Int32(bytes[position])
        case .tokens(let tokens): tokens[position]
        }
    }
}

/// A corpus as tokens, split into a part to learn from and a part to measure on.
///
/// The text is split by bytes first and each part encoded by itself, so that both parts are the same text whatever the
/// tokenizer.
public struct TokenizedCorpus: Sendable {
    /// Both parts, one after the other.
    public let text: TokenText
    /// The ranges of tokens of both parts.
    public let split: Corpus.Split
    /// The ranges of bytes of both parts.
    public let bytes: Corpus.Split
    /// Identifies the text.
    public let fingerprint: String

    /// Encodes a corpus.
    ///
    /// - Parameters:
    ///   - corpus: The text.
    ///   - tokenizer: The tokenizer.
    ///   - validationFraction: The part of the bytes at the end that is kept for validation, in `0..<1`.
    /// - Throws: `RondoError` if a part that was asked for would be empty.
    public init(_ corpus: Corpus, tokenizer: some Tokenizer, validationFraction: Double) throws {
        bytes = try corpus.split(validationFraction: validationFraction)
        fingerprint = corpus.fingerprint
        guard !(tokenizer is ByteVocabulary) else {
            text = TokenText(corpus.bytes)
            split = bytes
            return
        }
        let training = tokenizer.encode(corpus.bytes[bytes.training])
        let validation = tokenizer.encode(corpus.bytes[bytes.validation])
        text = TokenText(training + validation)
        split = Corpus.Split(
            training: 0..<training.count, validation: training.count..<training.count + validation.count)
    }

    /// Bytes that a token of the training part stands for, on average.
    public var trainingBytesPerToken: Double { Self.ratio(bytes.training, split.training) }

    /// Bytes that a token of the validation part stands for, on average.
    public var validationBytesPerToken: Double { Self.ratio(bytes.validation, split.validation) }

    private static func ratio(_ bytes: Range<Int>, _ tokens: Range<Int>) -> Double {
        tokens.isEmpty ? 1 : Double(bytes.count) / Double(tokens.count)
    }
}

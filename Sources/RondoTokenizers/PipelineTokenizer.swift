public import RondoIO
import RondoTensor
import Synchronization

/// A tokenizer as a `tokenizer.json` of Hugging Face describes it: byte-pair encoding, Unigram, WordPiece or whole
/// words, with everything that comes before and after.
///
/// Tokens and texts are those of the `tokenizers` library. What a file asks for and this type does not have is refused by
/// name when the file is read; only `truncation` and `padding` are skipped, because how long a sequence may be is for the
/// caller to say.
///
/// A byte-level tokenizer without a normalizer takes all bytes as they are. Every other one sees U+FFFD in place of bytes
/// that are not UTF-8.
public struct PipelineTokenizer: Tokenizer {
    private let pipeline: Pipeline

    /// Reads a `tokenizer.json`.
    ///
    /// - Parameter path: The file.
    /// - Throws: `RondoError` that names the file and the key.
    public init(contentsOf path: String) throws {
        try self.init(JSONValue(contentsOf: path), source: path)
    }

    /// Makes a tokenizer from the document of a `tokenizer.json`.
    ///
    /// - Parameters:
    ///   - document: The document.
    ///   - source: What to call it in errors, usually its path.
    /// - Throws: `RondoError` that names the source and the key.
    public init(_ document: JSONValue, source: String) throws {
        pipeline = try Pipeline(TokenizerFileReader.read(document, source: source), source: source)
    }

    /// One more than the largest token; between 0 and it there may be numbers without a token.
    public var vocabularySize: Int { pipeline.texts.count }

    /// The special tokens: their texts and numbers, in the order of the file.
    public var specialTokens: [(text: String, id: Int32)] {
        pipeline.addedTokens.filter(\.isSpecial).map { (String(decoding: $0.content, as: UTF8.self), $0.id) }
    }

    /// Returns the number of a token as it is written in the vocabulary.
    ///
    /// - Parameter token: The token: `"Ġthe"`, `"<s>"`.
    /// - Returns: Its number, or `nil` if there is no such token.
    public func id(of token: String) -> Int32? { pipeline.ids.id(of: Array(token.utf8)) }

    /// Returns a token as it is written in the vocabulary.
    ///
    /// - Parameter id: Its number.
    /// - Returns: The token, or `nil` if there is none with this number.
    public func token(_ id: Int32) -> String? {
        guard id >= 0, Int(id) < vocabularySize else { return nil }
        return pipeline.texts[Int(id)].map { String(decoding: $0, as: UTF8.self) }
    }

    /// Returns the tokens of some bytes, without those that mark beginnings and ends.
    ///
    /// - Parameter bytes: The text.
    /// - Returns: The tokens.
    public func encode(_ bytes: some Sequence<UInt8>) -> [Int32] { encode(bytes, options: EncodingOptions()) }

    /// Returns the tokens of some bytes.
    ///
    /// - Parameters:
    ///   - bytes: The text.
    ///   - options: What to add and what to look for.
    /// - Returns: The tokens.
    public func encode(_ bytes: some Sequence<UInt8>, options: EncodingOptions) -> [Int32] {
        let tokens =
            bytes.withContiguousStorageIfAvailable { pipeline.encode($0, options) }
            ?? Array(bytes).withUnsafeBufferPointer { pipeline.encode($0, options) }
        return options.addsSpecialTokens ? pipeline.postProcessor.apply(to: tokens) : tokens
    }

    /// Returns the tokens of a text.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - options: What to add and what to look for.
    /// - Returns: The tokens.
    public func encode(_ text: String, options: EncodingOptions) -> [Int32] { encode(text.utf8, options: options) }

    /// Returns the bytes that tokens stand for; where tokens make no UTF-8, the bytes are what they are.
    ///
    /// - Parameter tokens: The tokens.
    /// - Returns: The bytes.
    /// - Throws: `RondoError` with code `outOfRange` for a token outside the vocabulary.
    public func decode(_ tokens: some Sequence<Int32>) throws -> [UInt8] {
        var detokenizer = StreamingDetokenizer(self, keepsInvalidBytes: true)
        return try detokenizer.append(contentsOf: tokens) + detokenizer.finish()
    }

    /// Returns the text that tokens stand for, with U+FFFD where they make no UTF-8.
    ///
    /// - Parameters:
    ///   - tokens: The tokens.
    ///   - skippingSpecials: Whether special tokens leave no trace.
    /// - Returns: The text.
    /// - Throws: `RondoError` with code `outOfRange` for a token outside the vocabulary.
    public func decode(_ tokens: some Sequence<Int32>, skippingSpecials: Bool) throws -> String {
        var detokenizer = StreamingDetokenizer(self, skippingSpecials: skippingSpecials)
        return String(decoding: try detokenizer.append(contentsOf: tokens) + detokenizer.finish(), as: UTF8.self)
    }

    var decoder: TokenDecoder { pipeline.decoder }

    /// The text of a token as the decoder takes it, `nil` if it leaves no trace.
    func decoderText(_ token: Int32, skippingSpecials: Bool) throws -> [UInt8]? {
        guard token >= 0, Int(token) < vocabularySize else {
            throw RondoError(
                .outOfRange, "decode: token \(token) is not in the vocabulary, which is 0..<\(vocabularySize)")
        }
        return skippingSpecials && pipeline.specialIDs.contains(token) ? nil : pipeline.decoderTexts[Int(token)]
    }
}

/// What an encoding adds to a text and looks for in it.
public struct EncodingOptions: Sendable, Hashable {
    /// Whether the tokens that mark beginnings and ends are added, as the file says.
    public var addsSpecialTokens: Bool
    /// Whether special tokens that are written out in the text become those tokens; if not, they are text like any other,
    /// which is what texts of strangers should be.
    public var recognizesSpecialTokens: Bool

    /// Creates options.
    ///
    /// - Parameters:
    ///   - addsSpecialTokens: Whether the tokens that mark beginnings and ends are added.
    ///   - recognizesSpecialTokens: Whether special tokens that are written out become those tokens.
    public init(addsSpecialTokens: Bool = false, recognizesSpecialTokens: Bool = true) {
        self.addsSpecialTokens = addsSpecialTokens
        self.recognizesSpecialTokens = recognizesSpecialTokens
    }
}

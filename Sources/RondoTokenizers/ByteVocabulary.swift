import RondoTensor

/// The vocabulary of the 256 bytes: a token is a byte's value.
public struct ByteVocabulary: Tokenizer, Hashable {
    /// The number of tokens, one for each byte.
    public static let size = 256

    /// Creates the vocabulary; all byte vocabularies are the same.
    public init() {}

    /// The number of tokens, 256.
    public var vocabularySize: Int { Self.size }

    /// Returns one token for each byte.
    public func encode(_ bytes: some Sequence<UInt8>) -> [Int32] { bytes.map(Int32.init) }

    /// Returns one byte for each token.
    ///
    /// - Throws: `RondoError` with code `outOfRange` for a token outside `0..<256`.
    public func decode(_ tokens: some Sequence<Int32>) throws -> [UInt8] {
        try tokens.map { token in
            guard let byte = UInt8(exactly: token) else {
                throw RondoError(
                    .outOfRange, "decode: token \(token) is not a byte; the vocabulary is 0..<\(Self.size)")
            }
            return byte
        }
    }
}

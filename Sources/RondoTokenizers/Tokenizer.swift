/// A reversible mapping between bytes and token numbers.
///
/// Text enters and leaves as bytes, never as `String`, so that bytes that are not UTF-8 survive the round trip.
public protocol Tokenizer: Sendable {
    /// The number of different tokens; every token is in `0..<vocabularySize`.
    var vocabularySize: Int { get }

    /// Returns the tokens of some bytes.
    func encode(_ bytes: some Sequence<UInt8>) -> [Int32]

    /// Returns the bytes that tokens stand for.
    ///
    /// - Throws: `RondoError` with code `outOfRange` for a token outside the vocabulary.
    func decode(_ tokens: some Sequence<Int32>) throws -> [UInt8]
}

extension Tokenizer {
    /// Returns the tokens of a string's UTF-8 bytes.
    public func encode(_ text: String) -> [Int32] { encode(text.utf8) }
}

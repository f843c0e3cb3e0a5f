/// Turns tokens into text as they come.
///
/// Pieces never cut a UTF-8 character in two, and together they are what decoding all tokens at once gives. Text that a
/// later token may still change waits: half a character, the run of byte tokens that it belongs to, a space that the end of
/// the text would take away.
///
/// A detokenizer is a value: a copy goes its own way, and ``state`` can be saved and continued with later.
public struct StreamingDetokenizer: Sendable {
    private let tokenizer: PipelineTokenizer
    private let skippingSpecials: Bool
    private var run: DecoderRun

    /// Creates a detokenizer at the start of a text.
    ///
    /// - Parameters:
    ///   - tokenizer: The tokenizer.
    ///   - skippingSpecials: Whether special tokens leave no trace.
    ///   - keepsInvalidBytes: Whether bytes that are not UTF-8 come out as they are rather than as U+FFFD.
    public init(_ tokenizer: PipelineTokenizer, skippingSpecials: Bool = false, keepsInvalidBytes: Bool = false) {
        self.tokenizer = tokenizer
        self.skippingSpecials = skippingSpecials
        run = DecoderRun(tokenizer.decoder, keepsBytes: keepsInvalidBytes)
    }

    /// What has been read but not passed on.
    ///
    /// Setting it continues a text that another detokenizer of the same tokenizer has begun; the state of another
    /// tokenizer is not taken.
    public var state: DecoderState {
        get { run.state }
        set { if newValue.stages.count == run.state.stages.count { run.state = newValue } }
    }

    /// Takes the next token and returns the text that is certain by now.
    ///
    /// - Parameter token: The token.
    /// - Returns: Bytes of whole characters, often none.
    /// - Throws: `RondoError` with code `outOfRange` for a token outside the vocabulary, which changes nothing.
    public mutating func append(_ token: Int32) throws -> [UInt8] { try append(contentsOf: CollectionOfOne(token)) }

    /// Takes the next tokens and returns the text that is certain by now.
    ///
    /// - Parameter tokens: The tokens.
    /// - Returns: Bytes of whole characters, perhaps none.
    /// - Throws: `RondoError` with code `outOfRange` for a token outside the vocabulary, which changes nothing.
    public mutating func append(contentsOf tokens: some Sequence<Int32>) throws -> [UInt8] {
        var next = run
        var joined: [UInt8] = []
        for token in tokens {
            guard let text = try tokenizer.decoderText(token, skippingSpecials: skippingSpecials) else { continue }
            if tokenizer.decoder.joinsTokens { joined += text } else { next.append(text) }
        }
        if !joined.isEmpty { next.append(joined) }
        defer { run = next }
        return next.takeOutput()
    }

    /// Returns the rest of the text and starts anew.
    ///
    /// - Returns: The bytes that were kept back.
    public mutating func finish() -> [UInt8] {
        run.finish()
        defer { run = DecoderRun(tokenizer.decoder, keepsBytes: run.keepsBytes) }
        return run.takeOutput()
    }
}

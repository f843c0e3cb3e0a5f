/// Joins the texts of tokens.
struct TokenDecoder: Sendable {
    /// One step.
    enum Stage: Sendable {
        /// Printable characters to the bytes that they stand for.
        case byteLevel
        /// The same, if tokens arrive as these bytes.
        case bytes
        /// `<0x41>` to the byte 65.
        case byteFallback
        /// All tokens are one from here on.
        case fuse
        case metaspace(replacement: [UInt8], dropsFirst: Bool)
        case wordPiece(prefix: [UInt8], cleansUp: Bool)
        case replace(SegmentFinder, with: [UInt8])
        /// Takes so many of a character from both ends of a token.
        case strip(content: [UInt8], start: Int, stop: Int)
        /// The suffix of words is a space, except at the end.
        case suffix([UInt8])
        /// A space between tokens, which is what files without a decoder mean.
        case spaces
    }

    /// The steps in order.
    private(set) var stages: [Stage]

    /// Takes the first step for all tokens in advance, if it can be; returns the texts of tokens that it then wants.
    mutating func prepare(_ texts: [[UInt8]?]) -> [[UInt8]?] {
        guard case .byteLevel = stages.first else { return texts }
        stages[0] = .bytes
        return texts.map { text in text.map { ByteAlphabet.decode($0) ?? $0 } }
    }

    /// Whether it makes no difference where one token ends and the next begins.
    var joinsTokens: Bool {
        switch stages.first {
        case .bytes, .fuse: true
        default: false
        }
    }
}

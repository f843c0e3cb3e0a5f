/// Joins the texts of tokens.
struct TokenDecoder: Sendable {
    /// One step.
    enum Stage: Sendable {
        /// Printable characters to the bytes that they stand for.
        case byteLevel
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
    let stages: [Stage]
}

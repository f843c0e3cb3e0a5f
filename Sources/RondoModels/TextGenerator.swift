import RondoTensor

/// Continues a text token by token, in memory that does not grow.
public struct TextGenerator: Sendable {
    /// The number of tokens that were read or made.
    public private(set) var position = 0

    // init(_ model: RecurrentLanguageModel, sampling: SamplingOptions, seed: UInt64) throws
    // init(_ model: RecurrentLanguageModel, sampling: SamplingOptions?, resuming stateFile: String) throws

    /// Reads tokens: the prompt.
    public mutating func read(_ tokens: [Int32]) throws { throw RondoError(.unavailable, "not yet") }

    /// Makes the next token.
    public mutating func next() throws -> Int32 { throw RondoError(.unavailable, "not yet") }

    /// Saves what was read and made, atomically, to continue later bit for bit.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - pendingBytes: Bytes made but not yet shown; ``init(_:sampling:resuming:)`` gives them back.
    public func save(to path: String, pendingBytes: [UInt8] = []) throws { throw RondoError(.unavailable, "not yet") }
}

/// What a decoder has seen but not passed on: all that the rest of its text depends on.
public struct DecoderState: Sendable, Codable, Equatable {
    /// The memory of one step.
    struct Stage: Sendable, Codable, Equatable {
        /// Text of the current token that waits for its end, or for what may still change it.
        var token: [UInt8] = []
        /// Bytes that may become characters, or a finished token that may be the last.
        var pending: [UInt8] = []
        /// How many characters have been taken from the start of the current token; -1 when there are no more.
        var stripped = 0
        /// Whether there was a token before the current one.
        var isPastFirst = false
        /// Whether `pending` is a token, perhaps an empty one.
        var holdsToken = false
    }

    var stages: [Stage]
}

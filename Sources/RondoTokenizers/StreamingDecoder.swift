/// Passes a stream of bytes on in pieces that never cut a UTF-8 character in two.
///
/// A model with a byte vocabulary produces a character of two to four bytes in as many steps, and a terminal that is
/// shown the first of them alone draws a replacement sign. The decoder keeps back at most three bytes, those that may
/// still become a character. Bytes that cannot be UTF-8 pass unchanged: what comes out is what went in.
public struct StreamingDecoder: Sendable, Codable, Equatable {
    /// The bytes kept back, the beginning of one character.
    public private(set) var pending: [UInt8] = []

    /// Creates a decoder at the start of a stream.
    public init() {}

    /// Takes the next bytes and returns those that can be shown now.
    public mutating func append(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        pending.append(contentsOf: bytes)
        let ready = pending.count - Self.incompleteSuffix(of: pending)
        defer { pending.removeFirst(ready) }
        return Array(pending[..<ready])
    }

    /// Returns what was kept back, at the end of the stream, and starts anew.
    public mutating func finish() -> [UInt8] {
        defer { pending = [] }
        return pending
    }

    /// The length of the longest suffix that is the beginning, but not the whole, of a well-formed character.
    static func incompleteSuffix(of bytes: [UInt8]) -> Int {
        for length in stride(from: 1, through: min(3, bytes.count), by: 1) {
            let start = bytes.count - length
            let lead = bytes[start]
            if lead & 0xC0 == 0x80 { continue }
            guard length < characterLength(lead: lead) else { return 0 }
            return length == 1 || secondByteRange(lead: lead).contains(bytes[start + 1]) ? length : 0
        }
        return 0
    }

    /// The number of bytes of a character that begins with `lead`, 1 for an invalid lead.
    private static func characterLength(lead: UInt8) -> Int {
        switch lead {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
    }

    /// The second bytes that may follow `lead`: no overlong forms, no surrogates, nothing above U+10FFFF.
    private static func secondByteRange(lead: UInt8) -> ClosedRange<UInt8> {
        switch lead {
        case 0xE0: 0xA0...0xBF
        case 0xED: 0x80...0x9F
        case 0xF0: 0x90...0xBF
        case 0xF4: 0x80...0x8F
        default: 0x80...0xBF
        }
    }
}

/// Cuts texts at what it finds: a pattern, a literal text, or characters of a class.
enum SegmentFinder: Sendable {
    /// A well-known pattern.
    case scanner(WordScanner)
    /// A pattern.
    case pattern(PatternMatcher)
    /// A literal text; an empty one is found nowhere.
    case literal([UInt8])
    /// Every single character of a class.
    case scalars(@Sendable (UInt32) -> Bool)
    /// Words, and runs of what is neither in words nor white space.
    case words

    /// The finder of a regular expression.
    ///
    /// - Throws: `RondoError` if the expression is not supported.
    init(pattern: String) throws {
        if let scanner = WordScanner(pattern: pattern) {
            self = .scanner(scanner)
        } else {
            self = .pattern(try PatternMatcher(pattern))
        }
    }

    /// Calls `body` for every match and everything between matches, in order; they cover the range.
    ///
    /// Matches may be empty.
    @inline(__always)
    func forEachSegment(
        _ bytes: UnsafePointer<UInt8>, _ range: Range<Int>,
        _ body: (_ start: Int, _ end: Int, _ isMatch: Bool) -> Void
    ) {
        switch self {
        case .scanner(let scanner): scanner.forEachWord(bytes, range) { body($0, $1, true) }
        case .pattern(let matcher): Self.forEachMatch(of: matcher, bytes, range, body)
        case .literal(let text): Self.forEachOccurrence(of: text, bytes, range, body)
        case .scalars(let predicate):
            var start = range.lowerBound
            var index = start
            while index < range.upperBound {
                let (scalar, length) = UTF8Text.scalar(bytes, at: index, end: range.upperBound)
                if predicate(scalar) {
                    if start < index { body(start, index, false) }
                    body(index, index + length, true)
                    start = index + length
                }
                index += length
            }
            if start < range.upperBound { body(start, range.upperBound, false) }
        case .words: Self.forEachWord(bytes, range, body)
        }
    }

    private static func forEachMatch(
        of matcher: PatternMatcher, _ bytes: UnsafePointer<UInt8>, _ range: Range<Int>,
        _ body: (Int, Int, Bool) -> Void
    ) {
        var covered = range.lowerBound
        var search = range.lowerBound
        var lastEnd = -1
        while search <= range.upperBound {
            guard
                let match = matcher.firstMatch(bytes, begin: range.lowerBound, from: search, end: range.upperBound)
            else { break }
            if match.isEmpty, match.upperBound == lastEnd {
                // An empty match right after a match is none; look one character further.
                guard search < range.upperBound else { break }
                search += UTF8Text.scalar(bytes, at: search, end: range.upperBound).length
                continue
            }
            if covered < match.lowerBound { body(covered, match.lowerBound, false) }
            body(match.lowerBound, match.upperBound, true)
            covered = match.upperBound
            search = match.upperBound
            lastEnd = match.upperBound
        }
        if covered < range.upperBound { body(covered, range.upperBound, false) }
    }

    private static func forEachOccurrence(
        of text: [UInt8], _ bytes: UnsafePointer<UInt8>, _ range: Range<Int>, _ body: (Int, Int, Bool) -> Void
    ) {
        var start = range.lowerBound
        var index = start
        if let first = text.first {
            text.withUnsafeBufferPointer { buffer in
                guard let pattern = buffer.baseAddress else { return }
                while index + text.count <= range.upperBound {
                    guard bytes[index] == first, ByteHash.equal(bytes + index, pattern, text.count) else {
                        index += 1
                        continue
                    }
                    if start < index { body(start, index, false) }
                    index += text.count
                    body(index - text.count, index, true)
                    start = index
                }
            }
        }
        if start < range.upperBound { body(start, range.upperBound, false) }
    }

    private static func forEachWord(
        _ bytes: UnsafePointer<UInt8>, _ range: Range<Int>, _ body: (Int, Int, Bool) -> Void
    ) {
        let relevant = CharacterTable.whitespaceBit | CharacterTable.wordBit
        var start = range.lowerBound
        while start < range.upperBound {
            var (scalar, length) = UTF8Text.scalar(bytes, at: start, end: range.upperBound)
            let kind = CharacterTable.entry(scalar) & relevant
            var end = start
            repeat {
                end += length
                guard end < range.upperBound else { break }
                (scalar, length) = UTF8Text.scalar(bytes, at: end, end: range.upperBound)
            } while CharacterTable.entry(scalar) & relevant == kind
            body(start, end, kind != CharacterTable.whitespaceBit)
            start = end
        }
    }
}

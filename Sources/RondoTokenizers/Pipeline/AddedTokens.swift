/// A token that is found in the text itself, before the model sees it.
struct AddedToken: Sendable {
    let id: Int32
    let content: [UInt8]
    let isSingleWord: Bool
    let stripsLeft: Bool
    let stripsRight: Bool
    let isNormalized: Bool
    let isSpecial: Bool
}

/// Finds added tokens: the leftmost, of these the longest.
struct AddedTokenMatcher: Sendable {
    private let trie: TokenTrie
    private let tokens: [Int32: AddedToken]
    private let firstBytes: [Bool]

    /// Fails if there are no tokens; `pattern` is what is looked for.
    init?(_ tokens: [(pattern: [UInt8], token: AddedToken)]) {
        guard !tokens.isEmpty else { return nil }
        trie = TokenTrie(tokens.map { ($0.pattern, $0.token.id) })
        self.tokens = Dictionary(tokens.map { ($0.token.id, $0.token) }) { _, last in last }
        var firstBytes = [Bool](repeating: false, count: 256)
        for token in tokens { if let first = token.pattern.first { firstBytes[Int(first)] = true } }
        self.firstBytes = firstBytes
    }

    /// Calls `body` for every stretch of the text, with its token if it is one.
    func forEachPart(
        _ text: UnsafeBufferPointer<UInt8>, skippingSpecials: Bool, _ body: (Range<Int>, Int32?) -> Void
    ) {
        guard let bytes = text.baseAddress else { return }
        var covered = 0
        var index = 0
        while index < text.count {
            guard firstBytes[Int(bytes[index])],
                let match = trie.longestMatch(bytes, from: index, end: text.count), let token = tokens[match.id]
            else {
                index += 1
                continue
            }
            let start = index
            index = match.end
            if skippingSpecials, token.isSpecial { continue }
            if token.isSingleWord, !Self.isAlone(bytes, start, match.end, text.count) { continue }
            let left = token.stripsLeft ? Self.spaceStart(bytes, before: start, begin: covered) : start
            let right = token.stripsRight ? Self.spaceEnd(bytes, from: match.end, text.count) : match.end
            if covered < left { body(covered..<left, nil) }
            body(min(left, right)..<right, token.id)
            covered = right
        }
        if covered < text.count { body(covered..<text.count, nil) }
    }

    private static func isAlone(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ count: Int) -> Bool {
        if start > 0 {
            let before = UTF8Text.start(bytes, before: start, begin: 0)
            if CharacterTable.isWord(UTF8Text.scalar(bytes, at: before, end: start).value) { return false }
        }
        return end == count || !CharacterTable.isWord(UTF8Text.scalar(bytes, at: end, end: count).value)
    }

    private static func spaceStart(_ bytes: UnsafePointer<UInt8>, before end: Int, begin: Int) -> Int {
        // The token before may already have taken what is here.
        guard end > begin else { return begin }
        var start = end
        while start > begin {
            let last = UTF8Text.start(bytes, before: start, begin: begin)
            guard CharacterTable.isWhitespace(UTF8Text.scalar(bytes, at: last, end: start).value) else { break }
            start = last
        }
        return start
    }

    private static func spaceEnd(_ bytes: UnsafePointer<UInt8>, from start: Int, _ count: Int) -> Int {
        var end = start
        while end < count {
            let (scalar, length) = UTF8Text.scalar(bytes, at: end, end: count)
            guard CharacterTable.isWhitespace(scalar) else { break }
            end += length
        }
        return end
    }
}

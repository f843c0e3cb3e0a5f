/// The well-known splitting patterns of byte-level tokenizers, as loops.
///
/// Each of these patterns matches everywhere, so that a text is cut into words without gaps.
struct WordScanner: Sendable, Equatable {
    /// The families of patterns.
    private enum Family: Sendable {
        /// GPT-2: words and numbers with a space before them.
        case gpt2
        /// cl100k: words with one other character before them, short numbers, punctuation with line breaks after it.
        case cl100k
    }

    private let family: Family
    private let digits: Int

    /// The pattern of GPT-2.
    static let gpt2 = WordScanner(family: .gpt2, digits: .max)
    /// The pattern of Llama 3 and cl100k.
    static let llama3 = WordScanner(family: .cl100k, digits: 3)
    /// The pattern of Qwen 2.
    static let qwen2 = WordScanner(family: .cl100k, digits: 1)

    /// The pattern of GPT-2, as it is written in files.
    static let gpt2Pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    /// The pattern of Llama 3, as it is written in files.
    static let llama3Pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
        + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
    private static let known: [String: WordScanner] = [
        gpt2Pattern: .gpt2,
        #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: .gpt2,
        llama3Pattern: .llama3,
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
            + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#: .qwen2,
        #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"#
            + #"|\s+(?!\S)|\s+"#: .llama3,
    ]

    private init(family: Family, digits: Int) {
        self.family = family
        self.digits = digits
    }

    /// The scanner that does what a pattern says, if there is one.
    init?(pattern: String) {
        guard let scanner = Self.known[pattern] else { return nil }
        self = scanner
    }

    /// Calls `body` with the bounds of each word, in order.
    @inline(__always)
    func forEachWord(
        _ bytes: UnsafePointer<UInt8>, _ range: Range<Int>, _ body: (_ start: Int, _ end: Int) -> Void
    ) {
        let text = Text(bytes: bytes, end: range.upperBound, entries: CharacterTable.entries)
        var start = range.lowerBound
        while start < range.upperBound {
            let end = family == .gpt2 ? text.gpt2WordEnd(start) : text.cl100kWordEnd(start, digits: digits)
            body(start, end)
            start = end
        }
    }
}

/// A text and where its words end.
private struct Text {
    enum Kind {
        case letter
        case number
        case space
        case other
    }

    let bytes: UnsafePointer<UInt8>
    let end: Int
    let entries: UnsafePointer<UInt8>

    @inline(__always)
    private func kind(_ scalar: UInt32) -> Kind {
        let entry = CharacterTable.entry(scalar, entries)
        if entry & CharacterTable.whitespaceBit != 0 { return .space }
        let category = entry & CharacterTable.categoryMask
        return category <= CharacterTable.Category.otherLetter.rawValue
            ? .letter : category <= CharacterTable.Category.otherNumber.rawValue ? .number : .other
    }

    @inline(__always)
    private func character(_ index: Int) -> (kind: Kind, length: Int) {
        let (scalar, length) = UTF8Text.scalar(bytes, at: index, end: end)
        return (kind(scalar), length)
    }

    @inline(__always)
    private func runEnd(of kind: Kind, from start: Int, atMost limit: Int = .max) -> Int {
        var index = start
        var count = 0
        while index < end, count < limit {
            let next = character(index)
            guard next.kind == kind else { break }
            index += next.length
            count += 1
        }
        return index
    }

    @inline(__always)
    func gpt2WordEnd(_ start: Int) -> Int {
        if bytes[start] == UInt8(ascii: "'"), let stop = contractionEnd(start, foldsCase: false) { return stop }
        var first = character(start)
        var body = start
        if bytes[start] == 0x20, start + 1 < end {
            let next = character(start + 1)
            if next.kind != .space {
                first = next
                body = start + 1
            }
        }
        return first.kind == .space ? spaceEnd(start) : runEnd(of: first.kind, from: body + first.length)
    }

    @inline(__always)
    func cl100kWordEnd(_ start: Int, digits: Int) -> Int {
        let byte = bytes[start]
        if byte == UInt8(ascii: "'"), let stop = contractionEnd(start, foldsCase: true) { return stop }
        let first = character(start)
        if first.kind == .letter { return runEnd(of: .letter, from: start + first.length) }
        if first.kind == .number { return runEnd(of: .number, from: start, atMost: digits) }
        let second = start + first.length
        if !isLineBreak(byte), second < end {
            let next = character(second)
            if next.kind == .letter { return runEnd(of: .letter, from: second + next.length) }
            if byte == 0x20, next.kind == .other { return punctuationEnd(second) }
        }
        if first.kind == .other { return punctuationEnd(start) }
        let stop = runEnd(of: .space, from: start)
        var last = stop - 1
        while last >= start, !isLineBreak(bytes[last]) { last -= 1 }
        return last >= start ? last + 1 : shortened(start, stop)
    }

    @inline(__always)
    private func isLineBreak(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D }

    private func punctuationEnd(_ start: Int) -> Int {
        var stop = runEnd(of: .other, from: start)
        while stop < end, isLineBreak(bytes[stop]) { stop += 1 }
        return stop
    }

    private func spaceEnd(_ start: Int) -> Int { shortened(start, runEnd(of: .space, from: start)) }

    /// White space before a word leaves its last character to the word.
    private func shortened(_ start: Int, _ stop: Int) -> Int {
        guard stop < end else { return stop }
        let last = UTF8Text.start(bytes, before: stop, begin: start)
        return last > start ? last : stop
    }

    /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d`.
    private func contractionEnd(_ start: Int, foldsCase: Bool) -> Int? {
        guard start + 1 < end else { return nil }
        let mask: UInt8 = foldsCase ? 0x20 : 0
        switch bytes[start + 1] | mask {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
        // The long s folds to s.
        case 0xC5 | mask where foldsCase && bytes[start + 1] == 0xC5 && start + 2 < end && bytes[start + 2] == 0xBF:
            return start + 3
        case let first:
            guard start + 2 < end else { return nil }
            let second = bytes[start + 2] | mask
            let isLong =
                (second == UInt8(ascii: "e") && (first == UInt8(ascii: "r") || first == UInt8(ascii: "v")))
                || (second == UInt8(ascii: "l") && first == UInt8(ascii: "l"))
            return isLong ? start + 3 : nil
        }
    }
}

/// A string as the template language sees it: a list of Unicode scalars.
///
/// Swift compares strings by canonical equivalence and counts grapheme clusters; templates count, index and compare
/// scalars.
struct Text: Hashable, Sendable {
    var scalars: [Unicode.Scalar]

    init(_ scalars: some Sequence<Unicode.Scalar> = []) { self.scalars = Array(scalars) }

    init(_ string: String) { scalars = Array(string.unicodeScalars) }

    var count: Int { scalars.count }
    var isEmpty: Bool { scalars.isEmpty }

    var string: String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// Whether the template language takes a scalar for white space.
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }
}

extension Text: ExpressibleByStringLiteral {
    init(stringLiteral value: String) { self.init(value) }
}

extension Text: Comparable {
    static func < (a: Text, b: Text) -> Bool { a.scalars.lexicographicallyPrecedes(b.scalars) }
}

extension Text {
    static func + (a: Text, b: Text) -> Text { Text(a.scalars + b.scalars) }

    /// Without the scalars at its ends that belong to `set`, or without white space.
    func trimmed(of set: Text? = nil, leading: Bool = true, trailing: Bool = true) -> Text {
        let members = set.map { Set($0.scalars) }
        func isDropped(_ scalar: Unicode.Scalar) -> Bool { members?.contains(scalar) ?? Text.isSpace(scalar) }
        var start = 0
        var end = count
        if leading { while start < end, isDropped(scalars[start]) { start += 1 } }
        if trailing { while start < end, isDropped(scalars[end - 1]) { end -= 1 } }
        return start == 0 && end == count ? self : Text(scalars[start..<end])
    }

    /// Whether `part` stands at `position`.
    func has(_ part: Text, at position: Int) -> Bool {
        guard position >= 0, position + part.count <= count else { return false }
        return scalars.withUnsafeBufferPointer { whole in
            part.scalars.withUnsafeBufferPointer { piece in
                for offset in 0..<piece.count where whole[position + offset] != piece[offset] { return false }
                return true
            }
        }
    }

    /// Where `part` begins at or after `start`.
    func firstIndex(of part: Text, from start: Int = 0) -> Int? {
        guard let first = part.scalars.first else { return start <= count ? start : nil }
        // The simple search takes time in proportion to both lengths; a stranger could make both large.
        if part.count > 16 { return firstIndex(ofLong: part, from: start) }
        var position = start
        while position + part.count <= count {
            if scalars[position] == first, has(part, at: position) { return position }
            position += 1
        }
        return nil
    }

    /// The same by the algorithm of Knuth, Morris and Pratt, which never goes back.
    private func firstIndex(ofLong part: Text, from start: Int) -> Int? {
        // How many scalars still fit after a mismatch behind each prefix.
        var fallbacks = [0]
        var matched = 0
        for scalar in part.scalars.dropFirst() {
            while matched > 0, part.scalars[matched] != scalar { matched = fallbacks[matched - 1] }
            if part.scalars[matched] == scalar { matched += 1 }
            fallbacks.append(matched)
        }
        matched = 0
        for position in stride(from: start, to: count, by: 1) {
            while matched > 0, part.scalars[matched] != scalars[position] { matched = fallbacks[matched - 1] }
            if part.scalars[matched] == scalars[position] { matched += 1 }
            if matched == part.count { return position + 1 - matched }
        }
        return nil
    }

    /// Where `part` begins for the last time.
    func lastIndex(of part: Text) -> Int? {
        if part.count > 16 { return reversed.firstIndex(of: part.reversed).map { count - part.count - $0 } }
        var position = count - part.count
        while position >= 0 {
            if has(part, at: position) { return position }
            position -= 1
        }
        return nil
    }

    /// How often `part` occurs without overlaps; an empty one between all scalars.
    func occurrences(of part: Text) -> Int {
        guard !part.isEmpty else { return count + 1 }
        var found = 0
        var position = 0
        while let next = firstIndex(of: part, from: position) {
            found += 1
            position = next + part.count
        }
        return found
    }

    /// The pieces between occurrences of a separator that is not empty, cut from the left at most `limit` times.
    func split(by separator: Text, limit: Int?) -> [Text] {
        var pieces: [Text] = []
        var start = 0
        while limit.map({ pieces.count < $0 }) ?? true, let next = firstIndex(of: separator, from: start) {
            pieces.append(Text(scalars[start..<next]))
            start = next + separator.count
        }
        return pieces + [Text(scalars[start...])]
    }

    /// The words between white space, cut from the left at most `limit` times; the rest keeps its end.
    func words(limit: Int?) -> [Text] {
        var words: [Text] = []
        var position = 0
        while true {
            while position < count, Text.isSpace(scalars[position]) { position += 1 }
            guard position < count else { return words }
            if let limit, words.count >= limit { return words + [Text(scalars[position...])] }
            let start = position
            while position < count, !Text.isSpace(scalars[position]) { position += 1 }
            words.append(Text(scalars[start..<position]))
        }
    }

    /// The lines, without or with their ends.
    func lines(keepingEnds: Bool = false) -> [Text] {
        var lines: [Text] = []
        var start = 0
        var position = 0
        while position < count {
            guard Text.isLineEnd(scalars[position]) else {
                position += 1
                continue
            }
            let end = position
            position += scalars[position] == "\r" && position + 1 < count && scalars[position + 1] == "\n" ? 2 : 1
            lines.append(Text(scalars[start..<(keepingEnds ? position : end)]))
            start = position
        }
        return start < count ? lines + [Text(scalars[start...])] : lines
    }

    /// With occurrences of `old` replaced, the first `limit` ones or all.
    func replacing(_ old: Text, with new: Text, limit: Int?) -> Text {
        guard limit != 0 else { return self }
        guard old.isEmpty else {
            let pieces = split(by: old, limit: limit)
            return pieces.count == 1 ? self : Text.joined(pieces, by: new)
        }
        var result: [Unicode.Scalar] = []
        for (position, scalar) in scalars.enumerated() {
            if limit.map({ position < $0 }) ?? true { result += new.scalars }
            result.append(scalar)
        }
        if limit.map({ count < $0 }) ?? true { result += new.scalars }
        return Text(result)
    }

    static func joined(_ pieces: [Text], by separator: Text) -> Text {
        Text(pieces.map(\.scalars).joined(separator: separator.scalars))
    }

    var reversed: Text { Text(scalars.reversed()) }
}

extension Text {
    var uppercased: Text { Text(scalars.flatMap(\.properties.uppercaseMapping.unicodeScalars)) }

    var lowercased: Text {
        Text(scalars.indices.flatMap { lowercased(at: $0).unicodeScalars })
    }

    /// The first scalar in title case, the others in lower case.
    var capitalized: Text {
        guard let first = scalars.first else { return self }
        return Text(first.properties.titlecaseMapping) + Text(lowercased(from: 1))
    }

    /// Every run of letters with a capital at its beginning.
    var titlecased: Text {
        var result: [Unicode.Scalar] = []
        var isInWord = false
        for index in scalars.indices {
            let properties = scalars[index].properties
            result += (isInWord ? lowercased(at: index) : properties.titlecaseMapping).unicodeScalars
            isInWord = properties.isCased
        }
        return Text(result)
    }

    /// A capital after every run of the marks that the filter `title` takes for the beginnings of words.
    var titlecasedAfterMarks: Text {
        var result: [Unicode.Scalar] = []
        var word: [Unicode.Scalar] = []
        func endWord() {
            guard let first = word.first else { return }
            result += first.properties.uppercaseMapping.unicodeScalars
            result += Text(word[1...]).lowercased.scalars
            word = []
        }
        for scalar in scalars {
            if Text.isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar) {
                endWord()
                result.append(scalar)
            } else {
                word.append(scalar)
            }
        }
        endWord()
        return Text(result)
    }

    var caseSwapped: Text {
        Text(
            scalars.indices.flatMap { index -> String.UnicodeScalarView in
                let properties = scalars[index].properties
                if properties.isUppercase { return lowercased(at: index).unicodeScalars }
                return (properties.isLowercase ? properties.uppercaseMapping : String(scalars[index])).unicodeScalars
            })
    }

    private func lowercased(from start: Int) -> [Unicode.Scalar] {
        scalars.indices.dropFirst(start).flatMap { lowercased(at: $0).unicodeScalars }
    }

    /// A capital sigma at the end of a word has a form of its own.
    private func lowercased(at index: Int) -> String {
        guard scalars[index] == "\u{3A3}" else { return scalars[index].properties.lowercaseMapping }
        let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
        let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
        let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
        return isFinal ? "\u{3C2}" : "\u{3C3}"
    }

    func isCased(upper: Bool) -> Bool {
        var isCased = false
        for scalar in scalars {
            let properties = scalar.properties
            if upper ? properties.isUppercase : properties.isLowercase {
                isCased = true
            } else if properties.isUppercase || properties.isLowercase || properties.generalCategory == .titlecaseLetter
            {
                return false
            }
        }
        return isCased
    }
}

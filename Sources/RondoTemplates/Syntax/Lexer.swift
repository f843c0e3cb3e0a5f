import RondoTensor

/// A piece of a template with the line on which it begins.
struct Token {
    enum Kind: Equatable {
        case data(Text)
        case variableBegin
        case variableEnd
        case blockBegin
        case blockEnd
        case name(String)
        case string(Text)
        case integer(Int)
        case real(Double)
        case sign(String)
        case end
    }

    let kind: Kind
    let line: Int

    var inWords: String {
        switch kind {
        case .data: "text"
        case .variableBegin: "'{{'"
        case .variableEnd: "'}}'"
        case .blockBegin: "'{%'"
        case .blockEnd: "'%}'"
        case .name(let name): "'\(name)'"
        case .string: "a string"
        case .integer(let value): "'\(value)'"
        case .real(let value): "'\(value)'"
        case .sign(let sign): "'\(sign)'"
        case .end: "the end of the template"
        }
    }
}

/// Cuts a template into tokens, with the white space rules of `trim_blocks` and `lstrip_blocks`.
struct Lexer {
    private let source: Text
    private let name: String
    private var position = 0
    private var line = 1
    private var tokens: [Token] = []

    init(_ source: String, name: String) {
        var scalars = Text(source).replacing("\r\n", with: "\n", limit: nil).replacing("\r", with: "\n", limit: nil)
        // Jinja drops the line end with which text files end.
        if scalars.scalars.last == "\n" { scalars.scalars.removeLast() }
        self.source = scalars
        self.name = name
    }

    mutating func tokenize() throws -> [Token] {
        while let (begin, kind) = nextTag() {
            try takeData(until: begin, isVariable: kind == "{")
            position = begin + 2
            let opening = line
            _ = take("-") || take("+")
            switch kind {
            case "#": try skipComment(from: opening)
            case "%" where isRaw():
                try takeRaw(from: opening)
            default:
                let isBlock = kind == "%"
                append(isBlock ? .blockBegin : .variableBegin)
                try takeCode(isBlock: isBlock)
            }
        }
        append(data: source.scalars[position...])
        line += source.scalars[position...].count { $0 == "\n" }
        append(.end)
        return tokens
    }

    // MARK: Text

    /// Where the next tag begins, and its second character.
    private func nextTag() -> (begin: Int, kind: Unicode.Scalar)? {
        var index = position
        while index + 1 < source.count {
            if source.scalars[index] == "{" {
                let kind = source.scalars[index + 1]
                if kind == "{" || kind == "%" || kind == "#" { return (index, kind) }
            }
            index += 1
        }
        return nil
    }

    /// Takes the text before a tag: without the white space that a minus, or the tag's being alone, takes away.
    private mutating func takeData(until begin: Int, isVariable: Bool) throws {
        let text = source.scalars[position..<begin]
        let control = begin + 2 < source.count ? source.scalars[begin + 2] : " "
        var end = begin
        if control == "-" {
            while end > position, Text.isSpace(source.scalars[end - 1]) { end -= 1 }
        } else if control != "+", !isVariable {
            let lineStart = text.lastIndex(of: "\n").map { $0 + 1 } ?? position
            let startsLine = lineStart > position || position == 0 || source.scalars[position - 1] == "\n"
            if startsLine, source.scalars[lineStart..<begin].allSatisfy(Text.isSpace) { end = lineStart }
        }
        append(data: source.scalars[position..<end])
        line += text.count { $0 == "\n" }
    }

    private mutating func append(data: ArraySlice<Unicode.Scalar>) {
        if !data.isEmpty { append(.data(Text(data))) }
    }

    private mutating func append(_ kind: Token.Kind) { tokens.append(Token(kind: kind, line: line)) }

    // MARK: Comments and raw text

    private mutating func skipComment(from opening: Int) throws {
        let start = position
        while position < source.count {
            if source.has("#}", at: position) {
                let trims = position > 0 && "-+".unicodeScalars.contains(source.scalars[position - 1])
                // The sign in front of the first text of a comment belongs to its beginning.
                let sign = trims && !source.has("{#", at: position - 3) ? source.scalars[position - 1] : " "
                position += 2
                skipSpace(after: sign)
                return
            }
            if source.scalars[position] == "\n" { line += 1 }
            position += 1
        }
        // Jinja does not mind a comment that begins where the template ends.
        guard position == start else { throw failure("the comment has no end", line: opening) }
    }

    /// Whether the tag at hand is `{% raw %}`; it has no line end of its own.
    private func isRaw() -> Bool { endOfWord("raw", after: position) != nil }

    private func endOfWord(_ word: Text, after start: Int) -> (end: Int, sign: Unicode.Scalar)? {
        var index = start
        while index < source.count, Text.isSpace(source.scalars[index]) { index += 1 }
        guard source.has(word, at: index) else { return nil }
        index += word.count
        while index < source.count, Text.isSpace(source.scalars[index]) { index += 1 }
        if source.has("%}", at: index) { return (index + 2, " ") }
        if source.has("-%}", at: index) { return (index + 3, "-") }
        if word == "endraw", source.has("+%}", at: index) { return (index + 3, "+") }
        return nil
    }

    private mutating func takeRaw(from opening: Int) throws {
        guard let (end, sign) = endOfWord("raw", after: position) else { return }
        advance(to: end)
        if sign == "-" { skipSpace(after: sign) }
        var begin = position
        while let next = source.firstIndex(of: "{%", from: begin) {
            var inside = next + 2
            if inside < source.count, "-+".unicodeScalars.contains(source.scalars[inside]) { inside += 1 }
            if let (end, sign) = endOfWord("endraw", after: inside) {
                try takeData(until: next, isVariable: false)
                position = next
                advance(to: end)
                skipSpace(after: sign)
                return
            }
            begin = next + 1
        }
        guard position == source.count else { throw failure("the raw text has no end", line: opening) }
    }

    // MARK: Code

    private mutating func takeCode(isBlock: Bool) throws {
        let opening = line
        var brackets: [Unicode.Scalar] = []
        while position < source.count {
            if brackets.isEmpty, takeEnd(isBlock: isBlock) { return }
            let scalar = source.scalars[position]
            if Text.isSpace(scalar) {
                advance(to: position + 1)
            } else if scalar.properties.numericType == .decimal, scalar.isASCII {
                append(try takeNumber())
            } else if isNamePart(scalar) {
                append(.name(try takeName()))
            } else if scalar == "\"" || scalar == "'" {
                // Its line is the one on which it begins.
                let begin = line
                let text = try takeString(quote: scalar)
                tokens.append(Token(kind: .string(text), line: begin))
            } else {
                try takeSign(&brackets)
            }
        }
        throw failure("the tag that begins here has no end", line: opening)
    }

    /// Takes the end of a tag and the white space that goes with it.
    private mutating func takeEnd(isBlock: Bool) -> Bool {
        let end: Text = isBlock ? "%}" : "}}"
        var sign: Unicode.Scalar = isBlock ? " " : "+"
        let first = source.scalars[position]
        var begin = position
        if first == "-" || (first == "+" && isBlock), source.has(end, at: position + 1) {
            sign = first
            begin += 1
        }
        guard source.has(end, at: begin) else { return false }
        append(isBlock ? .blockEnd : .variableEnd)
        position = begin + 2
        skipSpace(after: sign)
        return true
    }

    /// After a minus all white space goes, after a plus none, otherwise one line end.
    private mutating func skipSpace(after sign: Unicode.Scalar) {
        var end = position
        if sign == "-" {
            while end < source.count, Text.isSpace(source.scalars[end]) { end += 1 }
        } else if sign != "+", source.has("\n", at: end) {
            end += 1
        }
        advance(to: end)
    }

    private mutating func takeSign(_ brackets: inout [Unicode.Scalar]) throws {
        let scalar = source.scalars[position]
        for pair in ["**", "//", "==", "!=", "<=", ">="] where source.has(Text(pair), at: position) {
            append(.sign(pair))
            position += 2
            return
        }
        guard "+-/*%~[](){}><=.:|,;".unicodeScalars.contains(scalar) else {
            throw failure("unexpected character '\(scalar)'")
        }
        switch scalar {
        case "(": brackets.append(")")
        case "[": brackets.append("]")
        case "{": brackets.append("}")
        case ")", "]", "}":
            guard brackets.popLast() == scalar else { throw failure("unexpected '\(scalar)'") }
        default: break
        }
        append(.sign(String(scalar)))
        position += 1
    }

    private func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || (scalar.isASCII ? scalar.properties.isAlphabetic : scalar.properties.isXIDContinue)
            || (scalar.isASCII && scalar.properties.numericType == .decimal)
    }

    private mutating func takeName() throws -> String {
        let start = position
        while position < source.count, isNamePart(source.scalars[position]) { position += 1 }
        guard source.scalars[start] == "_" || source.scalars[start].properties.isXIDStart else {
            throw failure("a name cannot begin with '\(source.scalars[start])'")
        }
        return Text(source.scalars[start..<position]).string
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard position < source.count, source.scalars[position] == scalar else { return false }
        position += 1
        return true
    }

    private mutating func advance(to end: Int) {
        line += source.scalars[position..<end].count { $0 == "\n" }
        position = end
    }

    private func failure(_ reason: String, line: Int? = nil) -> RondoError {
        RondoError(.invalidArgument, "\(name), line \(line ?? self.line): \(reason)")
    }

    private func unsupported(_ what: String) -> RondoError {
        RondoError(.unavailable, "\(name): not supported: \(what) at line \(line)")
    }
}

// MARK: Literals

extension Lexer {
    private mutating func takeNumber() throws -> Token.Kind {
        if !(position > 0 && source.scalars[position - 1] == "."), let end = endOfReal() {
            let digits = Text(source.scalars[position..<end]).string.filter { $0 != "_" }
            position = end
            guard let value = Double(digits) else { throw failure("'\(digits)' is no number") }
            return .real(value)
        }
        let (end, radix) = endOfInteger()
        let written = Text(source.scalars[position..<end]).string.filter { $0 != "_" }
        let digits = radix == 10 ? written[...] : written.dropFirst(2)
        guard let value = Int(digits, radix: radix) else {
            throw unsupported("the integer \(written), which has more than 64 bits,")
        }
        position = end
        return .integer(value)
    }

    /// The end of digits with single underscores between them, or `nil` if there are none.
    private func endOfDigits(_ start: Int, _ isDigit: (Unicode.Scalar) -> Bool = { ("0"..."9").contains($0) }) -> Int? {
        var index = start
        while index < source.count {
            let isGap = index > start && source.scalars[index] == "_"
            let digit = isGap ? index + 1 : index
            guard digit < source.count, isDigit(source.scalars[digit]) else { break }
            index = digit + 1
        }
        return index > start ? index : nil
    }

    private func endOfReal() -> Int? {
        guard var end = endOfDigits(position) else { return nil }
        var isReal = false
        if source.has(".", at: end), let fraction = endOfDigits(end + 1) {
            end = fraction
            isReal = true
        }
        if source.has("e", at: end) || source.has("E", at: end) {
            let signed = source.has("+", at: end + 1) || source.has("-", at: end + 1)
            if let exponent = endOfDigits(end + (signed ? 2 : 1)) { return exponent }
        }
        return isReal ? end : nil
    }

    private func endOfInteger() -> (end: Int, radix: Int) {
        let radices: [(marks: [Text], radix: Int, digits: String)] = [
            (["0b", "0B"], 2, "01"), (["0o", "0O"], 8, "01234567"), (["0x", "0X"], 16, "0123456789abcdefABCDEF"),
        ]
        for (marks, radix, digits) in radices where marks.contains(where: { source.has($0, at: position) }) {
            let start = position + (source.has("_", at: position + 2) ? 3 : 2)
            if let end = endOfDigits(start, { digits.unicodeScalars.contains($0) }) { return (end, radix) }
        }
        if source.scalars[position] == "0" { return (endOfDigits(position) { $0 == "0" } ?? position + 1, 10) }
        return (endOfDigits(position) ?? position + 1, 10)
    }

    private mutating func takeString(quote: Unicode.Scalar) throws -> Text {
        let opening = line
        position += 1
        var text = Text()
        while position < source.count {
            let scalar = source.scalars[position]
            advance(to: position + 1)
            if scalar == quote { return text }
            if scalar == "\\" { try takeEscape(into: &text) } else { text.scalars.append(scalar) }
        }
        throw failure("the string that begins here has no end", line: opening)
    }

    private mutating func takeEscape(into text: inout Text) throws {
        guard position < source.count else { return }
        let scalar = source.scalars[position]
        let simple: [Unicode.Scalar: Unicode.Scalar] = [
            "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}", "b": "\u{8}",
            "f": "\u{C}", "v": "\u{B}",
        ]
        advance(to: position + 1)
        if let meaning = simple[scalar] {
            text.scalars.append(meaning)
        } else if let length = (["x": 2, "u": 4, "U": 8] as [Unicode.Scalar: Int])[scalar] {
            text.scalars.append(try takeCode(digits: length...length, radix: 16))
        } else if ("0"..."7").contains(scalar) {
            position -= 1
            text.scalars.append(try takeCode(digits: 1...3, radix: 8))
        } else if scalar == "N" {
            throw unsupported("characters by name ('\\N')")
        } else if !scalar.isASCII {
            // Jinja escapes what is not ASCII first, so that the backslash in front escapes only a backslash.
            let digits = String(scalar.value, radix: 16)
            let (mark, length) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
            text = text + Text("\\" + mark + String(repeating: "0", count: length - digits.count) + digits)
        } else if scalar != "\n" {
            text.scalars += ["\\", scalar]
        }
    }

    private mutating func takeCode(digits: ClosedRange<Int>, radix: Int) throws -> Unicode.Scalar {
        var end = position
        while end < source.count, end - position < digits.upperBound, source.scalars[end].isASCII,
            Int(String(source.scalars[end]), radix: radix) != nil
        { end += 1 }
        let code = UInt32(Text(source.scalars[position..<end]).string, radix: radix)
        guard end - position >= digits.lowerBound, let code, let scalar = Unicode.Scalar(code) else {
            throw failure("the escape sequence is no character")
        }
        position = end
        return scalar
    }
}

import RondoTensor

extension JSONValue {
    /// Parses a JSON document strictly: UTF-8, no comments, no trailing commas, no repeated keys.
    ///
    /// - Parameters:
    ///   - bytes: The document.
    ///   - source: What to call it in errors: a path or "--config".
    /// - Throws: `RondoError` with the source, line and column.
    public init(parsing bytes: some Collection<UInt8>, source: String) throws {
        let text = Array(bytes)
        self = try text.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: buffer, source: source)
            return try parser.parseDocument()
        }
    }

    /// Parses JSON text strictly.
    ///
    /// - Parameters:
    ///   - text: The document.
    ///   - source: What to call it in errors.
    /// - Throws: `RondoError` with the source, line and column.
    public init(parsing text: String, source: String) throws {
        self = try JSONValue(parsing: text.utf8, source: source)
    }

    /// Reads and parses a JSON file.
    ///
    /// - Parameter path: The file.
    /// - Throws: `RondoError` with the path, line and column.
    public init(contentsOf path: String) throws {
        self = try JSONValue(parsing: FileSystem.readBytes(path), source: path)
    }

    /// Reads and parses a JSON file of a Python program: `Infinity`, `-Infinity` and `NaN` stand for the objects
    /// `{"__float__": "Infinity"}` and so on, the other way in which such programs write them.
    ///
    /// - Parameter path: The file.
    /// - Throws: `RondoError` with the path, line and column.
    public init(foreignContentsOf path: String) throws {
        let text = try FileSystem.readBytes(path)
        self = try text.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: buffer, source: path, takesNonFinite: true)
            return try parser.parseDocument()
        }
    }
}

/// A recursive-descent parser over UTF-8 bytes.
private struct JSONParser {
    private static let maximumDepth = 200
    private static let nonFinite = ["Infinity", "-Infinity", "NaN"]

    let bytes: UnsafeBufferPointer<UInt8>
    let source: String
    /// Whether `Infinity`, `-Infinity` and `NaN` are values.
    let takesNonFinite: Bool
    private var index = 0

    init(bytes: UnsafeBufferPointer<UInt8>, source: String, takesNonFinite: Bool = false) {
        self.bytes = bytes
        self.source = source
        self.takesNonFinite = takesNonFinite
    }

    mutating func parseDocument() throws -> JSONValue {
        let value = try parseValue(depth: 0)
        skipSpace()
        guard index == bytes.count else { throw failure("nothing may follow the document") }
        return value
    }

    private mutating func parseValue(depth: Int) throws -> JSONValue {
        guard depth < Self.maximumDepth else { throw failure("nested more than \(Self.maximumDepth) levels deep") }
        skipSpace()
        if takesNonFinite, let word = Self.nonFinite.first(where: { bytes[index...].starts(with: $0.utf8) }) {
            index += word.utf8.count
            return ["__float__": .string(word)]
        }
        switch peek {
        case UInt8(ascii: "{"): return try parseObject(depth: depth)
        case UInt8(ascii: "["): return try parseArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case nil: throw failure("the document ends where a value is needed")
        default: return try parseNumber()
        }
    }

    private mutating func parseObject(depth: Int) throws -> JSONValue {
        index += 1
        var object = JSONObject()
        if skipSpace(andTake: "}") { return .object(object) }
        while true {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw failure("a key in double quotes is needed") }
            let start = index
            let key = try parseString()
            guard skipSpace(andTake: ":") else { throw failure("':' is needed after the key '\(key)'") }
            guard object[key] == nil else { throw failure("the key '\(key)' is repeated", at: start) }
            object[key] = try parseValue(depth: depth + 1)
            if skipSpace(andTake: "}") { return .object(object) }
            guard skipSpace(andTake: ",") else { throw failure("',' or '}' is needed") }
        }
    }

    private mutating func parseArray(depth: Int) throws -> JSONValue {
        index += 1
        var elements: [JSONValue] = []
        if skipSpace(andTake: "]") { return .array(elements) }
        while true {
            elements.append(try parseValue(depth: depth + 1))
            if skipSpace(andTake: "]") { return .array(elements) }
            guard skipSpace(andTake: ",") else { throw failure("',' or ']' is needed") }
        }
    }

    private mutating func parseWord(_ word: String, _ value: JSONValue) throws -> JSONValue {
        guard bytes[index...].starts(with: word.utf8) else { throw failure("not a JSON value") }
        index += word.utf8.count
        return value
    }

    private mutating func parseNumber() throws -> JSONValue {
        let start = index
        _ = take("-")
        let leadingZero = peek == UInt8(ascii: "0")
        let whole = takeDigits()
        var isValid = whole == 1 || (whole > 1 && !leadingZero)
        if take(".") { isValid = takeDigits() > 0 && isValid }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            isValid = takeDigits() > 0 && isValid
        }
        guard isValid else { throw failure("not a JSON value", at: start) }
        return .number(literal: String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private mutating func parseString() throws -> String {
        let opening = index
        index += 1
        var content: [UInt8] = []
        while let byte = peek {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw failure("the string is not UTF-8", at: opening)
                }
                return text
            case UInt8(ascii: "\\"): content += String(try parseEscape()).utf8
            case 0..<0x20: throw failure("control characters in strings must be escaped", at: index - 1)
            default: content.append(byte)
            }
        }
        throw failure("the string that starts here has no end", at: opening)
    }

    private mutating func parseEscape() throws -> Unicode.Scalar {
        let start = index - 1
        let byte = peek
        index += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var code = try parseHexDigits()
            if (0xD800..<0xDC00).contains(code), take("\\"), take("u") {
                let low = try parseHexDigits()
                guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a surrogate pair", at: start) }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half of a surrogate pair", at: start) }
            return scalar
        default: throw failure("unknown escape sequence", at: start)
        }
    }

    private mutating func parseHexDigits() throws -> UInt32 {
        let digits = bytes[index..<min(index + 4, bytes.count)]
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw failure("four hexadecimal digits are needed") }
        index += 4
        return code
    }

    private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func takeDigits() -> Int {
        let start = index
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        return index - start
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    private mutating func skipSpace(andTake character: Unicode.Scalar) -> Bool {
        skipSpace()
        return take(character)
    }

    private func failure(_ reason: String, at position: Int? = nil) -> RondoError {
        let before = bytes[..<(position ?? min(index, bytes.count))]
        let line = before.count { $0 == 0x0A } + 1
        let column = before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
        return RondoError(.corruptFile, "\(source):\(line):\(column): not valid JSON: \(reason)")
    }
}

/// Reads and writes `Codable` configurations as JSON with snake_case keys, and tolerates no mistakes in silence.
public enum StrictJSON {
    /// Decodes a value; every key of the document must be one that the type asks for.
    ///
    /// - Parameters:
    ///   - type: The type to decode.
    ///   - tree: The document.
    ///   - source: What to call it in errors: usually the path.
    /// - Returns: The value.
    /// - Throws: `RondoError` that names the source, the key path, what was found and what is expected.
    public static func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, from tree: JSONValue, source: String
    ) throws -> Value {
        try TreeDecoder(value: tree, path: [], source: source).decode(type)
    }

    /// Decodes a file.
    ///
    /// - Parameters:
    ///   - type: The type to decode.
    ///   - path: The file.
    /// - Returns: The value.
    /// - Throws: `RondoError` that names the file, the key path, what was found and what is expected.
    public static func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, contentsOf path: String
    ) throws -> Value {
        try decode(type, from: JSONValue(contentsOf: path), source: path)
    }

    /// Turns a value into a tree with its keys in the order of declaration.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - absentAsNull: Whether optional properties without a value appear as `null` rather than not at all.
    /// - Returns: The tree.
    /// - Throws: `RondoError` if a number is not finite.
    public static func tree(of value: some Encodable, absentAsNull: Bool = false) throws -> JSONValue {
        try TreeEncoder(path: [], absentAsNull: absentAsNull).encode(value)
    }

    /// Renders a value as indented JSON text with a final newline.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - sortedKeys: Whether keys are sorted by name rather than in the order of declaration.
    /// - Returns: The text.
    /// - Throws: `RondoError` if a number is not finite.
    public static func prettyText(of value: some Encodable, sortedKeys: Bool = false) throws -> String {
        try tree(of: value).text(.pretty, sortedKeys: sortedKeys) + "\n"
    }

    /// Writes a value to a file, indented, atomically.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - path: The file.
    ///   - sortedKeys: Whether keys are sorted by name rather than in the order of declaration.
    /// - Throws: `RondoError` that names the file.
    public static func write(_ value: some Encodable, to path: String, sortedKeys: Bool = false) throws {
        try AtomicFile.write(prettyText(of: value, sortedKeys: sortedKeys), to: path)
    }
}

/// The steps from the root of a document to a value in it.
typealias KeyPathSteps = [String]

extension KeyPathSteps {
    /// `layers[0].size`, as written in messages.
    var dotted: String {
        reduce(into: "") { text, step in text += text.isEmpty || step.hasPrefix("[") ? step : "." + step }
    }
}

/// A key made from a name or an index, where no declared key type exists.
struct PlainKey: CodingKey {
    var stringValue: String
    var intValue: Int?

    init(stringValue: String) { self.stringValue = stringValue }

    init(intValue: Int) {
        stringValue = "\(intValue)"
        self.intValue = intValue
    }
}

/// Dictionaries keep their keys as they are: those are data, not names of properties.
protocol StringKeyedDictionary {}
extension Dictionary: StringKeyedDictionary where Key == String {}

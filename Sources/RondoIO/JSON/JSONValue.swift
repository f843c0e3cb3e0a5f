import RondoTensor

/// A JSON document as a tree that keeps the order of keys and the exact text of numbers.
public enum JSONValue: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number, as written, so that 64-bit seeds and decimal fractions survive unchanged.
    case number(literal: String)
    /// A string.
    case string(String)
    /// A list.
    case array([JSONValue])
    /// An object.
    case object(JSONObject)

    /// Wraps an integer.
    ///
    /// - Parameter value: The integer.
    /// - Returns: A number.
    public static func integer(_ value: some BinaryInteger) -> JSONValue { .number(literal: "\(value)") }

    /// Wraps a floating-point number in its shortest exact form; `null` if it is not finite, which JSON cannot say.
    ///
    /// - Parameter value: The number.
    /// - Returns: A number or `null`.
    public static func real(_ value: some BinaryFloatingPoint & CustomStringConvertible) -> JSONValue {
        value.isFinite ? .number(literal: value.description) : .null
    }

    /// The integer, if this is a number without a fraction that fits.
    public var intValue: Int? {
        guard case .number(let literal) = self else { return nil }
        return Self.integer(Int.self, from: literal)
    }

    /// The number, if this is one.
    public var doubleValue: Double? {
        guard case .number(let literal) = self else { return nil }
        return Double(literal)
    }

    /// The string, if this is one.
    public var stringValue: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The truth value, if this is one.
    public var boolValue: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The elements, if this is a list.
    public var arrayValue: [JSONValue]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The object, if this is one.
    public var objectValue: JSONObject? {
        guard case .object(let object) = self else { return nil }
        return object
    }

    /// The member of an object, or `nil` if this is no object or has no such key.
    ///
    /// - Parameter key: The key.
    public subscript(key: String) -> JSONValue? { objectValue?[key] }

    /// Reads an integer, also from forms such as `1e3` and `2.0` when they are exact.
    static func integer<Integer: FixedWidthInteger>(_: Integer.Type, from literal: String) -> Integer? {
        if let value = Integer(literal) { return value }
        guard let value = Double(literal), abs(value) <= 0x1p53 else { return nil }
        return Integer(exactly: value)
    }

    /// What this is, in words for error messages: "a string ("abc")".
    var inWords: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let literal): "the number \(literal)"
        case .string(let text): "a string (\"\(text.count > 40 ? text.prefix(37) + "..." : text[...])\")"
        case .array(let elements): "a list of \(elements.count)"
        case .object: "an object"
        }
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
    /// Creates an object from a literal; of equal keys the last one counts.
    ///
    /// - Parameter elements: Keys and values in order.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}

/// The members of a JSON object in the order in which they were written.
public struct JSONObject: Sendable, Equatable {
    /// The keys in order.
    public private(set) var keys: [String] = []
    private var values: [ExactKey: JSONValue] = [:]

    /// A key that differs from all with other bytes: to `String`, "é" in one and in two characters is the same, to JSON
    /// it is not, and vocabularies hold both.
    private struct ExactKey: Hashable {
        let text: String

        static func == (first: ExactKey, second: ExactKey) -> Bool { first.text.utf8.elementsEqual(second.text.utf8) }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    /// Creates an empty object.
    public init() {}

    /// The number of members.
    public var count: Int { keys.count }

    /// Reads, replaces, adds (at the end) or, with `nil`, removes a member.
    ///
    /// - Parameter key: The key.
    public subscript(key: String) -> JSONValue? {
        get { values[ExactKey(text: key)] }
        set {
            guard let newValue else {
                if values.removeValue(forKey: ExactKey(text: key)) != nil {
                    keys.removeAll { ExactKey(text: $0) == ExactKey(text: key) }
                }
                return
            }
            if values.updateValue(newValue, forKey: ExactKey(text: key)) == nil { keys.append(key) }
        }
    }

    /// The keys and values in order.
    public var members: [(key: String, value: JSONValue)] {
        keys.compactMap { key in values[ExactKey(text: key)].map { (key, $0) } }
    }
}

extension JSONValue: Codable {
    /// Takes the document as it is; only ``StrictJSON`` can decode it.
    public init(from decoder: any Decoder) throws {
        guard let tree = decoder as? TreeDecoder else {
            throw RondoError(.unavailable, "a free JSON value can only be decoded by StrictJSON")
        }
        self = tree.value
    }

    /// Writes the document as it is; only ``StrictJSON`` can encode it.
    public func encode(to encoder: any Encoder) throws {
        guard let tree = encoder as? TreeEncoder else {
            throw RondoError(.unavailable, "a free JSON value can only be encoded by StrictJSON")
        }
        tree.set(self)
    }
}

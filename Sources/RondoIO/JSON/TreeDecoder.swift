import RondoTensor

/// Decodes `Decodable` types from a tree and remembers which keys were asked for, so that all others can be refused.
final class TreeDecoder: Decoder {
    let value: JSONValue
    let path: KeyPathSteps
    let source: String
    var keysAreVerbatim = false
    /// Names on disk that the type knows, in the order in which it asked; `nil` until it asks for a keyed container.
    private(set) var knownKeys: [String]?
    /// Decoders of nested containers, which the type reads without decoding a value of its own.
    private var nested: [TreeDecoder] = []

    var userInfo: [CodingUserInfoKey: Any] { [:] }
    var codingPath: [any CodingKey] { path.map { PlainKey(stringValue: $0) } }

    init(value: JSONValue, path: KeyPathSteps, source: String) {
        self.value = value
        self.path = path
        self.source = source
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        keysAreVerbatim = type is any StringKeyedDictionary.Type
        let result: Value
        do {
            result = try Value(from: self)
        } catch let error as DecodingError {
            throw rewrite(error, for: type)
        }
        try refuseUnknownKeys()
        return result
    }

    func child(_ step: String, _ value: JSONValue) -> TreeDecoder {
        TreeDecoder(value: value, path: path + [step], source: source)
    }

    func note(_ key: String) {
        if knownKeys?.contains(key) != true { knownKeys = (knownKeys ?? []) + [key] }
    }

    func failure(_ reason: String) -> RondoError {
        RondoError(.invalidArgument, "\(source): \(path.isEmpty ? "the document" : "'\(path.dotted)'") \(reason)")
    }

    func mismatch(_ expected: String) -> RondoError { failure("must be \(expected), found \(value.inWords)") }

    /// Keeps the decoder of a nested container, to check its keys at the end.
    func nest(_ decoder: TreeDecoder) -> TreeDecoder {
        nested.append(decoder)
        return decoder
    }

    private func refuseUnknownKeys() throws {
        for decoder in nested { try decoder.refuseUnknownKeys() }
        guard let knownKeys, let object = value.objectValue else { return }
        guard let unknown = object.keys.first(where: { !knownKeys.contains($0) }) else { return }
        let advice = Suggestion.advice(for: unknown, known: knownKeys, noun: "keys")
        throw RondoError(.invalidArgument, "\(source): unknown key '\((path + [unknown]).dotted)'\(advice)")
    }

    private func rewrite(_ error: DecodingError, for type: any Any.Type) -> RondoError {
        let allowed = Self.rawValues(of: type)
        if !allowed.isEmpty {
            let advice = Suggestion.advice(for: value.stringValue ?? "", known: allowed, noun: "values")
            return failure("has no meaning as \(value.inWords)\(advice)")
        }
        switch error {
        case .dataCorrupted(let context), .typeMismatch(_, let context), .valueNotFound(_, let context):
            return failure("is not valid (\(value.inWords)): \(context.debugDescription)")
        case .keyNotFound(let key, _): return failure("lacks '\(SnakeCase.encode(key.stringValue))'; add it")
        @unknown default: return RondoError(.invalidArgument, "\(source): \(path.dotted) is not valid", cause: error)
        }
    }

    /// The strings that an enumeration with string raw values is made from; empty for other types.
    private static func rawValues(of type: any Any.Type) -> [String] {
        func strings<Cases: CaseIterable>(_: Cases.Type) -> [String] {
            Cases.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
        }
        guard let type = type as? any CaseIterable.Type else { return [] }
        return strings(type)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw mismatch("an object") }
        knownKeys = knownKeys ?? []
        return KeyedDecodingContainer(TreeKeyedContainer<Key>(decoder: self, object: object))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw mismatch("a list") }
        return TreeListContainer(decoder: self, elements: elements)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { TreeValueContainer(decoder: self) }
}

// MARK: - Plain values

extension TreeDecoder {
    func decodeBool() throws -> Bool {
        guard let result = value.boolValue else { throw mismatch("true or false") }
        return result
    }

    func decodeString() throws -> String {
        guard let result = value.stringValue else { throw mismatch("a string") }
        return result
    }

    func decodeReal<Real: BinaryFloatingPoint & LosslessStringConvertible>() throws -> Real {
        guard case .number(let literal) = value, let result = Real(literal) else { throw mismatch("a number") }
        guard result.isFinite else { throw mismatch("a number of at most \(Real.greatestFiniteMagnitude)") }
        return result
    }

    func decodeInteger<Integer: FixedWidthInteger>() throws -> Integer {
        guard case .number(let literal) = value else { throw mismatch("an integer") }
        if let result = JSONValue.integer(Integer.self, from: literal) { return result }
        throw mismatch("an integer from \(Integer.min) to \(Integer.max)")
    }
}

/// The plain values are decoded in one place; the protocols ask for one method per type in each container.
private struct TreeValueContainer: SingleValueDecodingContainer {
    let decoder: TreeDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { decoder.value == .null }
    func decode(_: Bool.Type) throws -> Bool { try decoder.decodeBool() }
    func decode(_: String.Type) throws -> String { try decoder.decodeString() }
    func decode(_: Double.Type) throws -> Double { try decoder.decodeReal() }
    func decode(_: Float.Type) throws -> Float { try decoder.decodeReal() }
    func decode(_: Int.Type) throws -> Int { try decoder.decodeInteger() }
    func decode(_: Int8.Type) throws -> Int8 { try decoder.decodeInteger() }
    func decode(_: Int16.Type) throws -> Int16 { try decoder.decodeInteger() }
    func decode(_: Int32.Type) throws -> Int32 { try decoder.decodeInteger() }
    func decode(_: Int64.Type) throws -> Int64 { try decoder.decodeInteger() }
    func decode(_: UInt.Type) throws -> UInt { try decoder.decodeInteger() }
    func decode(_: UInt8.Type) throws -> UInt8 { try decoder.decodeInteger() }
    func decode(_: UInt16.Type) throws -> UInt16 { try decoder.decodeInteger() }
    func decode(_: UInt32.Type) throws -> UInt32 { try decoder.decodeInteger() }
    func decode(_: UInt64.Type) throws -> UInt64 { try decoder.decodeInteger() }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.decode(type) }
}

// MARK: - Objects and lists

private struct TreeKeyedContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: TreeDecoder
    let object: JSONObject
    var codingPath: [any CodingKey] { decoder.codingPath }

    var allKeys: [Key] {
        object.keys.compactMap { name in
            let key =
                Key(stringValue: decoder.keysAreVerbatim ? name : SnakeCase.decode(name)) ?? Key(stringValue: name)
            if key != nil { decoder.note(name) }
            return key
        }
    }

    private func name(_ key: Key) -> String {
        let name = decoder.keysAreVerbatim ? key.stringValue : SnakeCase.encode(key.stringValue)
        decoder.note(name)
        return name
    }

    func contains(_ key: Key) -> Bool { object[name(key)] != nil }

    func decodeNil(forKey key: Key) throws -> Bool { try member(key).value == .null }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try member(key).decode(type)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try decoder.nest(member(key)).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try decoder.nest(member(key)).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { decoder }
    func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }

    private func member(_ key: Key) throws -> TreeDecoder {
        let name = name(key)
        guard let value = object[name] else {
            let place = (decoder.path + [name]).dotted
            throw RondoError(.invalidArgument, "\(decoder.source): '\(place)' is missing; add it")
        }
        return decoder.child(name, value)
    }
}

private struct TreeListContainer: UnkeyedDecodingContainer {
    let decoder: TreeDecoder
    let elements: [JSONValue]
    var currentIndex = 0

    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex >= elements.count }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, elements[currentIndex] == .null else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try next().decode(type) }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try decoder.nest(next()).container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try decoder.nest(next()).unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder { try next() }

    private mutating func next() throws -> TreeDecoder {
        guard !isAtEnd else { throw decoder.failure("has \(elements.count) elements, more are needed") }
        defer { currentIndex += 1 }
        return decoder.child("[\(currentIndex)]", elements[currentIndex])
    }
}

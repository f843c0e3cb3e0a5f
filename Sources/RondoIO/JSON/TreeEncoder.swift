import RondoTensor

/// Encodes `Encodable` types into a tree, keys in the order in which the type writes them.
final class TreeEncoder: Encoder {
    let path: KeyPathSteps
    let absentAsNull: Bool
    var keysAreVerbatim = false
    private var leaf: JSONValue?
    private var members: [(name: String, encoder: TreeEncoder)] = []
    private var elements: [TreeEncoder]?

    var userInfo: [CodingUserInfoKey: Any] { [:] }
    var codingPath: [any CodingKey] { path.map { PlainKey(stringValue: $0) } }

    init(path: KeyPathSteps, absentAsNull: Bool) {
        self.path = path
        self.absentAsNull = absentAsNull
    }

    func encode(_ value: some Encodable) throws -> JSONValue {
        try store(value)
        return result
    }

    /// Lets a value write itself into this encoder.
    func store(_ value: some Encodable) throws {
        keysAreVerbatim = value is any StringKeyedDictionary
        do {
            try value.encode(to: self)
        } catch let error as EncodingError {
            throw RondoError(.invalidArgument, "cannot write '\(path.dotted)' as JSON", cause: error)
        }
    }

    /// What has been written so far; an object without members if nothing was.
    var result: JSONValue {
        if let leaf { return leaf }
        if let elements { return .array(elements.map(\.result)) }
        var object = JSONObject()
        // Dictionaries have no order of their own; a fixed one keeps files reproducible.
        let ordered = keysAreVerbatim ? members.sorted { $0.name < $1.name } : members
        for member in ordered { object[member.name] = member.encoder.result }
        return .object(object)
    }

    func set(_ value: JSONValue) { leaf = value }

    func setReal(_ value: some BinaryFloatingPoint & CustomStringConvertible) throws {
        guard value.isFinite else {
            throw RondoError(.notFinite, "cannot write '\(path.dotted)' as JSON: \(value) is not a finite number")
        }
        leaf = .real(value)
    }

    func member(_ key: some CodingKey) -> TreeEncoder {
        let name = keysAreVerbatim ? key.stringValue : SnakeCase.encode(key.stringValue)
        let encoder = TreeEncoder(path: path + [name], absentAsNull: absentAsNull)
        members.append((name, encoder))
        return encoder
    }

    func element() -> TreeEncoder {
        let encoder = TreeEncoder(path: path + ["[\(elementCount)]"], absentAsNull: absentAsNull)
        elements = (elements ?? []) + [encoder]
        return encoder
    }

    var elementCount: Int { elements?.count ?? 0 }

    func container<Key: CodingKey>(keyedBy: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(TreeKeyedWriter<Key>(encoder: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        elements = elements ?? []
        return TreeListWriter(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { TreeValueWriter(encoder: self) }
}

private struct TreeValueWriter: SingleValueEncodingContainer {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil() { encoder.set(.null) }
    func encode(_ value: Bool) { encoder.set(.bool(value)) }
    func encode(_ value: String) { encoder.set(.string(value)) }
    func encode(_ value: Double) throws { try encoder.setReal(value) }
    func encode(_ value: Float) throws { try encoder.setReal(value) }
    func encode(_ value: Int) { encoder.set(.integer(value)) }
    func encode(_ value: Int8) { encoder.set(.integer(value)) }
    func encode(_ value: Int16) { encoder.set(.integer(value)) }
    func encode(_ value: Int32) { encoder.set(.integer(value)) }
    func encode(_ value: Int64) { encoder.set(.integer(value)) }
    func encode(_ value: UInt) { encoder.set(.integer(value)) }
    func encode(_ value: UInt8) { encoder.set(.integer(value)) }
    func encode(_ value: UInt16) { encoder.set(.integer(value)) }
    func encode(_ value: UInt32) { encoder.set(.integer(value)) }
    func encode(_ value: UInt64) { encoder.set(.integer(value)) }
    func encode<Value: Encodable>(_ value: Value) throws { try encoder.store(value) }
}

private struct TreeKeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil(forKey key: Key) { encoder.member(key).set(.null) }
    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws { try encoder.member(key).store(value) }

    func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) throws {
        try encodeOptional(value, forKey: key)
    }

    // The protocol has a default per plain type that leaves absent values out; these replace them.
    func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encodeOptional(value, forKey: key) }

    private func encodeOptional<Value: Encodable>(_ value: Value?, forKey key: Key) throws {
        if let value {
            try encode(value, forKey: key)
        } else if encoder.absentAsNull {
            encodeNil(forKey: key)
        }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        encoder.member(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        encoder.member(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { encoder }
    func superEncoder(forKey key: Key) -> any Encoder { encoder.member(key) }
}

private struct TreeListWriter: UnkeyedEncodingContainer {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int { encoder.elementCount }

    func encodeNil() { encoder.element().set(.null) }
    func encode<Value: Encodable>(_ value: Value) throws { try encoder.element().store(value) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        encoder.element().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder.element().unkeyedContainer() }
    func superEncoder() -> any Encoder { encoder.element() }
}

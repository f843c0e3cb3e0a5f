import RondoTensor

/// One change of a configuration from the command line: `optimizer.learning_rate=1e-3`.
public struct Override: Sendable, Equatable {
    /// The keys from the root to the value; numbers choose elements of lists.
    public var path: [String]
    /// The new value as typed.
    public var text: String

    /// Parses `key.key=value`.
    ///
    /// - Parameter argument: The argument as typed.
    /// - Throws: `RondoError` if there is no key or no `=`.
    public init(_ argument: String) throws {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let keys = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !keys.contains("") else {
            throw RondoError(.invalidArgument, "'\(argument)' is no override; write key=value, for example seed=7")
        }
        path = keys
        text = String(parts[1])
    }

    /// Whether an argument has the form of an override, so that commands can tell it from a file name.
    ///
    /// - Parameter argument: The argument as typed.
    /// - Returns: Whether it is `key=value` with a key made of letters, digits, `_` and dots.
    public static func isOverride(_ argument: String) -> Bool {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return false }
        return argument[..<equals].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }
    }
}

extension JSONValue {
    /// Applies overrides in order; every path must exist already, or lead into something absent (`null`).
    ///
    /// - Parameter overrides: The changes.
    /// - Throws: `RondoError` that names the wrong part of the path and suggests the closest key.
    public mutating func apply(_ overrides: [Override]) throws {
        for override in overrides { try set(override.path[...], override) }
    }

    /// Lays another document over this one: objects are merged key by key, everything else is replaced.
    ///
    /// - Parameters:
    ///   - changes: The document with the changes, for example a user's partial configuration file.
    ///   - source: What to call the changes in errors: usually the path.
    /// - Throws: `RondoError` if the changes have a key that this document lacks.
    public mutating func merge(_ changes: JSONValue, source: String) throws {
        try merge(changes, path: [], source: source)
    }

    private mutating func merge(_ changes: JSONValue, path: KeyPathSteps, source: String) throws {
        guard case .object(var object) = self, case .object(let changed) = changes else {
            self = changes
            return
        }
        for (key, change) in changed.members {
            guard var member = object[key] else {
                let advice = Suggestion.advice(for: key, known: object.keys, noun: "keys")
                throw RondoError(.invalidArgument, "\(source): unknown key '\((path + [key]).dotted)'\(advice)")
            }
            try member.merge(change, path: path + [key], source: source)
            object[key] = member
        }
        self = .object(object)
    }

    private mutating func set(_ rest: ArraySlice<String>, _ override: Override) throws {
        guard let key = rest.first else {
            self = replacement(for: override.text)
            return
        }
        switch self {
        case .object(var object):
            guard var member = object[key] else { throw Self.unknown(rest, override, known: object.keys) }
            try member.set(rest.dropFirst(), override)
            object[key] = member
            self = .object(object)
        case .array(var elements):
            guard let index = Int(key), elements.indices.contains(index) else {
                throw Self.unknown(rest, override, known: elements.indices.map(String.init))
            }
            try elements[index].set(rest.dropFirst(), override)
            self = .array(elements)
        case .null:
            // Grows into an object; whoever decodes the whole knows which keys it may have.
            var member = JSONValue.null
            try member.set(rest.dropFirst(), override)
            var object = JSONObject()
            object[key] = member
            self = .object(object)
        default: throw Self.unknown(rest, override, known: [])
        }
    }

    /// The new value: JSON if it parses as JSON, otherwise a string; a string stays one whatever it looks like.
    private func replacement(for text: String) -> JSONValue {
        let parsed = try? JSONValue(parsing: text, source: "override")
        if case .string = self, parsed != .null, parsed?.stringValue == nil { return .string(text) }
        return parsed ?? .string(text)
    }

    private static func unknown(_ rest: ArraySlice<String>, _ override: Override, known: [String]) -> RondoError {
        let wrong = override.path[...rest.startIndex].joined(separator: ".")
        let advice = Suggestion.advice(for: rest.first ?? "", known: known, noun: "keys")
        let argument = "\(override.path.joined(separator: "."))=\(override.text)"
        return RondoError(.invalidArgument, "override '\(argument)': unknown key '\(wrong)'\(advice)")
    }
}

extension StrictJSON {
    /// Changes a configuration by a partial document and by overrides, in this order.
    ///
    /// - Parameters:
    ///   - value: The configuration to start from, usually the defaults.
    ///   - document: A document with some of the keys, if there is one.
    ///   - source: What to call the document in errors: usually the path.
    ///   - overrides: Changes from the command line.
    /// - Returns: The changed configuration.
    /// - Throws: `RondoError` that names the source, the key path and the closest known key.
    public static func changing<Value: Codable>(
        _ value: Value, by document: JSONValue? = nil, source: String = "configuration", overrides: [Override]
    ) throws -> Value {
        var tree = try tree(of: value, absentAsNull: true)
        if let document { try tree.merge(document, source: source) }
        try tree.apply(overrides)
        return try decode(Value.self, from: tree, source: source)
    }
}

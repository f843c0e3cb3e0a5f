public import RondoIO
import RondoTensor

/// Reads the keys of a foreign `config.json`, and knows which ones nobody has asked for.
///
/// Problems are collected, so that all of them can be told at once.
public struct ConfigurationReader: Sendable {
    /// What to call the file in errors.
    public let source: String
    private let object: JSONObject
    private var known = Set(Self.withoutEffect)
    private var problems: [String] = []

    /// Keys that every configuration may have and that change nothing that Rondo computes.
    private static let withoutEffect = [
        "architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "use_cache", "_name_or_path",
        "initializer_range", "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id",
        "output_attentions", "output_hidden_states", "return_dict", "id2label", "label2id", "problem_type",
        "is_encoder_decoder", "chunk_size_feed_forward", "task_specific_params", "use_return_dict", "auto_map",
        "layer_types", "tokenizer_class", "prefix", "finetuning_task", "num_labels", "max_position_embeddings",
        "attention_dropout", "hidden_dropout", "_attn_implementation_autoset",
    ]

    /// Reads an object.
    public init(_ object: JSONObject, source: String) {
        self.object = object
        self.source = source
    }

    /// The value of a key as it stands; `null` counts as absent.
    public mutating func value(_ key: String) -> JSONValue? {
        known.insert(key)
        guard let value = object[key], value != .null else { return nil }
        return value
    }

    /// An integer of at most 2³¹ in size, or the default of the family.
    ///
    /// So that products of two never overflow.
    public mutating func int(_ key: String, default fallback: Int) -> Int {
        read(key, Self.integer, "an integer of moderate size") ?? fallback
    }

    /// The number of layers that the configuration lists one by one: refused, and 1, where a list of it would be absurd.
    public mutating func layerCount(_ key: String, default fallback: Int) -> Int {
        let count = int(key, default: fallback)
        guard (1...10_000).contains(count) else {
            refuse(key, "must be from 1 to 10000")
            return 1
        }
        return count
    }

    /// A number (also an infinite one in either spelling), or the default of the family.
    public mutating func double(_ key: String, default fallback: Double) -> Double {
        read(key, Self.number, "a number") ?? fallback
    }

    /// A truth value, or the default of the family.
    public mutating func bool(_ key: String, default fallback: Bool) -> Bool {
        read(key, \.boolValue, "true or false") ?? fallback
    }

    /// A string, or the default of the family.
    public mutating func string(_ key: String, default fallback: String) -> String {
        read(key, \.stringValue, "a string") ?? fallback
    }

    /// A list of numbers, or the default of the family.
    public mutating func doubles(_ key: String, default fallback: [Double]) -> [Double] {
        read(key, { $0.arrayValue?.allNonNil(Self.number) }, "a list of numbers") ?? fallback
    }

    /// One integer or a list of them.
    public mutating func ints(_ key: String) -> [Int] {
        read(
            key, { Self.integer($0).map { [$0] } ?? $0.arrayValue?.allNonNil(Self.integer) },
            "an integer or a list of them") ?? []
    }

    /// A list of strings, or the default of the family.
    public mutating func strings(_ key: String, default fallback: [String]) -> [String] {
        read(key, { $0.arrayValue?.allNonNil(\.stringValue) }, "a list of strings") ?? fallback
    }

    /// Accepts only some values of a key; absent is accepted.
    public mutating func require(_ key: String, oneOf allowed: [JSONValue]) {
        guard let value = value(key), !allowed.contains(value) else { return }
        refuse(key, "must be \(allowed.map { $0.text() }.joined(separator: " or "))")
    }

    /// Marks keys that do not change what Rondo computes: initialisation, choices of a kernel, training.
    public mutating func ignore(_ keys: String...) { known.formUnion(keys) }

    /// Notes that a value cannot be honoured.
    public mutating func refuse(_ key: String, _ reason: String) {
        problems.append("\(key): \(reason), found \(object[key]?.text() ?? "nothing")")
    }

    /// The members that nobody has asked for.
    var unread: [(key: String, value: JSONValue)] {
        object.members.filter { !known.contains($0.key) && $0.value != .null }
    }

    /// Ends reading.
    ///
    /// - Parameter allowsUnread: Whether keys that nobody asked for are accepted.
    /// - Throws: `RondoError` that lists every refused value and every key that nobody asked for.
    public func finish(allowsUnread: Bool = false) throws {
        let unknown = (allowsUnread ? [] : unread).map {
            "\($0.key): unknown, and might change the computation, found \($0.value.text())"
        }
        let all = problems + unknown
        guard all.isEmpty else {
            throw RondoError(.invalidArgument, "\(source) is not supported: \(all.joined(separator: "; "))")
        }
    }

    private mutating func read<Value>(_ key: String, _ convert: (JSONValue) -> Value?, _ kind: String) -> Value? {
        guard let value = value(key) else { return nil }
        guard let converted = convert(value) else {
            refuse(key, "must be \(kind)")
            return nil
        }
        return converted
    }

    private static func integer(_ value: JSONValue) -> Int? {
        value.intValue.flatMap { (-(1 << 31)...1 << 31).contains($0) ? $0 : nil }
    }

    /// A number; transformers writes infinity as `{"__float__": "Infinity"}`.
    private static func number(_ value: JSONValue) -> Double? {
        if let number = value.doubleValue { return number }
        switch value["__float__"]?.stringValue {
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default: return nil
        }
    }
}

extension Array {
    /// The converted elements, or `nil` if one cannot be converted.
    fileprivate func allNonNil<Value>(_ convert: (Element) -> Value?) -> [Value]? {
        let converted = compactMap(convert)
        return converted.count == count ? converted : nil
    }
}

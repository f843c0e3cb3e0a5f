public import RondoIO
import RondoTensor

/// The chat template of a model: turns a conversation into the text that the model was trained on.
///
/// Templates are written in Jinja, and mean what they mean to the library `transformers`: blocks are trimmed, values
/// cannot be changed except for namespaces, `tojson` does not escape for HTML. What is not supported is refused with
/// its line, most of it while the template is parsed.
///
/// Two rare things differ. Strings that went through the filter `safe` stay ordinary ones. A loop that reads a variable
/// which its surroundings set only later sees the caller's value instead of nothing.
public struct ChatTemplate: Sendable {
    /// How much a template may do before it is stopped, so that templates from strangers cannot hang or fill memory.
    public struct Limits: Sendable {
        /// Units of work; one is about a visited node or a character, an element of a list counts for sixteen.
        public var work: Int
        /// The length of the text in Unicode scalars.
        public var output: Int

        /// Creates limits; the defaults suffice for conversations of several megabytes.
        public init(work: Int = 100_000_000, output: Int = 1 << 24) {
            self.work = work
            self.output = output
        }
    }

    /// What the template is called in errors.
    public let name: String
    /// How much it may do.
    public var limits = Limits()
    private let body: [Statement]

    /// Parses a template.
    ///
    /// - Parameters:
    ///   - source: The template.
    ///   - name: What to call it in errors, usually the path.
    /// - Throws: `RondoError` with the line of what is wrong (`invalidArgument`) or not supported (`unavailable`).
    public init(source: String, name: String = "chat template") throws {
        self.name = name
        var parser = try Parser(source, name: name)
        body = try parser.parse()
    }

    /// Renders a conversation.
    ///
    /// - Parameters:
    ///   - messages: The conversation.
    ///   - tools: Descriptions of functions that the model may call, as a list, or `nil`.
    ///   - documents: Texts to answer from, as a list of objects, or `nil`.
    ///   - addGenerationPrompt: Whether the text ends with the beginning of the assistant's answer.
    ///   - variables: What else the template reads, for example `bos_token`.
    ///   - now: The time for templates that write the date.
    /// - Returns: The text.
    /// - Throws: `RondoError`: what the template itself complains about, in its own words, or the line of what failed.
    public func render(
        messages: [ChatMessage], tools: JSONValue? = nil, documents: JSONValue? = nil,
        addGenerationPrompt: Bool = false, variables: [String: JSONValue] = [:], now: WallClock = .now()
    ) throws -> String {
        try render(
            messages: .array(messages.map(\.json)), tools: tools, documents: documents,
            addGenerationPrompt: addGenerationPrompt, variables: variables, now: now)
    }

    /// Renders a conversation that is given as JSON.
    ///
    /// - Parameters:
    ///   - messages: The conversation, a list of objects; their members that are `null` count as missing.
    ///   - tools: Descriptions of functions that the model may call, as a list, or `nil`.
    ///   - documents: Texts to answer from, as a list of objects, or `nil`.
    ///   - addGenerationPrompt: Whether the text ends with the beginning of the assistant's answer.
    ///   - variables: What else the template reads, for example `bos_token`.
    ///   - now: The time for templates that write the date.
    /// - Returns: The text.
    /// - Throws: `RondoError`: what the template itself complains about, in its own words, or the line of what failed.
    public func render(
        messages: JSONValue, tools: JSONValue? = nil, documents: JSONValue? = nil,
        addGenerationPrompt: Bool = false, variables: [String: JSONValue] = [:], now: WallClock = .now()
    ) throws -> String {
        var all = variables
        all["messages"] = try Self.prepared(messages)
        all["tools"] = try Self.checked(tools, "tools")
        all["documents"] = try Self.checked(documents, "documents")
        all["add_generation_prompt"] = .bool(addGenerationPrompt)
        return try render(variables: all, now: now)
    }

    /// Renders with nothing but the given variables.
    func render(variables: [String: JSONValue], now: WallClock) throws -> String {
        let values = try variables.mapValues { try Value(json: $0) }
        return try Renderer(name: name, limits: limits, now: now).render(body, variables: values).string
    }

    /// The conversation as templates expect it: without members that are `null`, and with a model's reasoning under
    /// each of the names that templates use.
    private static func prepared(_ messages: JSONValue) throws -> JSONValue {
        guard let list = messages.arrayValue, !list.isEmpty else {
            throw RondoError(.invalidArgument, "a conversation is a list of at least one message")
        }
        return .array(
            try list.map { message in
                guard let object = message.objectValue else {
                    throw RondoError(.invalidArgument, "a message is an object with 'role' and 'content'")
                }
                return .object(prepared(object))
            })
    }

    private static func prepared(_ message: JSONObject) -> JSONObject {
        let members = message.members.filter { $0.value != .null }
        let names = ["reasoning_content", "thinking", "reasoning"]
        let reasoning = names.lazy.compactMap { name in members.first { $0.key == name }?.value }.first
        var result = JSONObject()
        if let reasoning { result["thinking"] = reasoning }
        for (key, value) in members { result[key] = value }
        if let reasoning { result["reasoning_content"] = reasoning }
        return result
    }

    private static func checked(_ value: JSONValue?, _ name: String) throws -> JSONValue {
        guard let value, value != .null else { return .null }
        guard let elements = value.arrayValue, elements.allSatisfy({ $0.objectValue != nil }) else {
            throw RondoError(.invalidArgument, "'\(name)' must be a list of objects")
        }
        return value
    }
}

extension Value {
    /// Converts JSON.
    init(json: JSONValue) throws {
        switch json {
        case .null: self = .null
        case .bool(let truth): self = .bool(truth)
        case .string(let string): self = .text(string)
        case .array(let elements): self = .list(Items(try elements.map { try Value(json: $0) }))
        case .object(let object): self = .mapping(try Mapping(object) { try Value(json: $0) })
        case .number(let literal):
            if literal.allSatisfy({ $0.isNumber || $0 == "-" }) {
                guard let number = Int(literal) else {
                    throw RondoError(.unavailable, "not supported: the integer \(literal), which has more than 64 bits")
                }
                self = .integer(number)
            } else {
                guard let number = Double(literal) else {
                    throw RondoError(.invalidArgument, "\(literal) is no number")
                }
                self = .real(number)
            }
        }
        guard depth <= Renderer.maximumValueDepth else {
            throw RondoError(.outOfRange, "values are nested more than \(Renderer.maximumValueDepth) deep")
        }
    }
}

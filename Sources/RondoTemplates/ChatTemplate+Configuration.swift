public import RondoIO
import RondoTensor

extension ChatTemplate {
    /// Finds a template in a `tokenizer_config.json`.
    ///
    /// The field `chat_template` is a template, or a list of templates with names. Without a name, the one called
    /// "tool_use" serves conversations with tools, and the one called "default" all others.
    ///
    /// - Parameters:
    ///   - configuration: The file's content.
    ///   - source: What to call the file in errors, usually its path.
    ///   - template: The name of the template, or `nil`.
    ///   - hasTools: Whether the conversation has tools.
    /// - Throws: `RondoError` if there is no such template, or it cannot be parsed.
    public init(
        tokenizerConfiguration configuration: JSONValue, source: String, template: String? = nil,
        hasTools: Bool = false
    ) throws {
        guard let field = configuration["chat_template"], field != .null else {
            throw RondoError(.notFound, "\(source) has no 'chat_template'; the model may be no chat model")
        }
        if let text = field.stringValue {
            try self.init(source: text, name: source)
            return
        }
        let named = (field.arrayValue ?? []).compactMap { entry in
            entry["name"]?.stringValue.flatMap { name in entry["template"]?.stringValue.map { (name, $0) } }
        }
        let wanted = template.map { [$0] } ?? (hasTools ? ["tool_use", "default"] : ["default"])
        let found = wanted.lazy.compactMap { name in named.first { $0.0 == name } }.first
        guard let (name, text) = found else {
            let names = named.map { "'\($0.0)'" }.joined(separator: ", ")
            throw RondoError(
                .notFound, "\(source) has no chat template '\(wanted[wanted.count - 1])'; it has \(names)")
        }
        try self.init(source: text, name: "\(source), template '\(name)'")
    }

    /// The variables for special tokens, such as `bos_token`, that templates read.
    ///
    /// - Parameter configuration: The content of a `tokenizer_config.json` or `special_tokens_map.json`.
    /// - Returns: The tokens as strings by their names.
    public static func specialTokens(in configuration: JSONValue) -> [String: JSONValue] {
        let names = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map { $0 + "_token" }
        return Dictionary(
            names.compactMap { name in
                let field = configuration[name]
                return (field?.stringValue ?? field?["content"]?.stringValue).map { (name, .string($0)) }
            }, uniquingKeysWith: { first, _ in first })
    }
}

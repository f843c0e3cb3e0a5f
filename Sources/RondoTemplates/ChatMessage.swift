public import RondoIO

/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
    /// Who speaks: "system", "user", "assistant", "tool".
    public var role: String
    /// The text, or a list of content parts; `nil` if the message has only other fields.
    public var content: JSONValue?
    /// Further fields that templates read, for example "tool_calls" or "reasoning_content".
    public var fields: JSONObject

    /// Creates a message.
    ///
    /// - Parameters:
    ///   - role: Who speaks.
    ///   - content: The text.
    ///   - fields: Further fields that the template reads.
    public init(role: String, content: String, fields: JSONObject = JSONObject()) {
        self.init(role: role, content: .string(content), fields: fields)
    }

    /// Creates a message whose content is not plain text, or missing.
    ///
    /// - Parameters:
    ///   - role: Who speaks.
    ///   - content: The content as the template expects it.
    ///   - fields: Further fields that the template reads.
    public init(role: String, content: JSONValue?, fields: JSONObject = JSONObject()) {
        self.role = role
        self.content = content
        self.fields = fields
    }

    /// The message as templates see it.
    public var json: JSONValue {
        var object = JSONObject()
        object["role"] = .string(role)
        object["content"] = content
        for (key, value) in fields.members { object[key] = value }
        return .object(object)
    }
}

import ArgumentParser
import RondoIO
import RondoTemplates
import RondoTensor
import RondoTokenizers

/// A prompt as a conversation, written out as the model's chat template does.
struct ChatArguments: ParsableArguments {
    @Flag(help: "Take the prompt as a message to the model, and write it as its chat template does.")
    var chat = false

    @Option(help: ArgumentHelp("What the model is told before the conversation; means --chat.", valueName: "text"))
    var system: String?

    @Option(
        help: ArgumentHelp(
            "A JSON file with a conversation, [{\"role\": ..., \"content\": ...}, ...]; the prompt, if there is one, "
                + "is the next message of the user. Means --chat.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var messages: String?

    /// Whether the prompt is a conversation.
    var isUsed: Bool { chat || system != nil || messages != nil }

    /// The text that the model reads.
    ///
    /// - Parameters:
    ///   - message: The user's message; may be empty if there are others.
    ///   - folder: The model's folder.
    /// - Returns: The conversation, up to the beginning of the answer.
    /// - Throws: `RondoError` if the model has no chat template, or what the template says.
    func text(message: String, folder: String) throws -> String {
        guard let source = try TokenizerConfiguration(folder: folder).chatTemplate else {
            throw RondoError(
                .notFound,
                "'\(folder)' has no chat template; give the text itself with --prompt, without --chat")
        }
        let template = try ChatTemplate(source: source, name: "chat template of '\(folder)'")
        var conversation: [JSONValue] = system.map { [ChatMessage(role: "system", content: $0).json] } ?? []
        if let messages {
            guard let list = try JSONValue(contentsOf: messages).arrayValue else {
                throw RondoError(.invalidArgument, "'\(messages)': must be a list of messages")
            }
            conversation += list
        }
        if !message.isEmpty { conversation.append(ChatMessage(role: "user", content: message).json) }
        return try template.render(
            messages: .array(conversation), addGenerationPrompt: true, variables: Self.specialTokens(folder))
    }

    private static func specialTokens(_ folder: String) throws -> [String: JSONValue] {
        var variables: [String: JSONValue] = [:]
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            let path = FileSystem.join(folder, name)
            guard FileSystem.kind(of: path) == .file else { continue }
            variables.merge(ChatTemplate.specialTokens(in: try JSONValue(contentsOf: path))) { $1 }
        }
        return variables
    }
}

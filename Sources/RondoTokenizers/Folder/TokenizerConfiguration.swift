import RondoIO
import RondoTensor

/// What `tokenizer_config.json` and `special_tokens_map.json` say about the use of a tokenizer.
///
/// These files hold the settings of many programs; only what is listed here is read.
public struct TokenizerConfiguration: Sendable, Hashable {
    /// The token that begins a text.
    public var beginToken: String?
    /// The token that ends a text.
    public var endToken: String?
    /// The token of what is unknown.
    public var unknownToken: String?
    /// The token that fills rows up.
    public var paddingToken: String?
    /// Whether a beginning is to be added, where the file says so.
    public var addsBeginToken: Bool?
    /// Whether an end is to be added, where the file says so.
    public var addsEndToken: Bool?
    /// The longest text that the model was made for, in tokens.
    public var maximumLength: Int?
    /// The Jinja template of conversations, as it is written.
    public var chatTemplate: String?

    /// Creates a configuration in which nothing is known.
    public init() {}

    /// Reads the files of a folder; those that do not exist say nothing.
    ///
    /// - Parameter folder: The folder.
    /// - Throws: `RondoError` that names the file and the key.
    public init(folder: String) throws {
        let map = FileSystem.join(folder, "special_tokens_map.json")
        if FileSystem.kind(of: map) != nil { try read(JSONValue(contentsOf: map), source: map) }
        let configuration = FileSystem.join(folder, "tokenizer_config.json")
        if FileSystem.kind(of: configuration) != nil {
            try read(JSONValue(contentsOf: configuration), source: configuration)
        }
        let template = FileSystem.join(folder, "chat_template.jinja")
        if FileSystem.kind(of: template) != nil { chatTemplate = try FileSystem.readText(template) }
    }

    private mutating func read(_ document: JSONValue, source: String) throws {
        let root = FileNode(value: document, source: source, path: "")
        guard document.objectValue != nil else { throw root.failure("must be an object") }
        beginToken = try root.optional("bos_token")?.tokenText() ?? beginToken
        endToken = try root.optional("eos_token")?.tokenText() ?? endToken
        unknownToken = try root.optional("unk_token")?.tokenText() ?? unknownToken
        paddingToken = try root.optional("pad_token")?.tokenText() ?? paddingToken
        addsBeginToken = try root.optional("add_bos_token")?.bool() ?? addsBeginToken
        addsEndToken = try root.optional("add_eos_token")?.bool() ?? addsEndToken
        // "No limit" is written as a number that no integer holds.
        maximumLength = root.optional("model_max_length")?.value.intValue ?? maximumLength
        chatTemplate = try root.optional("chat_template")?.defaultTemplate() ?? chatTemplate
    }
}

extension FileNode {
    /// A token, as text or as an added token with its flags.
    fileprivate func tokenText() throws -> String {
        if let text = value.stringValue { return text }
        guard value.objectValue != nil else { throw failure("must be a token") }
        return try required("content").string()
    }

    /// A template, or the one called "default" of several.
    fileprivate func defaultTemplate() throws -> String? {
        if let text = value.stringValue { return text }
        for template in try elements() where try template.required("name").string() == "default" {
            return try template.required("template").string()
        }
        return nil
    }
}

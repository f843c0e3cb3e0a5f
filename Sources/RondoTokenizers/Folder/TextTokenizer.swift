import RondoIO
import RondoTensor

/// The tokenizer of a model folder: `tokenizer.json` and what the files beside it say about its use.
public struct TextTokenizer: Tokenizer {
    /// The name of the file with the tokenizer.
    public static let fileName = "tokenizer.json"

    /// The tokenizer.
    public let tokenizer: PipelineTokenizer
    /// What the other files say.
    public let configuration: TokenizerConfiguration
    /// The number of the token that begins a text.
    public let beginToken: Int32?
    /// The number of the token that ends a text.
    public let endToken: Int32?
    /// The number of the token of what is unknown.
    public let unknownToken: Int32?
    /// The number of the token that fills rows up.
    public let paddingToken: Int32?

    /// Whether a folder has a tokenizer.
    public static func isPresent(in folder: String) -> Bool {
        FileSystem.kind(of: FileSystem.join(folder, fileName)) == .file
    }

    /// Reads a folder.
    ///
    /// - Parameter folder: A folder with a `tokenizer.json`.
    /// - Throws: `RondoError` that names the file and the key, also if a token that is named does not exist.
    public init(folder: String) throws {
        let tokenizer = try PipelineTokenizer(contentsOf: FileSystem.join(folder, Self.fileName))
        let configuration = try TokenizerConfiguration(folder: folder)
        func id(_ token: String?, _ key: String) throws -> Int32? {
            guard let token else { return nil }
            guard let id = tokenizer.id(of: token) else {
                throw RondoError(.corruptFile, "\(folder): '\(key)' is '\(token)', which the tokenizer does not have")
            }
            return id
        }
        beginToken = try id(configuration.beginToken, "bos_token")
        endToken = try id(configuration.endToken, "eos_token")
        unknownToken = try id(configuration.unknownToken, "unk_token")
        paddingToken = try id(configuration.paddingToken, "pad_token")
        self.tokenizer = tokenizer
        self.configuration = configuration
    }

    /// One more than the largest token.
    public var vocabularySize: Int { tokenizer.vocabularySize }

    /// Returns the tokens of some bytes, without those that mark beginnings and ends.
    ///
    /// - Parameter bytes: The text.
    /// - Returns: The tokens.
    public func encode(_ bytes: some Sequence<UInt8>) -> [Int32] { tokenizer.encode(bytes) }

    /// Returns the bytes that tokens stand for.
    ///
    /// - Parameter tokens: The tokens.
    /// - Returns: The bytes.
    /// - Throws: `RondoError` with code `outOfRange` for a token outside the vocabulary.
    public func decode(_ tokens: some Sequence<Int32>) throws -> [UInt8] { try tokenizer.decode(tokens) }
}

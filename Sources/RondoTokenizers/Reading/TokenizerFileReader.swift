import RondoIO
import RondoTensor

/// Reads the parts of a `tokenizer.json`.
struct TokenizerFileReader {
    /// Everything that a tokenizer is made of.
    struct Parts {
        var normalizer: Normalizer?
        var preTokenizer: PreTokenizer
        var model: TokenModel
        var postProcessor: PostProcessor
        var decoder: TokenDecoder
        var tokens: [(bytes: [UInt8], id: Int32)]
        var addedTokens: [AddedToken]
    }

    /// Reads a document.
    ///
    /// - Throws: `RondoError` that names the file and the key: `corruptFile` for what makes no sense, `unavailable` for
    ///   what is not supported.
    static func read(_ document: JSONValue, source: String) throws -> Parts {
        let root = FileNode(value: document, source: source, path: "")
        try root.allowKeys([
            "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
            "decoder", "model",
        ])
        if let version = root.optional("version"), version.value.stringValue != "1.0" {
            throw version.unsupported("a version other than \"1.0\"")
        }
        // How long a sequence may be and how it is padded is the caller's business: "truncation" and "padding" are skipped.
        let normalizer = try root.optional("normalizer")?.normalizer()
        var preTokenizer = try root.optional("pre_tokenizer")?.preTokenizer() ?? PreTokenizer(stages: [])
        let isByteLevel = endsWithBytes(preTokenizer, normalizer)
        let model = try root.required("model").model(isByteLevel: isByteLevel)
        preTokenizer.keepsBytes = isByteLevel && model.worksOnBytes
        let added = try root.optional("added_tokens")?.elements().map { try addedToken($0) } ?? []
        try check(added, model.vocabulary, root)
        return Parts(
            normalizer: normalizer, preTokenizer: preTokenizer, model: model.model,
            postProcessor: try root.optional("post_processor")?.postProcessor() ?? PostProcessor(),
            decoder: try root.optional("decoder")?.decoder() ?? TokenDecoder(stages: [.spaces]),
            tokens: model.vocabulary.tokens, addedTokens: added)
    }

    /// Whether the text reaches the model in the alphabet of bytes, made by the last stage.
    private static func endsWithBytes(_ preTokenizer: PreTokenizer, _ normalizer: Normalizer?) -> Bool {
        let mapsBefore = normalizer?.stages.contains { if case .byteLevel = $0 { true } else { false } } ?? false
        let isByteLevel = preTokenizer.stages.map { if case .byteLevel = $0 { true } else { false } }
        return !mapsBefore && isByteLevel.last == true && isByteLevel.count(where: \.self) == 1
    }

    private static func addedToken(_ node: FileNode) throws -> AddedToken {
        try node.allowKeys(["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])
        let content = try node.required("content")
        guard content.value.stringValue?.isEmpty == false else { throw content.failure("must be a text") }
        return AddedToken(
            id: try node.required("id").tokenID(), content: try content.bytes(),
            isSingleWord: try node.required("single_word").bool(), stripsLeft: try node.required("lstrip").bool(),
            stripsRight: try node.required("rstrip").bool(), isNormalized: try node.required("normalized").bool(),
            isSpecial: try node.required("special").bool())
    }

    private static func check(_ added: [AddedToken], _ vocabulary: VocabularyReader, _ root: FileNode) throws {
        var ids: Set<Int32> = []
        var contents: Set<[UInt8]> = []
        for (index, token) in added.enumerated() {
            func failure(_ reason: String) -> RondoError { root.failure("added_tokens[\(index)]: \(reason)") }
            guard ids.insert(token.id).inserted, contents.insert(token.content).inserted else {
                throw failure("its text or its number is there twice")
            }
            let known = vocabulary.id(of: token.content)
            guard known == nil || known == token.id else {
                throw failure("the vocabulary gives this text the number \(known ?? 0)")
            }
            guard known != nil || !vocabulary.isTaken(token.id) else {
                throw failure("another token of the vocabulary has the number \(token.id)")
            }
        }
    }
}

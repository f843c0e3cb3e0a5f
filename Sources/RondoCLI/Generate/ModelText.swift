import RondoCheckpoints
import RondoIO
import RondoTensor
import RondoTokenizers

/// How a model's tokens are text: the tokenizer in its folder, or the bytes themselves.
struct ModelText {
    /// The tokenizer, if the folder has one.
    let tokenizer: TextTokenizer?
    /// How the model's makers want it to be decoded.
    let defaults: GenerationDefaults

    /// Looks for a tokenizer in a model's folder.
    ///
    /// - Throws: `RondoError` for a damaged tokenizer, and for a model of more tokens than bytes without one.
    init(folder: String, vocabSize: Int) throws {
        tokenizer = TextTokenizer.isPresent(in: folder) ? try TextTokenizer(folder: folder) : nil
        defaults = try GenerationDefaults(folder: folder)
        if let size = tokenizer?.vocabularySize, size > vocabSize {
            throw RondoError(
                .corruptFile,
                "'\(folder)': \(TextTokenizer.fileName) has \(size) tokens, the model only \(vocabSize)")
        }
        guard tokenizer != nil || vocabSize == ByteVocabulary.size else {
            throw RondoError(
                .notFound,
                "'\(folder)' has no \(TextTokenizer.fileName), and a model of \(vocabSize) tokens is none of bytes; "
                    + "put the tokenizer there, or use `rondo logits`, which takes token numbers")
        }
    }

    /// What a token is called in figures.
    var unit: String { tokenizer == nil ? "bytes" : "tokens" }

    /// How many tokens text has; a model may have more, which must not be made.
    var vocabularySize: Int { tokenizer?.vocabularySize ?? ByteVocabulary.size }

    /// What makes tokens of a text.
    var encoder: any Tokenizer { tokenizer?.tokenizer ?? ByteVocabulary() }

    /// The tokens after which a text is over.
    var endTokens: Set<Int32> {
        guard let tokenizer else { return [] }
        let own = defaults.endTokens.compactMap(Int32.init(exactly:))
        return Set(own.isEmpty ? tokenizer.endToken.map { [$0] } ?? [] : own)
    }

    /// The tokens of a prompt.
    ///
    /// - Parameters:
    ///   - bytes: The text.
    ///   - isBeginning: Whether nothing was read before: then what begins a text is added, and there is at least one
    ///     token.
    ///   - hasSpecialTokens: Whether the text says itself how it begins, as a chat template does.
    /// - Returns: The tokens.
    /// - Throws: `RondoError` if there is nothing to begin with.
    func prompt(_ bytes: [UInt8], isBeginning: Bool, hasSpecialTokens: Bool = false) throws -> [Int32] {
        guard let tokenizer else {
            return ByteVocabulary().encode(bytes.isEmpty && isBeginning ? [UInt8(ascii: "\n")] : bytes)
        }
        if hasSpecialTokens { return tokenizer.tokenizer.encode(bytes) }
        var tokens = tokenizer.tokenizer.encode(bytes, options: EncodingOptions(addsSpecialTokens: isBeginning))
        guard isBeginning else { return tokens }
        if tokenizer.configuration.addsBeginToken == true, let begin = tokenizer.beginToken, tokens.first != begin {
            tokens.insert(begin, at: 0)
        }
        // A post-processor may end the text, which here is to go on.
        if let end = tokenizer.endToken, tokens.count > 1, tokens.last == end { tokens.removeLast() }
        if let begin = tokenizer.beginToken ?? tokenizer.endToken, tokens.isEmpty { tokens = [begin] }
        guard !tokens.isEmpty else {
            throw RondoError(.invalidArgument, "generate: this model needs a prompt; give one with --prompt")
        }
        return tokens
    }

    /// A decoder at the start of a stream.
    ///
    /// - Parameter keepsCharactersWhole: Whether bytes of one character come together.
    /// - Returns: The decoder.
    func makeDecoder(keepsCharactersWhole: Bool) -> TokenStreamDecoder {
        if let tokenizer { return .text(StreamingDetokenizer(tokenizer.tokenizer, skippingSpecials: true)) }
        return keepsCharactersWhole ? .characters(StreamingDecoder()) : .bytes
    }
}

/// Makes text of tokens as they come.
enum TokenStreamDecoder {
    /// Bytes at once.
    case bytes
    /// Bytes, a character at a time.
    case characters(StreamingDecoder)
    /// Tokens of a tokenizer.
    case text(StreamingDetokenizer)

    /// The text that is certain after a token.
    mutating func append(_ token: Int32) throws -> [UInt8] {
        switch self {
        case .bytes: return try ByteVocabulary().decode([token])
        case .characters(var decoder):
            defer { self = .characters(decoder) }
            return decoder.append(try ByteVocabulary().decode([token]))
        case .text(var detokenizer):
            defer { self = .text(detokenizer) }
            return try detokenizer.append(token)
        }
    }

    /// Reads the last tokens of a prompt, so that what follows continues their text; gives nothing out.
    mutating func observe(_ tokens: [Int32]) throws {
        guard case .text(var detokenizer) = self else { return }
        _ = try detokenizer.append(contentsOf: tokens)
        self = .text(detokenizer)
    }

    /// The rest of the text.
    mutating func finish() -> [UInt8] {
        switch self {
        case .bytes: return []
        case .characters(var decoder):
            defer { self = .characters(decoder) }
            return decoder.finish()
        case .text(var detokenizer):
            defer { self = .text(detokenizer) }
            return detokenizer.finish()
        }
    }

    /// Bytes that were kept back and belong to a saved state.
    var pendingBytes: [UInt8] {
        if case .characters(let decoder) = self { decoder.pending } else { [] }
    }

    /// What a saved state keeps of the decoder.
    func saved() throws -> JSONValue? {
        guard case .text(let detokenizer) = self else { return nil }
        return try StrictJSON.tree(of: detokenizer.state)
    }

    /// Goes on where a saved decoder ended.
    mutating func restore(_ saved: JSONValue?) throws {
        guard let saved, case .text(var detokenizer) = self else { return }
        detokenizer.state = try StrictJSON.decode(DecoderState.self, from: saved, source: "state of the detokenizer")
        self = .text(detokenizer)
    }
}

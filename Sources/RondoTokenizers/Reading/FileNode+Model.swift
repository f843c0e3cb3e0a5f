import RondoIO
import RondoTensor

extension FileNode {
    /// Reads the `model`.
    ///
    /// - Parameter isByteLevel: Whether texts arrive in the alphabet of bytes.
    /// - Returns: The model, its tokens, and whether it works on bytes instead of that alphabet.
    /// - Throws: `RondoError` that names the key.
    func model(isByteLevel: Bool) throws -> (model: TokenModel, vocabulary: VocabularyReader, worksOnBytes: Bool) {
        var vocabulary = VocabularyReader()
        switch try optional("type")?.string() ?? inferredType {
        case "BPE":
            let parts = try bytePairParts(&vocabulary, isByteLevel: isByteLevel)
            return (.bytePair(BytePairModel(parts)), vocabulary, parts.worksOnBytes)
        case "Unigram": return (.unigram(try unigram(&vocabulary)), vocabulary, false)
        case "WordPiece":
            try allowKeys(["type", "vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"])
            try vocabulary.readMap(required("vocab"))
            let model = WordPieceModel(
                vocabulary.tokens, unknown: try vocabulary.requiredID(required("unk_token")),
                prefix: try required("continuing_subword_prefix").bytes(),
                longestWord: try required("max_input_chars_per_word").count())
            return (.wordPiece(model), vocabulary, false)
        case "WordLevel":
            try allowKeys(["type", "vocab", "unk_token"])
            try vocabulary.readMap(required("vocab"))
            let unknown = try vocabulary.requiredID(required("unk_token"))
            return (.wordLevel(WordLevelModel(vocabulary.tokens, unknown: unknown)), vocabulary, false)
        case let type: throw unsupported("the model '\(type)'")
        }
    }

    /// Files of old versions do not say what their model is.
    private var inferredType: String {
        if optional("merges") != nil { return "BPE" }
        if optional("vocab")?.value.arrayValue != nil { return "Unigram" }
        return optional("continuing_subword_prefix") != nil ? "WordPiece" : "WordLevel"
    }

    private func unigram(_ vocabulary: inout VocabularyReader) throws -> UnigramModel {
        try allowKeys(["type", "vocab", "unk_id", "byte_fallback"])
        let scores = try vocabulary.readList(required("vocab"))
        let unknown = try required("unk_id").tokenID()
        guard Int(unknown) < scores.count else { throw failure("'unk_id' is not in the vocabulary") }
        let fallback = try bool("byte_fallback", default: false) ? vocabulary.fallbackTokens() : nil
        return UnigramModel(
            zip(vocabulary.tokens, scores).map { ($0.bytes, $1) }, unknown: unknown, fallback: fallback)
    }

    private func bytePairParts(
        _ vocabulary: inout VocabularyReader, isByteLevel: Bool
    ) throws -> BytePairModel.Parts {
        try allowKeys([
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "byte_fallback", "ignore_merges", "vocab", "merges",
        ])
        if let dropout = optional("dropout"), dropout.value.doubleValue != 0 {
            throw dropout.unsupported("dropout, which makes tokens a matter of chance,")
        }
        try vocabulary.readMap(required("vocab"))
        var parts = BytePairModel.Parts()
        parts.prefix = try optional("continuing_subword_prefix")?.bytes() ?? []
        parts.suffix = try optional("end_of_word_suffix")?.bytes() ?? []
        parts.fusesUnknown = try bool("fuse_unk", default: false)
        parts.ignoresMerges = try bool("ignore_merges", default: false)
        if try bool("byte_fallback", default: false) { parts.fallback = vocabulary.fallbackTokens() }
        parts.worksOnBytes =
            isByteLevel && parts.fallback == nil && parts.prefix.isEmpty && parts.suffix.isEmpty
        parts.byteTokens = ByteAlphabet.encoded.map { vocabulary.id(of: $0) ?? -1 }
        try readUnknown(&parts, vocabulary, isByteLevel: isByteLevel)
        parts.merges = try required("merges").merges(vocabulary, prefix: parts.prefix)
        parts.tokens =
            parts.worksOnBytes
            ? vocabulary.tokens.compactMap { token in ByteAlphabet.decode(token.bytes).map { ($0, token.id) } }
            : vocabulary.tokens
        return parts
    }

    /// An unknown token that does not exist is harmless where nothing is unknown.
    private func readUnknown(
        _ parts: inout BytePairModel.Parts, _ vocabulary: VocabularyReader, isByteLevel: Bool
    ) throws {
        guard let unknown = optional("unk_token") else { return }
        let isComplete = isByteLevel && !parts.byteTokens.contains(-1) && parts.prefix.isEmpty && parts.suffix.isEmpty
        parts.unknown = vocabulary.id(of: try unknown.bytes())
        if parts.unknown == nil, !isComplete { _ = try vocabulary.requiredID(unknown) }
    }

    private func merges(
        _ vocabulary: VocabularyReader, prefix: [UInt8]
    ) throws -> [(first: Int32, second: Int32, merged: Int32)] {
        guard let entries = value.arrayValue else { throw failure("must be a list") }
        return try entries.enumerated().map { rank, entry in
            guard let (first, second) = Self.pair(entry) else {
                throw failure("element \(rank) must be two tokens")
            }
            func id(_ token: [UInt8]) throws -> Int32 {
                guard let id = vocabulary.id(of: token) else {
                    let text = String(decoding: token.prefix(40), as: UTF8.self)
                    throw failure("element \(rank) needs the token '\(text)', which is not in the vocabulary")
                }
                return id
            }
            guard second.count >= prefix.count else { throw failure("element \(rank) lacks the prefix") }
            return (try id(first), try id(second), try id(first + second.dropFirst(prefix.count)))
        }
    }

    /// The tokens of `"a b"` or `["a", "b"]`.
    private static func pair(_ entry: JSONValue) -> (first: [UInt8], second: [UInt8])? {
        if let text = entry.stringValue {
            let parts = Array(text.utf8).split(separator: 0x20, omittingEmptySubsequences: false)
            return parts.count == 2 ? (Array(parts[0]), Array(parts[1])) : nil
        }
        guard let pair = entry.arrayValue, pair.count == 2, let first = pair[0].stringValue,
            let second = pair[1].stringValue
        else { return nil }
        return (Array(first.utf8), Array(second.utf8))
    }
}

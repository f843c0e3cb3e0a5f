import RondoTensor
import Synchronization

/// The parts of a tokenizer at work, shared by its copies.
final class Pipeline: Sendable {
    let decoder: TokenDecoder
    let postProcessor: PostProcessor
    let addedTokens: [AddedToken]
    let specialIDs: Set<Int32>
    /// The text of each token.
    let texts: [[UInt8]?]
    /// The text of each token as the decoder wants it.
    let decoderTexts: [[UInt8]?]
    /// All tokens by their text.
    let ids: TokenTable

    private let normalizer: Normalizer?
    private let preTokenizer: PreTokenizer
    private let model: TokenModel
    /// What is looked for before and after normalization.
    private let rawMatcher: AddedTokenMatcher?
    private let normalizedMatcher: AddedTokenMatcher?
    private let scratches = ScratchPool()

    init(_ parts: TokenizerFileReader.Parts, source: String) throws {
        postProcessor = parts.postProcessor
        addedTokens = parts.addedTokens
        normalizer = parts.normalizer
        preTokenizer = parts.preTokenizer
        model = parts.model
        let all = parts.tokens + parts.addedTokens.map { ($0.content, $0.id) }
        var texts = [[UInt8]?](repeating: nil, count: Int(all.map(\.id).max() ?? -1) + 1)
        for token in all { texts[Int(token.id)] = token.bytes }
        ids = TokenTable(all)
        rawMatcher = AddedTokenMatcher(parts.addedTokens.filter { !$0.isNormalized }.map { ($0.content, $0) })
        let normalized = parts.addedTokens.filter(\.isNormalized).map { token in
            (pattern: parts.normalizer?.normalized(token.content) ?? token.content, token: token)
        }
        if let token = normalized.first(where: { $0.pattern.isEmpty })?.token {
            let text = String(decoding: token.content, as: UTF8.self)
            throw RondoError(.corruptFile, "\(source): added_tokens: nothing is left of '\(text)' when normalized")
        }
        normalizedMatcher = AddedTokenMatcher(normalized)
        self.texts = texts
        // The decoder sees what the normalizer has made of a token, and special tokens are told by their text, as in the
        // tokenizers library.
        for (pattern, token) in normalized { texts[Int(token.id)] = pattern }
        let specials = Set(parts.addedTokens.filter(\.isSpecial).map(\.content))
        specialIDs = Set(texts.indices.filter { texts[$0].map(specials.contains) ?? false }.map(Int32.init))
        var decoder = parts.decoder
        decoderTexts = decoder.prepare(texts)
        self.decoder = decoder
    }

    /// The tokens of a text, without what is put around them.
    func encode(_ text: UnsafeBufferPointer<UInt8>, _ options: EncodingOptions) -> [Int32] {
        var output: [Int32] = []
        output.reserveCapacity(text.count / 3 + 8)
        guard !text.isEmpty else { return output }
        scratches.withScratch { scratch in
            let takesAnyBytes = preTokenizer.keepsBytes && normalizer == nil
            if takesAnyBytes || UTF8Text.isWellFormed(text) {
                encodeRaw(text, options, scratch, &output)
            } else {
                UTF8Text.repaired(text).withUnsafeBufferPointer { encodeRaw($0, options, scratch, &output) }
            }
        }
        return output
    }

    private func encodeRaw(
        _ text: UnsafeBufferPointer<UInt8>, _ options: EncodingOptions, _ scratch: EncodingScratch,
        _ output: inout [Int32]
    ) {
        guard let rawMatcher else { return encodePart(text, true, options, scratch, &output) }
        rawMatcher.forEachPart(text, skippingSpecials: !options.recognizesSpecialTokens) { range, token in
            if let token {
                output.append(token)
            } else {
                encodePart(.init(rebasing: text[range]), range.lowerBound == 0, options, scratch, &output)
            }
        }
    }

    private func encodePart(
        _ text: UnsafeBufferPointer<UInt8>, _ startsInput: Bool, _ options: EncodingOptions,
        _ scratch: EncodingScratch, _ output: inout [Int32]
    ) {
        guard let normalizer else { return encodeNormalized(text, startsInput, options, scratch, &output) }
        let normalized = normalizer.normalized(Normalizer.Text(bytes: Array(text), startsInput: startsInput))
        normalized.bytes.withUnsafeBufferPointer {
            encodeNormalized($0, normalized.startsInput, options, scratch, &output)
        }
    }

    private func encodeNormalized(
        _ text: UnsafeBufferPointer<UInt8>, _ startsInput: Bool, _ options: EncodingOptions,
        _ scratch: EncodingScratch, _ output: inout [Int32]
    ) {
        guard let normalizedMatcher else { return encodeText(text, startsInput, scratch, &output) }
        normalizedMatcher.forEachPart(text, skippingSpecials: !options.recognizesSpecialTokens) { range, token in
            if let token {
                output.append(token)
            } else {
                encodeText(
                    .init(rebasing: text[range]), startsInput && range.lowerBound == 0, scratch, &output)
            }
        }
    }

    /// Encodes text in which there are no added tokens.
    private func encodeText(
        _ text: UnsafeBufferPointer<UInt8>, _ startsInput: Bool, _ scratch: EncodingScratch, _ output: inout [Int32]
    ) {
        guard let bytes = text.baseAddress, !text.isEmpty else { return }
        if let scanner = preTokenizer.onlyScanner {
            scanner.forEachWord(bytes, 0..<text.count) { start, end in
                model.encode(bytes + start, end - start, scratch, to: &output)
            }
        } else if preTokenizer.stages.isEmpty {
            model.encode(bytes, text.count, scratch, to: &output)
        } else {
            var pieces = Pieces(bytes: Array(text), ranges: [0..<text.count], startsInput: startsInput)
            preTokenizer.apply(to: &pieces)
            pieces.bytes.withUnsafeBufferPointer { buffer in
                guard let bytes = buffer.baseAddress else { return }
                for range in pieces.ranges {
                    model.encode(bytes + range.lowerBound, range.count, scratch, to: &output)
                }
            }
        }
    }
}

/// Scratch memory that waits for the next encoding, so that what one has learnt about words serves the next.
private final class ScratchPool: Sendable {
    private static let maximumCount = 8

    /// Whoever takes a scratch out is the only one to have it.
    private struct Free: @unchecked Sendable {
        var scratches: [EncodingScratch] = []
    }

    private let free = Mutex(Free())

    func withScratch(_ body: (EncodingScratch) -> Void) {
        let taken = free.withLock { Free(scratches: $0.scratches.popLast().map { [$0] } ?? []) }
        let scratch = taken.scratches.first ?? EncodingScratch()
        body(scratch)
        let returned = Free(scratches: [scratch])
        free.withLock { free in
            if free.scratches.count < Self.maximumCount { free.scratches += returned.scratches }
        }
    }
}

/// One run of a decoder: text goes in token by token, and comes out as soon as nothing can change it.
struct DecoderRun {
    let stages: [TokenDecoder.Stage]
    /// Whether bytes that are not UTF-8 come out as they are rather than as U+FFFD.
    let keepsBytes: Bool
    var state: DecoderState
    /// What has come out.
    private(set) var output: [UInt8] = []

    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    init(_ decoder: TokenDecoder, keepsBytes: Bool, state: DecoderState? = nil) {
        stages = decoder.stages
        self.keepsBytes = keepsBytes
        self.state =
            state ?? DecoderState(stages: [DecoderState.Stage](repeating: .init(), count: decoder.stages.count))
    }

    /// Takes the text of the next token.
    mutating func append(_ token: [UInt8]) {
        receive(token, at: 0)
        endToken(at: 0)
    }

    /// Passes everything on that was kept back.
    mutating func finish() {
        for stage in stages.indices { finishStage(stage) }
    }

    /// Returns what has come out and forgets it.
    mutating func takeOutput() -> [UInt8] {
        defer { output.removeAll(keepingCapacity: true) }
        return output
    }

    // MARK: Text of a token

    private mutating func receive(_ text: [UInt8], at index: Int) {
        guard index < stages.count else {
            output += text
            return
        }
        switch stages[index] {
        case .fuse: receive(text, at: index + 1)
        case .bytes: state.stages[index].pending += text
        case .spaces:
            if state.stages[index].isPastFirst, !state.stages[index].holdsToken { receive([0x20], at: index + 1) }
            // The space is written once for each token.
            state.stages[index].holdsToken = true
            receive(text, at: index + 1)
        case .metaspace(let replacement, let dropsFirst):
            let space: [UInt8] = dropsFirst && !state.stages[index].isPastFirst ? [] : [0x20]
            receive(Normalizer.replaced(text, .literal(replacement), with: space), at: index + 1)
        case .strip(let content, let start, let stop): strip(text, content, start, stop, at: index)
        case .replace(.literal(let pattern), let replacement) where !pattern.isEmpty:
            state.stages[index].token += text
            replaceComplete(pattern, replacement, at: index)
        default: state.stages[index].token += text
        }
    }

    /// Replaces what has been found, and keeps back what may be the beginning of another occurrence.
    private mutating func replaceComplete(_ pattern: [UInt8], _ replacement: [UInt8], at index: Int) {
        let text = state.stages[index].token
        var ready: [UInt8] = []
        var kept: [UInt8] = []
        text.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            SegmentFinder.literal(pattern).forEachSegment(bytes, 0..<buffer.count) { start, end, isMatch in
                if isMatch {
                    ready += replacement
                    return
                }
                // Only the last segment can touch the end.
                var cut = end
                if end == buffer.count {
                    cut = max(start, end - pattern.count + 1)
                    while cut < end, !pattern.starts(with: buffer[cut..<end]) { cut += 1 }
                    kept = Array(buffer[cut..<end])
                }
                ready += buffer[start..<cut]
            }
        }
        state.stages[index].token = kept
        if !ready.isEmpty { receive(ready, at: index + 1) }
    }

    private mutating func strip(_ text: [UInt8], _ content: [UInt8], _ start: Int, _ stop: Int, at index: Int) {
        var text = text[...]
        while state.stages[index].stripped >= 0, state.stages[index].stripped < start, !text.isEmpty {
            guard text.starts(with: content) else {
                state.stages[index].stripped = -1
                break
            }
            text = text.dropFirst(content.count)
            state.stages[index].stripped += 1
        }
        if !text.isEmpty { state.stages[index].stripped = -1 }
        let all = state.stages[index].token + text
        // Of the same characters at the end, so many may have to go.
        var cut = all.count
        for _ in 0..<stop where cut >= content.count && all[..<cut].suffix(content.count).elementsEqual(content) {
            cut -= content.count
        }
        state.stages[index].token = Array(all[cut...])
        if cut > 0 { receive(Array(all[..<cut]), at: index + 1) }
    }

    // MARK: End of a token

    private mutating func endToken(at index: Int) {
        guard index < stages.count else { return }
        let token = state.stages[index].token
        switch stages[index] {
        case .fuse: return
        case .byteLevel, .bytes:
            if !token.isEmpty { state.stages[index].pending += ByteAlphabet.decode(token) ?? token }
            state.stages[index].token = []
            passCharacters(at: index)
            return
        case .byteFallback:
            state.stages[index].token = []
            if let byte = Self.fallbackByte(token) {
                state.stages[index].pending.append(byte)
                return
            }
            passBytes(at: index)
            pass(token, at: index)
        case .wordPiece(let prefix, let cleansUp):
            pass(Self.wordPiece(token, prefix, cleansUp, isFirst: !state.stages[index].isPastFirst), at: index)
        case .suffix(let suffix):
            passHeld(suffix, with: [0x20], at: index)
            state.stages[index].pending = token
            state.stages[index].holdsToken = true
        case .replace(let finder, let replacement):
            if case .literal(let pattern) = finder, !pattern.isEmpty {
                pass(token, at: index)
            } else {
                pass(Normalizer.replaced(token, finder, with: replacement), at: index)
            }
        case .spaces:
            if !state.stages[index].holdsToken { receive([], at: index) }
            state.stages[index].holdsToken = false
            endToken(at: index + 1)
        case .metaspace: endToken(at: index + 1)
        case .strip:
            state.stages[index].stripped = 0
            endToken(at: index + 1)
        }
        state.stages[index].token = []
        state.stages[index].isPastFirst = true
    }

    private mutating func pass(_ token: [UInt8], at index: Int) {
        receive(token, at: index + 1)
        endToken(at: index + 1)
    }

    private mutating func passHeld(_ suffix: [UInt8], with space: [UInt8], at index: Int) {
        guard state.stages[index].holdsToken else { return }
        state.stages[index].holdsToken = false
        pass(Normalizer.replaced(state.stages[index].pending, .literal(suffix), with: space), at: index)
        state.stages[index].pending = []
    }

    /// Passes on the bytes that are whole characters or can never become any.
    private mutating func passCharacters(at index: Int) {
        let bytes = state.stages[index].pending
        let ready = bytes.count - StreamingDecoder.incompleteSuffix(of: bytes)
        guard ready > 0 else { return }
        state.stages[index].pending = Array(bytes[ready...])
        receive(text(of: bytes[..<ready]), at: index + 1)
    }

    private func text(of bytes: ArraySlice<UInt8>) -> [UInt8] {
        if keepsBytes { return Array(bytes) }
        return bytes.withUnsafeBufferPointer { buffer in
            UTF8Text.isWellFormed(buffer) ? Array(buffer) : UTF8Text.repaired(buffer)
        }
    }

    /// Passes on a run of byte tokens: as text if it is one, otherwise every byte as U+FFFD.
    private mutating func passBytes(at index: Int) {
        let bytes = state.stages[index].pending
        guard !bytes.isEmpty else { return }
        state.stages[index].pending = []
        if keepsBytes || bytes.withUnsafeBufferPointer({ UTF8Text.isWellFormed($0) }) {
            pass(bytes, at: index)
        } else {
            for _ in bytes { pass(Self.replacement, at: index) }
        }
    }

    // MARK: End of the text

    private mutating func finishStage(_ index: Int) {
        switch stages[index] {
        case .fuse: endToken(at: index + 1)
        case .byteLevel, .bytes:
            let rest = state.stages[index].pending
            state.stages[index].pending = []
            if !rest.isEmpty { receive(text(of: rest[...]), at: index + 1) }
            endToken(at: index + 1)
        case .byteFallback: passBytes(at: index)
        case .suffix(let suffix): passHeld(suffix, with: [], at: index)
        default: break
        }
    }

    // MARK: Single tokens

    /// The byte of `<0xNN>`.
    private static func fallbackByte(_ token: [UInt8]) -> UInt8? {
        guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">") else { return nil }
        let digits = String(decoding: token[3..<5], as: UTF8.self)
        return UInt8(digits, radix: 16)
    }

    private static let cleanUps: [(from: String, to: String)] = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]

    private static func wordPiece(_ token: [UInt8], _ prefix: [UInt8], _ cleansUp: Bool, isFirst: Bool) -> [UInt8] {
        var text = token
        if !isFirst { text = token.starts(with: prefix) ? Array(token.dropFirst(prefix.count)) : [0x20] + token }
        guard cleansUp, text.contains(0x20) else { return text }
        return cleanUps.reduce(text) {
            Normalizer.replaced($0, .literal(Array($1.from.utf8)), with: Array($1.to.utf8))
        }
    }
}

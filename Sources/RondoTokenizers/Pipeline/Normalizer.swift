/// Rewrites texts before they are cut.
struct Normalizer: Sendable {
    /// One step.
    enum Stage: Sendable {
        case form(NormalizationForm)
        case lowercase
        case stripAccents
        case strip(left: Bool, right: Bool)
        case replace(SegmentFinder, with: [UInt8])
        case prepend([UInt8])
        case nmt
        case bert(Bert)
        case precompiled(PrecompiledCharacterMap)
        case byteLevel
    }

    /// What BERT's normalizer does.
    struct Bert: Sendable {
        let cleansText: Bool
        let separatesChinese: Bool
        let stripsAccents: Bool
        let lowercases: Bool
    }

    /// The steps in order.
    let stages: [Stage]

    /// A text on its way.
    struct Text {
        /// The text, well-formed.
        var bytes: [UInt8]
        /// How many characters at the beginning come from the first character of the input.
        var leading: Int

        init(bytes: [UInt8], startsInput: Bool) {
            self.bytes = bytes
            leading = startsInput ? 1 : 0
        }

        /// Whether the beginning is that of the input, which some pre-tokenizers ask about.
        var startsInput: Bool { leading > 0 }
    }

    /// The text after all steps.
    func normalized(_ text: [UInt8]) -> [UInt8] { normalized(Text(bytes: text, startsInput: true)).bytes }

    /// The text after all steps.
    func normalized(_ text: Text) -> Text {
        var text = text
        for stage in stages { Self.apply(stage, to: &text) }
        return text
    }

    private static func apply(_ stage: Stage, to text: inout Text) {
        switch stage {
        case .form(let form):
            if text.leading == 1 { text.leading = form.length(ofFirst: text.bytes) }
            text.bytes = form.applied(to: text.bytes)
        case .lowercase: text.bytes = CaseMapping.lowercased(text.bytes)
        case .stripAccents: filter(&text) { !CharacterClasses.isCombiningMark($0) }
        case .strip(let left, let right): strip(&text, left: left, right: right)
        case .replace(let finder, let replacement): replace(&text, finder, with: replacement)
        case .prepend(let prefix): if !text.bytes.isEmpty { text.bytes = prefix + text.bytes }
        case .nmt: nmt(&text)
        case .bert(let bert): bert.apply(to: &text)
        case .precompiled(let map): text.bytes = map.apply(to: text.bytes)
        case .byteLevel: text.bytes = ByteAlphabet.encode(text.bytes)
        }
    }

    /// Calls `body` for every character with its bytes.
    fileprivate static func rewrite(
        _ text: inout Text,
        _ body: (_ scalar: UInt32, _ bytes: Slice<UnsafeBufferPointer<UInt8>>, inout [UInt8]) -> Void
    ) {
        var output: [UInt8] = []
        output.reserveCapacity(text.bytes.count)
        var removed = 0
        text.bytes.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            var index = 0
            while index < buffer.count {
                let (scalar, length) = UTF8Text.scalar(bytes, at: index, end: buffer.count)
                body(scalar, buffer[index..<index + length], &output)
                if output.isEmpty { removed += 1 }
                index += length
            }
        }
        text.bytes = output
        text.leading = max(0, text.leading - removed)
    }

    fileprivate static func filter(_ text: inout Text, _ keeps: (UInt32) -> Bool) {
        rewrite(&text) { scalar, bytes, output in if keeps(scalar) { output += bytes } }
    }

    private static func strip(_ text: inout Text, left: Bool, right: Bool) {
        var removed = 0
        let range = text.bytes.withUnsafeBufferPointer { buffer -> Range<Int> in
            guard let bytes = buffer.baseAddress else { return 0..<0 }
            var start = 0
            var end = buffer.count
            while left, start < end {
                let (scalar, length) = UTF8Text.scalar(bytes, at: start, end: end)
                guard CharacterTable.isWhitespace(scalar) else { break }
                start += length
                removed += 1
            }
            while right, end > start {
                let last = UTF8Text.start(bytes, before: end, begin: start)
                guard CharacterTable.isWhitespace(UTF8Text.scalar(bytes, at: last, end: end).value) else { break }
                end = last
            }
            return start..<end
        }
        text.leading = max(0, text.leading - removed)
        text.bytes = Array(text.bytes[range])
    }

    private static func replace(_ text: inout Text, _ finder: SegmentFinder, with replacement: [UInt8]) {
        text.bytes = replaced(text.bytes, finder, with: replacement) { match in
            // What replaces the first characters counts as the beginning, even if others were removed before.
            if match.lowerBound == 0, !match.isEmpty { text.leading = replacement.isEmpty ? 0 : 1 }
        }
    }

    /// The text with every match replaced.
    static func replaced(
        _ text: [UInt8], _ finder: SegmentFinder, with replacement: [UInt8],
        _ note: (_ match: Range<Int>) -> Void = { _ in }
    ) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        text.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            finder.forEachSegment(bytes, 0..<buffer.count) { start, end, isMatch in
                guard isMatch else {
                    output += buffer[start..<end]
                    return
                }
                output += replacement
                note(start..<end)
            }
        }
        return output
    }

    private static func nmt(_ text: inout Text) {
        rewrite(&text) { scalar, bytes, output in
            switch scalar {
            case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: break
            case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
                output.append(0x20)
            default: output += bytes
            }
        }
    }
}

extension Normalizer.Bert {
    fileprivate func apply(to text: inout Normalizer.Text) {
        if cleansText {
            Normalizer.rewrite(&text) { scalar, bytes, output in
                if CharacterClasses.isBertControl(scalar) { return }
                if CharacterTable.isWhitespace(scalar) { output.append(0x20) } else { output += bytes }
            }
        }
        if separatesChinese, text.bytes.contains(where: { $0 >= 0xE3 }) {
            Normalizer.rewrite(&text) { scalar, bytes, output in
                let isChinese = CharacterClasses.isChinese(scalar)
                if isChinese { output.append(0x20) }
                output += bytes
                if isChinese { output.append(0x20) }
            }
        }
        if stripsAccents, text.bytes.contains(where: { $0 >= 0x80 }) {
            text.bytes = NormalizationForm.nfd.applied(to: text.bytes)
            Normalizer.filter(&text) { !CharacterClasses.isNonspacingMark($0) }
        }
        if lowercases { text.bytes = CaseMapping.lowercased(text.bytes) }
    }
}

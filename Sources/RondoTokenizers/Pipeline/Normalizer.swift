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

    /// The text after all steps; `text` is well-formed.
    func normalized(_ text: [UInt8]) -> [UInt8] { stages.reduce(text) { Self.apply($1, to: $0) } }

    private static func apply(_ stage: Stage, to text: [UInt8]) -> [UInt8] {
        switch stage {
        case .form(let form): form.applied(to: text)
        case .lowercase: CaseMapping.lowercased(text)
        case .stripAccents: filtered(text) { !CharacterClasses.isCombiningMark($0) }
        case .strip(let left, let right): stripped(text, left: left, right: right)
        case .replace(let finder, let replacement): replaced(text, finder, with: replacement)
        case .prepend(let prefix): text.isEmpty ? text : prefix + text
        case .nmt: nmt(text)
        case .bert(let bert): bert.apply(to: text)
        case .precompiled(let map): map.apply(to: text)
        case .byteLevel: ByteAlphabet.encode(text)
        }
    }

    /// Calls `body` for every character with its bytes.
    fileprivate static func rewritten(
        _ text: [UInt8], _ body: (_ scalar: UInt32, _ bytes: Slice<UnsafeBufferPointer<UInt8>>, inout [UInt8]) -> Void
    ) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        text.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            var index = 0
            while index < buffer.count {
                let (scalar, length) = UTF8Text.scalar(bytes, at: index, end: buffer.count)
                body(scalar, buffer[index..<index + length], &output)
                index += length
            }
        }
        return output
    }

    fileprivate static func filtered(_ text: [UInt8], _ keeps: (UInt32) -> Bool) -> [UInt8] {
        rewritten(text) { scalar, bytes, output in if keeps(scalar) { output += bytes } }
    }

    private static func stripped(_ text: [UInt8], left: Bool, right: Bool) -> [UInt8] {
        text.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return [] }
            var start = 0
            var end = buffer.count
            while left, start < end {
                let (scalar, length) = UTF8Text.scalar(bytes, at: start, end: end)
                guard CharacterTable.isWhitespace(scalar) else { break }
                start += length
            }
            while right, end > start {
                let last = UTF8Text.start(bytes, before: end, begin: start)
                guard CharacterTable.isWhitespace(UTF8Text.scalar(bytes, at: last, end: end).value) else { break }
                end = last
            }
            return Array(buffer[start..<end])
        }
    }

    /// The text with every match replaced.
    static func replaced(_ text: [UInt8], _ finder: SegmentFinder, with replacement: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        text.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            finder.forEachSegment(bytes, 0..<buffer.count) { start, end, isMatch in
                if isMatch { output += replacement } else { output += buffer[start..<end] }
            }
        }
        return output
    }

    private static func nmt(_ text: [UInt8]) -> [UInt8] {
        rewritten(text) { scalar, bytes, output in
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
    fileprivate func apply(to text: [UInt8]) -> [UInt8] {
        var text = text
        if cleansText {
            text = Normalizer.rewritten(text) { scalar, bytes, output in
                if CharacterClasses.isBertControl(scalar) { return }
                if CharacterTable.isWhitespace(scalar) { output.append(0x20) } else { output += bytes }
            }
        }
        if separatesChinese, text.contains(where: { $0 >= 0xE3 }) {
            text = Normalizer.rewritten(text) { scalar, bytes, output in
                guard CharacterClasses.isChinese(scalar) else {
                    output += bytes
                    return
                }
                output.append(0x20)
                output += bytes
                output.append(0x20)
            }
        }
        if stripsAccents, text.contains(where: { $0 >= 0x80 }) {
            text = NormalizationForm.nfd.applied(to: text)
            text = Normalizer.filtered(text) { !CharacterClasses.isNonspacingMark($0) }
        }
        return lowercases ? CaseMapping.lowercased(text) : text
    }
}

/// Cuts texts into the words that a model sees one at a time.
struct PreTokenizer: Sendable {
    /// One step.
    enum Stage: Sendable {
        /// Bytes to printable characters, perhaps after a leading space and GPT-2's cuts.
        case byteLevel(addsPrefixSpace: Bool, splits: Bool)
        case split(SegmentFinder, SplitBehavior, inverted: Bool)
        case metaspace(Metaspace)
        /// Pieces of so many characters.
        case fixedLength(Int)
    }

    /// How SentencePiece marks spaces.
    struct Metaspace: Sendable {
        enum Scheme: String, Sendable {
            case first
            case always
            case never
        }

        let replacement: [UInt8]
        let scheme: Scheme
        let splits: Bool
    }

    /// The steps in order.
    var stages: [Stage]
    /// Whether the model works on bytes, so that byte-level stages leave them as they are.
    var keepsBytes = false

    /// The pattern by which alone the text is cut, if bytes stay as they are: the fast way of most tokenizers.
    var onlyScanner: WordScanner? {
        guard keepsBytes else { return nil }
        switch stages.count {
        case 1:
            if case .byteLevel(addsPrefixSpace: false, splits: true) = stages[0] { return .gpt2 }
        case 2:
            if case .split(.scanner(let scanner), .isolated, inverted: false) = stages[0],
                case .byteLevel(addsPrefixSpace: false, splits: false) = stages[1]
            {
                return scanner
            }
        default: break
        }
        return nil
    }

    /// Cuts the pieces further.
    func apply(to pieces: inout Pieces) {
        for stage in stages {
            switch stage {
            case .byteLevel(let addsPrefixSpace, let splits):
                if addsPrefixSpace { Self.prepend([0x20], to: &pieces) { _ in true } }
                if splits { Self.split(&pieces, .scanner(.gpt2), .isolated, inverted: false) }
                if !keepsBytes { Self.mapBytes(&pieces) }
            case .split(let finder, let behavior, let inverted):
                Self.split(&pieces, finder, behavior, inverted: inverted)
            case .metaspace(let metaspace): metaspace.apply(to: &pieces)
            case .fixedLength(let length): Self.cut(&pieces, every: length)
            }
        }
    }

    fileprivate static func split(
        _ pieces: inout Pieces, _ finder: SegmentFinder, _ behavior: SplitBehavior, inverted: Bool
    ) {
        var collector = PieceCollector(behavior)
        pieces.bytes.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            for range in pieces.ranges {
                finder.forEachSegment(bytes, range) { start, end, isMatch in
                    collector.add(start, end, isMatch: isMatch != inverted)
                }
                collector.flush()
            }
        }
        if let first = pieces.ranges.first, collector.ranges.first?.lowerBound != first.lowerBound {
            pieces.startsInput = false
        }
        pieces.ranges = collector.ranges
    }

    /// Puts a prefix before the pieces that do not begin with it.
    fileprivate static func prepend(
        _ prefix: [UInt8], to pieces: inout Pieces, where condition: (_ index: Int) -> Bool
    ) {
        rewrite(&pieces) { piece, index, output in
            if condition(index), !piece.starts(with: prefix) { output += prefix }
            output += piece
        }
    }

    private static func mapBytes(_ pieces: inout Pieces) {
        rewrite(&pieces) { piece, _, output in
            for byte in piece { output += ByteAlphabet.encoded[Int(byte)] }
        }
    }

    /// Writes every piece anew.
    fileprivate static func rewrite(
        _ pieces: inout Pieces, _ body: (_ piece: Slice<UnsafeBufferPointer<UInt8>>, Int, inout [UInt8]) -> Void
    ) {
        var output: [UInt8] = []
        output.reserveCapacity(pieces.bytes.count + pieces.ranges.count)
        pieces.bytes.withUnsafeBufferPointer { buffer in
            for index in pieces.ranges.indices {
                let start = output.count
                body(buffer[pieces.ranges[index]], index, &output)
                pieces.ranges[index] = start..<output.count
            }
        }
        pieces.bytes = output
    }

    private static func cut(_ pieces: inout Pieces, every length: Int) {
        var ranges: [Range<Int>] = []
        pieces.bytes.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            for range in pieces.ranges {
                var start = range.lowerBound
                while start < range.upperBound {
                    var end = start
                    for _ in 0..<length where end < range.upperBound {
                        end += UTF8Text.scalar(bytes, at: end, end: range.upperBound).length
                    }
                    ranges.append(start..<end)
                    start = end
                }
            }
        }
        pieces.ranges = ranges
    }
}

extension PreTokenizer.Metaspace {
    fileprivate func apply(to pieces: inout Pieces) {
        PreTokenizer.rewrite(&pieces) { piece, _, output in
            for byte in piece {
                if byte == 0x20 { output += replacement } else { output.append(byte) }
            }
        }
        let startsInput = pieces.startsInput
        switch scheme {
        case .always: PreTokenizer.prepend(replacement, to: &pieces) { _ in true }
        case .first: PreTokenizer.prepend(replacement, to: &pieces) { $0 == 0 && startsInput }
        case .never: break
        }
        if splits { PreTokenizer.split(&pieces, .literal(replacement), .mergedWithNext, inverted: false) }
    }
}

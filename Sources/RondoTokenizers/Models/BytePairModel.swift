/// Byte-pair encoding: the neighbouring pair of lowest rank is merged until no pair has a rank.
struct BytePairModel: Sendable {
    /// What a model is made of.
    struct Parts {
        /// The tokens, as characters or, if `worksOnBytes`, as the bytes that these stand for.
        var tokens: [(bytes: [UInt8], id: Int32)] = []
        /// Pairs in the order of their rank, and what they become.
        var merges: [(first: Int32, second: Int32, merged: Int32)] = []
        /// Whether symbols are bytes rather than characters.
        var worksOnBytes = false
        /// The token of a byte, for each byte, if all others stand for themselves.
        var byteTokens: [Int32] = []
        var unknown: Int32?
        var fusesUnknown = false
        /// Bytes of characters without a token become tokens of this table.
        var fallback: [Int32]?
        var ignoresMerges = false
        var prefix: [UInt8] = []
        var suffix: [UInt8] = []
    }

    private let tokens: TokenTable
    private let merges: PairTable
    private let worksOnBytes: Bool
    /// The tokens of bytes, or of ASCII characters.
    private let singles: [Int32]
    private let unknown: Int32?
    private let fusesUnknown: Bool
    private let fallback: [Int32]?
    private let ignoresMerges: Bool
    private let prefix: [UInt8]
    private let suffix: [UInt8]
    private let seams: Seams?

    /// Words up to this many symbols are merged in place.
    private static let shortWord = 40

    init(_ parts: Parts) {
        tokens = TokenTable(parts.tokens)
        merges = PairTable(
            parts.merges.enumerated().map { rank, merge in
                (Self.key(merge.first, merge.second), UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merge.merged)))
            })
        worksOnBytes = parts.worksOnBytes
        unknown = parts.unknown
        fusesUnknown = parts.fusesUnknown
        fallback = parts.fallback
        ignoresMerges = parts.ignoresMerges
        prefix = parts.prefix
        suffix = parts.suffix
        let table = tokens
        singles =
            parts.worksOnBytes
            ? parts.byteTokens : (0..<UInt8(0x80)).map { table.id(of: [$0]) ?? -1 }
        let isPlain = parts.prefix.isEmpty && parts.suffix.isEmpty
        seams = isPlain ? Seams(parts) : nil
    }

    @inline(__always)
    private static func key(_ first: Int32, _ second: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: first)) << 32 | UInt64(UInt32(bitPattern: second))
    }

    @inline(__always)
    private func merge(_ first: Int32, _ second: Int32) -> UInt64 { merges.value(Self.key(first, second)) }

    /// Appends the tokens of a word.
    func encode(
        _ word: UnsafePointer<UInt8>, _ count: Int, _ scratch: EncodingScratch, to output: inout [Int32]
    ) {
        if ignoresMerges {
            let id = tokens.id(word, count)
            if id >= 0 {
                output.append(id)
                return
            }
        }
        scratch.symbols.removeAll(keepingCapacity: true)
        if worksOnBytes {
            appendByteSymbols(word, count, &scratch.symbols)
        } else {
            appendCharacterSymbols(word, count, &scratch.symbols)
        }
        if scratch.symbols.count <= Self.shortWord {
            mergeShort(scratch)
            output.append(contentsOf: scratch.symbols)
        } else {
            mergeLong(scratch, to: &output)
        }
    }

    /// Appends the tokens of a long word, cut where no token can reach across, so that its parts may be known.
    func encodeLong(
        _ word: UnsafePointer<UInt8>, _ count: Int, _ scratch: EncodingScratch, to output: inout [Int32]
    ) {
        guard let seams, !ignoresMerges else { return encode(word, count, scratch, to: &output) }
        var start = 0
        seams.forEach(word, count, tokens: self) { seam in
            encodePart(word + start, seam - start, scratch, to: &output)
            start = seam
        }
        encodePart(word + start, count - start, scratch, to: &output)
    }

    private func encodePart(
        _ word: UnsafePointer<UInt8>, _ count: Int, _ scratch: EncodingScratch, to output: inout [Int32]
    ) {
        guard count <= WordCache.longestWord else { return encode(word, count, scratch, to: &output) }
        scratch.cache.appendTokens(of: word, count, to: &output) { encode(word, count, scratch, to: &$0) }
    }

    // MARK: Symbols

    private func appendByteSymbols(_ word: UnsafePointer<UInt8>, _ count: Int, _ symbols: inout [Int32]) {
        var pending = PendingUnknown(fuses: fusesUnknown, token: unknown)
        for index in 0..<count {
            let id = singles[Int(word[index])]
            if id >= 0 { pending.flush(&symbols) } else { pending.add(&symbols) }
            if id >= 0 { symbols.append(id) }
        }
        pending.flush(&symbols)
    }

    private func appendCharacterSymbols(_ word: UnsafePointer<UInt8>, _ count: Int, _ symbols: inout [Int32]) {
        var pending = PendingUnknown(fuses: fusesUnknown, token: unknown)
        var index = 0
        while index < count {
            let length = UTF8Text.scalar(word, at: index, end: count).length
            let isDecorated = (index > 0 && !prefix.isEmpty) || (index + length == count && !suffix.isEmpty)
            let decorated =
                isDecorated ? decoratedCharacter(word + index, length, index > 0, index + length == count) : []
            let id = isDecorated ? tokens.id(of: decorated) ?? -1 : token(ofCharacter: word + index, length)
            if id >= 0 {
                pending.flush(&symbols)
                symbols.append(id)
            } else if let fallback {
                let bytes = isDecorated ? decorated : Array(UnsafeBufferPointer(start: word + index, count: length))
                let ids = bytes.map { fallback[Int($0)] }
                if ids.contains(-1) { pending.add(&symbols) } else { symbols += ids }
            } else {
                pending.add(&symbols)
            }
            index += length
        }
        pending.flush(&symbols)
    }

    private func decoratedCharacter(
        _ character: UnsafePointer<UInt8>, _ length: Int, _ continues: Bool, _ ends: Bool
    ) -> [UInt8] {
        (continues ? prefix : []) + UnsafeBufferPointer(start: character, count: length) + (ends ? suffix : [])
    }

    @inline(__always)
    fileprivate func token(ofCharacter character: UnsafePointer<UInt8>, _ length: Int) -> Int32 {
        if worksOnBytes { return singles[Int(character[0])] }
        return length == 1 && character[0] < 0x80 ? singles[Int(character[0])] : tokens.id(character, length)
    }

    /// Characters without a token, of which several may become one.
    private struct PendingUnknown {
        let fuses: Bool
        let token: Int32?
        private var isPending = false

        init(fuses: Bool, token: Int32?) {
            self.fuses = fuses
            self.token = token
        }

        mutating func add(_ symbols: inout [Int32]) {
            if !fuses { flush(&symbols) }
            isPending = token != nil
        }

        @inline(__always)
        mutating func flush(_ symbols: inout [Int32]) {
            guard isPending, let token else { return }
            symbols.append(token)
            isPending = false
        }
    }

    // MARK: Merging

    /// Merges by looking for the best pair again and again, which is fast as long as there are few.
    private func mergeShort(_ scratch: EncodingScratch) {
        var count = scratch.symbols.count
        guard count > 1 else { return }
        if scratch.merges.count < Self.shortWord {
            scratch.merges = [UInt64](repeating: PairTable.missing, count: Self.shortWord)
        }
        scratch.symbols.withUnsafeMutableBufferPointer { symbols in
            scratch.merges.withUnsafeMutableBufferPointer { pairs in
                for index in 0..<count - 1 { pairs[index] = merge(symbols[index], symbols[index + 1]) }
                while count > 1 {
                    var best = PairTable.missing
                    var position = 0
                    for index in 0..<count - 1 where pairs[index] < best {
                        best = pairs[index]
                        position = index
                    }
                    if best == PairTable.missing { break }
                    symbols[position] = Int32(truncatingIfNeeded: best)
                    count -= 1
                    var index = position + 1
                    while index < count {
                        symbols[index] = symbols[index + 1]
                        pairs[index - 1] = pairs[index]
                        index += 1
                    }
                    if position > 0 { pairs[position - 1] = merge(symbols[position - 1], symbols[position]) }
                    if position < count - 1 { pairs[position] = merge(symbols[position], symbols[position + 1]) }
                }
            }
        }
        scratch.symbols.removeLast(scratch.symbols.count - count)
    }

    /// Merges with a heap of pairs, in time that grows little faster than the word.
    private func mergeLong(_ scratch: EncodingScratch, to output: inout [Int32]) {
        let count = scratch.symbols.count
        scratch.heap.removeAll()
        scratch.previous.removeAll(keepingCapacity: true)
        scratch.next.removeAll(keepingCapacity: true)
        for index in 0..<count {
            scratch.previous.append(Int32(truncatingIfNeeded: index - 1))
            scratch.next.append(index + 1 < count ? Int32(truncatingIfNeeded: index + 1) : -1)
            push(index, scratch)
        }
        while let top = scratch.heap.popMinimum() {
            let index = Int(UInt32(truncatingIfNeeded: top))
            let other = Int(scratch.next[index])
            guard scratch.symbols[index] >= 0, other >= 0 else { continue }
            let value = merge(scratch.symbols[index], scratch.symbols[other])
            guard value != PairTable.missing, value >> 32 == top >> 32 else { continue }
            scratch.symbols[index] = Int32(truncatingIfNeeded: value)
            scratch.symbols[other] = -1
            let after = scratch.next[other]
            scratch.next[index] = after
            if after >= 0 { scratch.previous[Int(after)] = Int32(truncatingIfNeeded: index) }
            push(index, scratch)
            if scratch.previous[index] >= 0 { push(Int(scratch.previous[index]), scratch) }
        }
        for symbol in scratch.symbols where symbol >= 0 { output.append(symbol) }
    }

    @inline(__always)
    private func push(_ index: Int, _ scratch: EncodingScratch) {
        let other = Int(scratch.next[index])
        guard other >= 0 else { return }
        let value = merge(scratch.symbols[index], scratch.symbols[other])
        guard value != PairTable.missing else { return }
        scratch.heap.insert((value & ~0xFFFF_FFFF) | UInt64(UInt32(truncatingIfNeeded: index)))
    }
}

/// The places in a word that no token reaches across.
///
/// A merge makes a token, so two characters that stand side by side in no token are never merged, and what is to the left
/// of them does not change what is to the right. Words can be cut there without changing the result.
private struct Seams: Sendable {
    private let neighbours: PairTable
    private let worksOnBytes: Bool

    /// Fails where tokens do not consist of the characters that are merged.
    init?(_ parts: BytePairModel.Parts) {
        if let fallback = parts.fallback {
            let bytes = Set(fallback)
            if parts.merges.contains(where: { bytes.contains($0.first) || bytes.contains($0.second) }) { return nil }
        }
        if let unknown = parts.unknown,
            parts.merges.contains(where: { $0.first == unknown || $0.second == unknown })
        {
            return nil
        }
        worksOnBytes = parts.worksOnBytes
        var pairs: Set<UInt64> = []
        for token in parts.tokens {
            let scalars = worksOnBytes ? token.bytes.map(UInt32.init) : UTF8Text.scalars(of: token.bytes)
            for (first, second) in zip(scalars, scalars.dropFirst()) { pairs.insert(Self.key(first, second)) }
        }
        neighbours = PairTable(pairs.map { ($0, 0) })
    }

    private static func key(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) << 32 | UInt64(second) }

    func forEach(
        _ word: UnsafePointer<UInt8>, _ count: Int, tokens model: BytePairModel, _ body: (Int) -> Void
    ) {
        var index = 0
        var previous: (scalar: UInt32, isKnown: Bool)?
        while index < count {
            let (scalar, length) =
                worksOnBytes ? (UInt32(word[index]), 1) : UTF8Text.scalar(word, at: index, end: count)
            let isKnown = model.token(ofCharacter: word + index, length) >= 0
            // Unknown characters may be fused with each other.
            if let previous, previous.isKnown, isKnown,
                neighbours.value(Self.key(previous.scalar, scalar)) == PairTable.missing
            {
                body(index)
            }
            previous = (scalar, isKnown)
            index += length
        }
    }
}

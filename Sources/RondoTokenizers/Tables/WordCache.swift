/// What words have become so far, bounded: when it is full it starts anew.
///
/// It belongs to one encoding at a time.
final class WordCache {
    /// Longer words are seldom met twice.
    static let longestWord = 64

    private struct Slot {
        var hash: UInt64 = 0
        var offset: UInt32 = 0
        var tokenOffset: UInt32 = 0
        var count: UInt32 = 0
        var tokenCount: UInt32 = 0
    }

    private static let bits = 16
    private static let maximumCount = 3 << (bits - 2)

    private let slots: UnsafeMutablePointer<Slot>
    private var text: [UInt8] = []
    private var tokens: [Int32] = []
    private var count = 0

    init() {
        slots = .allocate(capacity: 1 << Self.bits)
        slots.initialize(repeating: Slot(), count: 1 << Self.bits)
    }

    deinit { slots.deallocate() }

    /// Appends the tokens of a word, which is not empty; `encode` appends them if they are not known.
    @inline(__always)
    func appendTokens(
        of word: UnsafePointer<UInt8>, _ length: Int, to output: inout [Int32], _ encode: (inout [Int32]) -> Void
    ) {
        let hash = ByteHash.hash(word, length)
        if appendKnownTokens(of: word, length, hash: hash, to: &output) { return }
        let start = output.count
        encode(&output)
        insert(word, length, hash: hash, tokens: output[start...])
    }

    @inline(__always)
    private func appendKnownTokens(
        of word: UnsafePointer<UInt8>, _ length: Int, hash: UInt64, to output: inout [Int32]
    ) -> Bool {
        var index = Int(truncatingIfNeeded: hash) & (1 << Self.bits - 1)
        while slots[index].count != 0 {
            let slot = slots[index]
            if slot.hash == hash, Int(slot.count) == length,
                text.withUnsafeBufferPointer({ buffer in
                    buffer.baseAddress.map { ByteHash.equal($0 + Int(slot.offset), word, length) } ?? false
                })
            {
                let start = Int(slot.tokenOffset)
                if slot.tokenCount == 1 {
                    output.append(tokens[start])
                } else {
                    output.append(contentsOf: tokens[start..<start + Int(slot.tokenCount)])
                }
                return true
            }
            index = (index + 1) & (1 << Self.bits - 1)
        }
        return false
    }

    /// Remembers the tokens of a word that is not known yet.
    private func insert(_ word: UnsafePointer<UInt8>, _ length: Int, hash: UInt64, tokens newTokens: ArraySlice<Int32>)
    {
        if count >= Self.maximumCount { removeAll() }
        var index = Int(truncatingIfNeeded: hash) & (1 << Self.bits - 1)
        while slots[index].count != 0 { index = (index + 1) & (1 << Self.bits - 1) }
        slots[index] = Slot(
            hash: hash, offset: UInt32(text.count), tokenOffset: UInt32(tokens.count), count: UInt32(length),
            tokenCount: UInt32(newTokens.count))
        text.append(contentsOf: UnsafeBufferPointer(start: word, count: length))
        tokens.append(contentsOf: newTokens)
        count += 1
    }

    private func removeAll() {
        slots.update(repeating: Slot(), count: 1 << Self.bits)
        text.removeAll(keepingCapacity: true)
        tokens.removeAll(keepingCapacity: true)
        count = 0
    }
}

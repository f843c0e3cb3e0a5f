/// Counts how often words occur.
struct WordCounter {
    private var text: [UInt8] = []
    private var bounds: [(start: Int, count: Int)] = []
    private var hashes: [UInt64] = []
    /// How often each word occurs, in the order in which they came.
    private(set) var counts: [Int] = []
    private var slots: [Int32]

    init() { slots = [Int32](repeating: -1, count: 1 << 12) }

    /// The number of different words.
    var count: Int { counts.count }

    /// A word.
    func word(_ index: Int) -> ArraySlice<UInt8> {
        text[bounds[index].start..<bounds[index].start + bounds[index].count]
    }

    /// Counts one occurrence of a word.
    mutating func add(_ word: UnsafePointer<UInt8>, _ length: Int) {
        let hash = ByteHash.hash(word, length)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if hashes[index] == hash, isEqual(index, word, length) {
                counts[index] += 1
                return
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = Int32(counts.count)
        bounds.append((text.count, length))
        hashes.append(hash)
        counts.append(1)
        text.append(contentsOf: UnsafeBufferPointer(start: word, count: length))
        if counts.count * 2 > slots.count { grow() }
    }

    private func isEqual(_ index: Int, _ word: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        guard bounds[index].count == length else { return false }
        return text.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { ByteHash.equal($0 + bounds[index].start, word, length) } ?? false
        }
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for (index, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(index)
        }
    }
}

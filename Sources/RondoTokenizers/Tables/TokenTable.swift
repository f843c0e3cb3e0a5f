/// Tokens by their bytes and by their numbers, immutable once built.
///
/// Reading from several threads is safe because nothing is written after `init`.
final class TokenTable: @unchecked Sendable {
    private struct Slot {
        var id: Int32
        var count: UInt32
        var offset: Int
    }

    private static let emptySlot = Slot(id: -1, count: 0, offset: 0)

    private let text: UnsafeMutablePointer<UInt8>
    private let slots: UnsafeMutablePointer<Slot>
    private let mask: Int

    /// Builds the table; of equal byte strings the last one counts.
    init(_ tokens: [(bytes: [UInt8], id: Int32)]) {
        let size = tokens.reduce(0) { $0 + $1.bytes.count }
        text = .allocate(capacity: max(1, size))
        var bits = 4
        while 1 << bits < tokens.count * 2 { bits += 1 }
        mask = 1 << bits - 1
        slots = .allocate(capacity: 1 << bits)
        slots.initialize(repeating: Self.emptySlot, count: 1 << bits)
        var offset = 0
        for token in tokens {
            for (position, byte) in token.bytes.enumerated() { (text + offset + position).initialize(to: byte) }
            let index = find(text + offset, token.bytes.count)
            slots[index] = Slot(id: token.id, count: UInt32(truncatingIfNeeded: token.bytes.count), offset: offset)
            offset += token.bytes.count
        }
    }

    deinit {
        text.deallocate()
        slots.deallocate()
    }

    /// The slot that holds the bytes, or the empty one where they would be.
    @inline(__always)
    private func find(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        var index = Int(truncatingIfNeeded: ByteHash.hash(bytes, count)) & mask
        while slots[index].id >= 0 {
            if Int(slots[index].count) == count, ByteHash.equal(text + slots[index].offset, bytes, count) { break }
            index = (index + 1) & mask
        }
        return index
    }

    /// The number of the token with these bytes, or -1.
    @inline(__always)
    func id(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 { slots[find(bytes, count)].id }

    /// The number of the token with these bytes, if there is one.
    func id(of bytes: [UInt8]) -> Int32? {
        let id = bytes.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { self.id($0, buffer.count) } ?? emptyTokenID
        }
        return id < 0 ? nil : id
    }

    private var emptyTokenID: Int32 { slots[find(text, 0)].id }
}

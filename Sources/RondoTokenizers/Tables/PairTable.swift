/// A hash table from 64-bit keys to 64-bit values, open addressing in one block of memory, immutable once built.
///
/// Reading from several threads is safe because nothing is written after `init`.
final class PairTable: @unchecked Sendable {
    /// The key of no entry.
    private static let emptyKey = UInt64.max
    /// The value that stands for "no entry".
    static let missing = UInt64.max

    private let slots: UnsafeMutablePointer<(key: UInt64, value: UInt64)>
    private let mask: Int
    private let shift: UInt64

    /// Builds the table; of equal keys the last one counts.
    ///
    /// The key and the value `UInt64.max` are not allowed.
    init(_ entries: [(key: UInt64, value: UInt64)]) {
        var bits = 4
        while 1 << bits < entries.count * 2 { bits += 1 }
        let capacity = 1 << bits
        mask = capacity - 1
        shift = UInt64(64 - bits)
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: (Self.emptyKey, Self.missing), count: capacity)
        for entry in entries {
            var index = home(entry.key)
            while slots[index].key != Self.emptyKey, slots[index].key != entry.key { index = (index + 1) & mask }
            slots[index] = entry
        }
    }

    deinit { slots.deallocate() }

    @inline(__always)
    private func home(_ key: UInt64) -> Int {
        let mixed = (key ^ key >> 29) &* 0x9E37_79B9_7F4A_7C15
        let hash = (mixed ^ mixed >> 32) &* 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: hash >> shift)
    }

    /// The value of a key, or ``missing``.
    @inline(__always)
    func value(_ key: UInt64) -> UInt64 {
        var index = home(key)
        while true {
            let slot = slots[index]
            if slot.key == key { return slot.value }
            if slot.key == Self.emptyKey { return Self.missing }
            index = (index + 1) & mask
        }
    }
}

import RondoTensor

/// The Castagnoli cyclic redundancy check, as used by TFRecord, iSCSI and ext4.
public struct CRC32C: Sendable {
    private var register: UInt32 = 0xFFFF_FFFF

    /// Starts an empty check.
    public init() {}

    /// The check of `bytes` at once.
    ///
    /// - Parameter bytes: The data.
    /// - Returns: The check value.
    public static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var check = CRC32C()
        bytes.withUnsafeBytes { check.update($0) }
        return check.value
    }

    /// The check of all bytes so far.
    public var value: UInt32 { ~register }

    /// Adds bytes.
    ///
    /// - Parameter bytes: The next part of the data.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if !HardwareChecksum.crc32c(&register, bytes) { updateByTables(bytes) }
    }

    /// The same on any processor.
    package mutating func updateByTables(_ bytes: UnsafeRawBufferPointer) {
        Self.tables.withUnsafeBufferPointer { tables in
            var state = register
            var index = 0
            // Eight bytes per round: each table advances one byte's contribution past those that follow it.
            while index + 8 <= bytes.count {
                let word =
                    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(state)
                state = 0
                for lane in 0..<8 {
                    state ^= tables[(7 - lane) * 256 + Int(truncatingIfNeeded: (word >> (8 * UInt64(lane))) & 0xFF)]
                }
                index += 8
            }
            while index < bytes.count {
                state = (state >> 8) ^ tables[Int((state ^ UInt32(bytes[index])) & 0xFF)]
                index += 1
            }
            register = state
        }
    }

    /// Eight tables of 256 entries; entry `b` of table `k` is the check of byte `b` followed by `k` zero bytes.
    private static let tables: [UInt32] = {
        let polynomial: UInt32 = 0x82F6_3B78
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            tables[byte] = (0..<8).reduce(UInt32(byte)) { value, _ in (value >> 1) ^ (value & 1 == 1 ? polynomial : 0) }
        }
        for index in 256..<tables.count {
            let previous = tables[index - 256]
            tables[index] = (previous >> 8) ^ tables[Int(previous & 0xFF)]
        }
        return tables
    }()
}

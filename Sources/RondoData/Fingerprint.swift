/// A 64-bit fingerprint of bytes (XXH64, seed 0): tells whether a text changed, is no protection against intent.
struct Fingerprint: Equatable, CustomStringConvertible {
    let value: UInt64

    /// The algorithm and the value in sixteen hexadecimal digits.
    var description: String {
        let digits = String(value, radix: 16)
        return "xxh64:" + String(repeating: "0", count: 16 - digits.count) + digits
    }

    init(_ bytes: [UInt8]) {
        value = bytes.withUnsafeBytes(Self.hash)
    }

    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let stripes = bytes.count / 32
        var hash = stripes > 0 ? merged(lanes(of: bytes, stripes: stripes)) : prime5
        hash &+= UInt64(bytes.count)
        hash = absorb(bytes, from: stripes * 32, into: hash)
        hash = (hash ^ hash >> 33) &* prime2
        hash = (hash ^ hash >> 29) &* prime3
        return hash ^ hash >> 32
    }

    /// Four independent lanes over the whole 32-byte stripes.
    private static func lanes(of bytes: UnsafeRawBufferPointer, stripes: Int) -> SIMD4<UInt64> {
        var lanes = SIMD4<UInt64>(prime1 &+ prime2, prime2, 0, 0 &- prime1)
        for stripe in 0..<stripes {
            for lane in 0..<4 {
                lanes[lane] = round(lanes[lane], word(bytes, at: stripe * 32 + lane * 8))
            }
        }
        return lanes
    }

    private static func merged(_ lanes: SIMD4<UInt64>) -> UInt64 {
        var hash =
            rotate(lanes[0], by: 1) &+ rotate(lanes[1], by: 7) &+ rotate(lanes[2], by: 12) &+ rotate(lanes[3], by: 18)
        for lane in 0..<4 {
            hash = (hash ^ round(0, lanes[lane])) &* prime1 &+ prime4
        }
        return hash
    }

    /// The bytes after the last stripe: words of eight, one of four, then singly.
    private static func absorb(_ bytes: UnsafeRawBufferPointer, from start: Int, into hash: UInt64) -> UInt64 {
        var hash = hash
        var offset = start
        while offset + 8 <= bytes.count {
            hash = rotate(hash ^ round(0, word(bytes, at: offset)), by: 27) &* prime1 &+ prime4
            offset += 8
        }
        if offset + 4 <= bytes.count {
            let half = UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            hash = rotate(hash ^ half &* prime1, by: 23) &* prime2 &+ prime3
            offset += 4
        }
        for byte in bytes[offset...] {
            hash = rotate(hash ^ UInt64(byte) &* prime5, by: 11) &* prime1
        }
        return hash
    }

    private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        rotate(lane &+ word &* prime2, by: 31) &* prime1
    }

    private static func rotate(_ value: UInt64, by count: UInt64) -> UInt64 {
        value &<< count | value &>> (64 - count)
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

/// The counter-based generator Philox4x32-10, for scalar draws without state.
///
/// A draw depends on nothing but its key, stream and offset: any of them can be repeated, skipped or made out of order.
public enum Philox {
    /// Makes the four 32-bit words of one block.
    ///
    /// - Parameters:
    ///   - key: Usually the seed.
    ///   - stream: Tells independent uses of the same seed apart.
    ///   - block: The position within the stream.
    /// - Returns: Four independent words.
    public static func words(key: UInt64, stream: UInt64, block: UInt64) -> SIMD4<UInt32> {
        var counter = SIMD4(low(block), high(block), low(stream), high(stream))
        var (key0, key1) = (low(key), high(key))
        for _ in 0..<10 {
            let product0 = UInt64(counter[0]) * 0xD251_1F53
            let product1 = UInt64(counter[2]) * 0xCD9E_8D57
            counter = SIMD4(
                high(product1) ^ counter[1] ^ key0, low(product1),
                high(product0) ^ counter[3] ^ key1, low(product0))
            key0 &+= 0x9E37_79B9
            key1 &+= 0xBB67_AE85
        }
        return counter
    }

    /// Makes a uniform number in `[0, 1)` with 53 random bits.
    ///
    /// - Parameters:
    ///   - key: Usually the seed.
    ///   - stream: Tells independent uses of the same seed apart.
    ///   - block: The position within the stream.
    /// - Returns: A multiple of 2^-53.
    public static func uniform(key: UInt64, stream: UInt64, block: UInt64) -> Double {
        let words = words(key: key, stream: stream, block: block)
        let bits = UInt64(words[1]) << 32 | UInt64(words[0])
        return Double(bits >> 11) * 0x1p-53
    }

    private static func low(_ value: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: value) }
    private static func high(_ value: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: value >> 32) }
}

import RondoTensor

/// SentencePiece's own normalization: a double-array trie from byte strings to replacements.
///
/// The map is applied to grapheme clusters of up to five bytes as a whole, otherwise character by character, and of all
/// entries that are a prefix the shortest wins, as in the `tokenizers` library.
struct PrecompiledCharacterMap: Sendable {
    private let units: [UInt32]
    private let replacements: [UInt8]
    /// Whether the map leaves every single ASCII character as it is.
    private var keepsASCII = false

    /// Reads the map from its Base64 form.
    ///
    /// - Throws: `RondoError` if it is damaged.
    init(base64: String) throws {
        let damage = RondoError(.corruptFile, "the precompiled character map is damaged")
        guard let bytes = Self.decodeBase64(base64), bytes.count >= 4 else { throw damage }
        let size = Int(Self.word(bytes, 0))
        guard size % 4 == 0, size > 0, size <= bytes.count - 4 else { throw damage }
        units = stride(from: 4, to: 4 + size, by: 4).map { Self.word(bytes, $0) }
        replacements = Array(bytes[(4 + size)...])
        guard String(validating: replacements, as: UTF8.self) != nil else { throw damage }
        keepsASCII = (1..<UInt8(0x80)).allSatisfy { replacement(of: [$0]) == nil }
    }

    /// The text after the map; `text` is well-formed.
    func apply(to text: [UInt8]) -> [UInt8] {
        if keepsASCII, text.allSatisfy({ $0 < 0x80 }) { return text }
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        for cluster in String(decoding: text, as: UTF8.self) {
            let bytes = Array(cluster.utf8)
            if bytes.count < 6, let replacement = replacement(of: bytes) {
                output += replacement
                continue
            }
            for scalar in cluster.unicodeScalars {
                let bytes = Array(UTF8.encode(scalar) ?? .init())
                if let replacement = replacement(of: bytes) { output += replacement } else { output += bytes }
            }
        }
        return output
    }

    /// What the shortest known prefix of a key is replaced with, up to the next NUL.
    private func replacement(of key: [UInt8]) -> ArraySlice<UInt8>? {
        var node = offset(units[0])
        for byte in key where byte != 0 {
            node ^= Int(byte)
            guard node < units.count, units[node] & 0x8000_00FF == UInt32(byte) else { return nil }
            let unit = units[node]
            node ^= offset(unit)
            guard unit >> 8 & 1 == 1 else { continue }
            guard node < units.count else { return nil }
            let start = Int(units[node] & 0x7FFF_FFFF)
            guard start < replacements.count else { return nil }
            return replacements[start...].prefix { $0 != 0 }
        }
        return nil
    }

    private func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 1 << 9) >> 6) }

    private static func word(_ bytes: [UInt8], _ index: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[index + $1]) << UInt32(8 * $1) }
    }

    private static func decodeBase64(_ text: String) -> [UInt8]? {
        var result: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 where byte != UInt8(ascii: "=") {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - 97 + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - 48 + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return result
    }
}

/// The printable characters that byte-level tokenizers write bytes as: GPT-2's alphabet.
enum ByteAlphabet {
    /// The character of each byte: itself if it is printable Latin-1, otherwise one from U+0100 on.
    static let scalars: [UInt32] = {
        var next: UInt32 = 0x100
        return (0..<UInt32(256)).map { byte in
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                return byte
            }
            defer { next += 1 }
            return next
        }
    }()

    /// The byte of each character below U+0144, or -1.
    static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
        return bytes
    }()

    /// The UTF-8 form of each byte's character.
    static let encoded: [[UInt8]] = scalars.map { scalar in
        var bytes: [UInt8] = []
        UTF8Text.append(scalar, to: &bytes)
        return bytes
    }

    /// The characters of bytes, in UTF-8.
    static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] { bytes.flatMap { encoded[Int($0)] } }

    /// The bytes of characters, or `nil` if one of them is not of this alphabet.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var lead: UInt32?
        for byte in text {
            let scalar: UInt32
            if let high = lead {
                guard byte & 0xC0 == 0x80 else { return nil }
                scalar = (high & 0x1F) << 6 | UInt32(byte & 0x3F)
                lead = nil
            } else if byte < 0x80 {
                scalar = UInt32(byte)
            } else {
                guard (0xC2...0xC5).contains(byte) else { return nil }
                lead = UInt32(byte)
                continue
            }
            guard scalar < UInt32(bytes.count), bytes[Int(scalar)] >= 0 else { return nil }
            result.append(UInt8(bytes[Int(scalar)]))
        }
        return lead == nil ? result : nil
    }
}

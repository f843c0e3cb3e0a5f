/// Lower case and case folding, character by character, without regard to neighbours or languages.
enum CaseMapping {
    /// The lower case of a well-formed text.
    static func lowercased(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        text.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            var index = 0
            while index < buffer.count {
                let byte = bytes[index]
                if byte < 0x80 {
                    result.append((0x41...0x5A).contains(byte) ? byte | 0x20 : byte)
                    index += 1
                    continue
                }
                let (value, length) = UTF8Text.scalar(bytes, at: index, end: buffer.count)
                if mayHaveCase(value), let scalar = Unicode.Scalar(value) {
                    result += scalar.properties.lowercaseMapping.utf8
                } else {
                    result += buffer[index..<index + length]
                }
                index += length
            }
        }
        return result
    }

    /// Only these categories have lower-case forms.
    private static func mayHaveCase(_ value: UInt32) -> Bool {
        switch CharacterTable.category(value) {
        case .uppercaseLetter, .titlecaseLetter, .letterNumber, .otherSymbol: true
        default: false
        }
    }

    /// A scalar that all case variants of `value` share.
    static func folded(_ value: UInt32) -> UInt32 {
        if value < 0x80 { return (0x41...0x5A).contains(value) ? value | 0x20 : value }
        guard let scalar = Unicode.Scalar(value) else { return value }
        guard let upper = single(scalar.properties.uppercaseMapping),
            let lower = single(upper.properties.lowercaseMapping)
        else { return value }
        return lower.value
    }

    private static func single(_ text: String) -> Unicode.Scalar? {
        text.unicodeScalars.count == 1 ? text.unicodeScalars.first : nil
    }
}

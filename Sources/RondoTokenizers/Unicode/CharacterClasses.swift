/// Classes of characters as the `tokenizers` library draws them.
///
/// Some of its dependencies froze an old version of Unicode. Models were trained with what these say, so the classes
/// here follow them: by the age of a character, and by the few characters whose category has changed since.
enum CharacterClasses {
    /// Punctuation of the Punctuation and BERT pre-tokenizers: ASCII punctuation and symbols, and `P*` of Unicode 8.
    static func isPunctuation(_ value: UInt32) -> Bool {
        if value < 0x80 {
            return (0x21...0x2F).contains(value) || (0x3A...0x40).contains(value) || (0x5B...0x60).contains(value)
                || (0x7B...0x7E).contains(value)
        }
        if value == 0x166D || value == 0x111C9 { return true }
        return CharacterTable.category(value).isPunctuation && isAssigned(value, by: 8)
    }

    /// Numbers of the Digits pre-tokenizer: `N*`.
    static func isNumeric(_ value: UInt32) -> Bool { CharacterTable.category(value).isNumber }

    /// The accents that BERT's normalizer removes: `Mn` of Unicode 8.
    static func isNonspacingMark(_ value: UInt32) -> Bool {
        switch value {
        case 0..<0x300: false
        case 0x1734, 0x1171E: true
        case 0x1885, 0x1886, 0xA9BD, 0x111C9: false
        default: CharacterTable.category(value) == .nonspacingMark && isAssigned(value, by: 8)
        }
    }

    /// The accents that the StripAccents normalizer removes: `M*` of Unicode 9.
    static func isCombiningMark(_ value: UInt32) -> Bool {
        switch value {
        case 0..<0x300: false
        case 0x1CF2, 0x1CF3: true
        case 0x111C9: false
        default: CharacterTable.category(value).isMark && isAssigned(value, by: 9)
        }
    }

    /// What BERT's normalizer removes as control characters: `Cc`, `Cf` and `Co` of Unicode 8, NUL and U+FFFD.
    static func isBertControl(_ value: UInt32) -> Bool {
        switch value {
        case 0x09, 0x0A, 0x0D: return false
        case 0, UTF8Text.replacement: return true
        default:
            let category = CharacterTable.category(value)
            return category == .control || category == .privateUse
                || (category == .format && isAssigned(value, by: 8))
        }
    }

    /// The blocks of ideographs that BERT's normalizer surrounds with spaces.
    static func isChinese(_ value: UInt32) -> Bool {
        switch value {
        case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
            0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }

    /// Whether a scalar was assigned in a major version of Unicode.
    static func isAssigned(_ value: UInt32, by major: Int) -> Bool {
        guard let age = Unicode.Scalar(value)?.properties.age else { return false }
        return age.major < major || (age.major == major && age.minor == 0)
    }
}

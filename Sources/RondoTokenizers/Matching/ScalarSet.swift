/// A class of characters in a pattern: `[^\s\p{L}0-9]`.
struct ScalarSet: Sendable, Equatable {
    /// Something that a class lists.
    indirect enum Member: Sendable, Equatable {
        case range(ClosedRange<UInt32>)
        /// A bit for each general category.
        case categories(UInt32)
        case whitespace
        case word
        case set(ScalarSet)
    }

    private(set) var members: [Member]
    /// Further classes that a character must be in as well.
    private(set) var intersections: [ScalarSet]
    private(set) var isNegated: Bool
    private(set) var ignoresCase: Bool
    /// The answers for ASCII.
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    init(
        _ members: [Member], intersections: [ScalarSet] = [], isNegated: Bool = false, ignoresCase: Bool = false
    ) {
        self.members = members
        self.intersections = intersections
        self.isNegated = isNegated
        self.ignoresCase = ignoresCase
        for value in 0..<UInt32(64) where computedContains(value) { low |= 1 << UInt64(value) }
        for value in 64..<UInt32(128) where computedContains(value) { high |= 1 << UInt64(value - 64) }
    }

    /// Whether the class holds a character.
    @inline(__always)
    func contains(_ value: UInt32) -> Bool {
        if value < 64 { return low >> UInt64(value) & 1 != 0 }
        if value < 128 { return high >> UInt64(value - 64) & 1 != 0 }
        return computedContains(value)
    }

    private func computedContains(_ value: UInt32) -> Bool {
        if holds(value) { return !isNegated }
        guard ignoresCase else { return isNegated }
        let folded = CaseMapping.folded(value)
        if folded != value, holds(folded) { return !isNegated }
        guard let upper = Unicode.Scalar(folded)?.properties.uppercaseMapping.unicodeScalars, upper.count == 1,
            let variant = upper.first
        else { return isNegated }
        return holds(variant.value) != isNegated
    }

    private func holds(_ value: UInt32) -> Bool {
        members.contains { Self.holds($0, value) } && intersections.allSatisfy { $0.contains(value) }
    }

    private static func holds(_ member: Member, _ value: UInt32) -> Bool {
        switch member {
        case .range(let range): range.contains(value)
        case .categories(let mask):
            mask >> UInt32(CharacterTable.entry(value) & CharacterTable.categoryMask) & 1 != 0
        case .whitespace: CharacterTable.isWhitespace(value)
        case .word: isOnigurumaWord(value)
        case .set(let set): set.contains(value)
        }
    }

    /// Oniguruma counts the fractions and superscripts of Latin-1 among the characters of words.
    static func isOnigurumaWord(_ value: UInt32) -> Bool {
        switch value {
        case 0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE: true
        case 0x200C, 0x200D: false
        default: CharacterTable.isWord(value)
        }
    }
}

extension ScalarSet {
    private typealias Category = CharacterTable.Category

    /// The class that a property name stands for: `L`, `Lu`, `Letter`, `Han`.
    static func property(_ name: String) -> ScalarSet? {
        let key = String(name.lowercased().filter { $0 != "_" && $0 != " " && $0 != "-" })
        if let categories = categoryNames[key] {
            return ScalarSet([.categories(categories.reduce(0) { $0 | 1 << UInt32($1.rawValue) })])
        }
        switch key {
        case "space", "whitespace": return ScalarSet([.whitespace])
        case "word": return ScalarSet([.word])
        case "any": return ScalarSet([.range(0...0x10FFFF)])
        case "ascii": return ScalarSet([.range(0...0x7F)])
        default: return scripts[key].map { ScalarSet($0.map { .range($0) }) }
        }
    }

    private static let letters: [Category] = [
        .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
    ]
    private static let marks: [Category] = [.nonspacingMark, .spacingMark, .enclosingMark]
    private static let numbers: [Category] = [.decimalNumber, .letterNumber, .otherNumber]
    private static let punctuation: [Category] = [
        .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation, .otherPunctuation,
    ]
    private static let symbols: [Category] = [.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol]
    private static let separators: [Category] = [.spaceSeparator, .lineSeparator, .paragraphSeparator]
    private static let others: [Category] = [.control, .format, .surrogate, .privateUse, .unassigned]

    private static let categoryNames: [String: [Category]] = [
        "l": letters, "letter": letters, "m": marks, "mark": marks, "n": numbers, "number": numbers,
        "p": punctuation, "punctuation": punctuation, "s": symbols, "symbol": symbols, "z": separators,
        "separator": separators, "c": others, "other": others,
        "lu": [.uppercaseLetter], "ll": [.lowercaseLetter], "lt": [.titlecaseLetter], "lm": [.modifierLetter],
        "lo": [.otherLetter], "mn": [.nonspacingMark], "mc": [.spacingMark], "me": [.enclosingMark],
        "nd": [.decimalNumber], "nl": [.letterNumber], "no": [.otherNumber], "pc": [.connectorPunctuation],
        "pd": [.dashPunctuation], "ps": [.openPunctuation], "pe": [.closePunctuation],
        "pi": [.initialPunctuation], "pf": [.finalPunctuation], "po": [.otherPunctuation], "sm": [.mathSymbol],
        "sc": [.currencySymbol], "sk": [.modifierSymbol], "so": [.otherSymbol], "zs": [.spaceSeparator],
        "zl": [.lineSeparator], "zp": [.paragraphSeparator], "cc": [.control], "cf": [.format],
        "cs": [.surrogate], "co": [.privateUse], "cn": [.unassigned],
        "uppercaseletter": [.uppercaseLetter], "lowercaseletter": [.lowercaseLetter],
        "decimalnumber": [.decimalNumber], "nonspacingmark": [.nonspacingMark],
    ]

    /// The scripts that patterns of tokenizers name (Scripts.txt of Unicode 16).
    private static let scripts: [String: [ClosedRange<UInt32>]] = [
        "han": [
            0x2E80...0x2E99, 0x2E9B...0x2EF3, 0x2F00...0x2FD5, 0x3005...0x3005, 0x3007...0x3007, 0x3021...0x3029,
            0x3038...0x303B, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFA6D, 0xFA70...0xFAD9, 0x16FE2...0x16FE3,
            0x16FF0...0x16FF1, 0x20000...0x2A6DF, 0x2A700...0x2B739, 0x2B740...0x2B81D, 0x2B820...0x2CEA1,
            0x2CEB0...0x2EBE0, 0x2EBF0...0x2EE5D, 0x2F800...0x2FA1D, 0x30000...0x3134A, 0x31350...0x323AF,
        ],
        "hiragana": [
            0x3041...0x3096, 0x309D...0x309F, 0x1B001...0x1B11F, 0x1B132...0x1B132, 0x1B150...0x1B152,
            0x1F200...0x1F200,
        ],
        "katakana": [
            0x30A1...0x30FA, 0x30FD...0x30FF, 0x31F0...0x31FF, 0x32D0...0x32FE, 0x3300...0x3357, 0xFF66...0xFF6F,
            0xFF71...0xFF9D, 0x1AFF0...0x1AFF3, 0x1AFF5...0x1AFFB, 0x1AFFD...0x1AFFE, 0x1B000...0x1B000,
            0x1B120...0x1B122, 0x1B155...0x1B155, 0x1B164...0x1B167,
        ],
        "hangul": [
            0x1100...0x11FF, 0x302E...0x302F, 0x3131...0x318E, 0x3200...0x321E, 0x3260...0x327E, 0xA960...0xA97C,
            0xAC00...0xD7A3, 0xD7B0...0xD7C6, 0xD7CB...0xD7FB, 0xFFA0...0xFFBE, 0xFFC2...0xFFC7, 0xFFCA...0xFFCF,
            0xFFD2...0xFFD7, 0xFFDA...0xFFDC,
        ],
    ]
}

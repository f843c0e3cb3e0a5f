/// General categories of all characters in one table, for loops that cannot afford a call for each character.
///
/// The properties come from the standard library's Unicode version. Characters that are newer than the version that
/// the `tokenizers` library was built with are therefore classified here and unassigned there.
enum CharacterTable {
    /// The low five bits of an entry.
    static let categoryMask: UInt8 = 0x1F
    /// The bit of white space (`White_Space`).
    static let whitespaceBit: UInt8 = 0x20
    /// The bit of word characters: alphabetic, marks, decimal digits, connectors and join controls (UTS 18).
    static let wordBit: UInt8 = 0x40

    /// The number of tabulated scalars, planes 0 to 3; those above are private use or unassigned, but for a few marks.
    private static let count: UInt32 = 0x32400

    /// The entries; immutable after they have been built, and never freed.
    nonisolated(unsafe) static let entries: UnsafePointer<UInt8> = {
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: Int(count))
        for value in 0..<count { table[Int(value)] = computedEntry(value) }
        return UnsafePointer(table)
    }()

    /// The entry of a scalar: its category and bits.
    @inline(__always)
    static func entry(_ value: UInt32, _ entries: UnsafePointer<UInt8> = CharacterTable.entries) -> UInt8 {
        value < count ? entries[Int(value)] : computedEntry(value)
    }

    private static func computedEntry(_ value: UInt32) -> UInt8 {
        guard let scalar = Unicode.Scalar(value) else { return Category.surrogate.rawValue }
        let properties = scalar.properties
        let category = Category(properties.generalCategory)
        var entry = category.rawValue
        switch category {
        case _ where category.isLetter || category.isMark, .decimalNumber, .connectorPunctuation: entry |= wordBit
        case .spaceSeparator, .lineSeparator, .paragraphSeparator, .control:
            if properties.isWhitespace { entry |= whitespaceBit }
        case .unassigned, .privateUse: break
        default: if properties.isAlphabetic || properties.isJoinControl { entry |= wordBit }
        }
        return entry
    }

    /// General categories, ordered so that the major classes are intervals.
    enum Category: UInt8 {
        case uppercaseLetter, lowercaseLetter, titlecaseLetter, modifierLetter, otherLetter
        case decimalNumber, letterNumber, otherNumber
        case nonspacingMark, spacingMark, enclosingMark
        case connectorPunctuation, dashPunctuation, openPunctuation, closePunctuation
        case initialPunctuation, finalPunctuation, otherPunctuation
        case mathSymbol, currencySymbol, modifierSymbol, otherSymbol
        case spaceSeparator, lineSeparator, paragraphSeparator
        case control, format, surrogate, privateUse, unassigned

        var isLetter: Bool { rawValue <= Self.otherLetter.rawValue }
        var isNumber: Bool { (Self.decimalNumber.rawValue...Self.otherNumber.rawValue).contains(rawValue) }
        var isMark: Bool { (Self.nonspacingMark.rawValue...Self.enclosingMark.rawValue).contains(rawValue) }
        var isPunctuation: Bool {
            (Self.connectorPunctuation.rawValue...Self.otherPunctuation.rawValue).contains(rawValue)
        }

        init(_ category: Unicode.GeneralCategory) {
            self =
                switch category {
                case .uppercaseLetter: .uppercaseLetter
                case .lowercaseLetter: .lowercaseLetter
                case .titlecaseLetter: .titlecaseLetter
                case .modifierLetter: .modifierLetter
                case .otherLetter: .otherLetter
                case .decimalNumber: .decimalNumber
                case .letterNumber: .letterNumber
                case .otherNumber: .otherNumber
                case .nonspacingMark: .nonspacingMark
                case .spacingMark: .spacingMark
                case .enclosingMark: .enclosingMark
                case .connectorPunctuation: .connectorPunctuation
                case .dashPunctuation: .dashPunctuation
                case .openPunctuation: .openPunctuation
                case .closePunctuation: .closePunctuation
                case .initialPunctuation: .initialPunctuation
                case .finalPunctuation: .finalPunctuation
                case .otherPunctuation: .otherPunctuation
                case .mathSymbol: .mathSymbol
                case .currencySymbol: .currencySymbol
                case .modifierSymbol: .modifierSymbol
                case .otherSymbol: .otherSymbol
                case .spaceSeparator: .spaceSeparator
                case .lineSeparator: .lineSeparator
                case .paragraphSeparator: .paragraphSeparator
                case .control: .control
                case .format: .format
                case .surrogate: .surrogate
                case .privateUse: .privateUse
                case .unassigned: .unassigned
                @unknown default: .unassigned
                }
        }
    }

    /// The category of a scalar.
    static func category(_ value: UInt32) -> Category {
        Category(rawValue: entry(value) & categoryMask) ?? .unassigned
    }

    /// Whether a scalar is white space.
    @inline(__always)
    static func isWhitespace(_ value: UInt32) -> Bool { entry(value) & whitespaceBit != 0 }

    /// Whether a scalar belongs to words.
    @inline(__always)
    static func isWord(_ value: UInt32) -> Bool { entry(value) & wordBit != 0 }
}

/// What characters are made of, and what they can be made into: the data behind the normalization forms.
///
/// The standard library normalizes only behind closed doors, so the package brings its own table. It is limited to the
/// Unicode version of the `tokenizers` library's own table (12.0): a text must become the tokens it was trained as.
final class Decompositions: Sendable {
    static let shared = Decompositions()

    /// The characters that change under a form, to skip all others at the cost of one bit.
    private let canonicalBits: [UInt64]
    private let compatibilityBits: [UInt64]
    private let canonical: [UInt32: [UInt32]]
    private let compatibility: [UInt32: [UInt32]]
    private let composites: [UInt64: UInt32]
    private let combiningClasses: [UInt8]

    private static let bitCount = 0x30000
    private static let combiningCount: UInt32 = 0x1F000

    private struct Record {
        let parts: [UInt32]
        let kind: Int
    }

    private init() {
        let records = Self.records()
        var canonical: [UInt32: [UInt32]] = [:]
        var compatibility: [UInt32: [UInt32]] = [:]
        var composites: [UInt64: UInt32] = [:]
        var canonicalBits = [UInt64](repeating: 0, count: Self.bitCount / 64)
        var compatibilityBits = canonicalBits
        for (scalar, record) in records {
            if record.kind == 1 { composites[Self.key(record.parts[0], record.parts[1])] = scalar }
            if record.kind < 2 {
                canonical[scalar] = Self.expanded(scalar, records, compatibly: false)
                canonicalBits[Int(scalar) / 64] |= 1 << UInt64(scalar % 64)
            }
            compatibility[scalar] = Self.expanded(scalar, records, compatibly: true)
            compatibilityBits[Int(scalar) / 64] |= 1 << UInt64(scalar % 64)
        }
        self.canonical = canonical
        self.compatibility = compatibility
        self.composites = composites
        self.canonicalBits = canonicalBits
        self.compatibilityBits = compatibilityBits
        combiningClasses = (0..<Self.combiningCount).map { value in
            guard value >= 0x300, let properties = Unicode.Scalar(value)?.properties else { return 0 }
            return properties.canonicalCombiningClass.rawValue
        }
    }

    private static func key(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) << 32 | UInt64(second) }

    private static func expanded(
        _ scalar: UInt32, _ records: [UInt32: Record], compatibly: Bool
    ) -> [UInt32] {
        guard let record = records[scalar], compatibly || record.kind < 2 else { return [scalar] }
        return record.parts.flatMap { expanded($0, records, compatibly: compatibly) }
    }

    /// Reads the table that the generator wrote.
    private static func records() -> [UInt32: Record] {
        DecompositionData.records.withUTF8Buffer { text in
            var records: [UInt32: Record] = [:]
            var index = 0
            var scalar = 0
            var part = 0
            while index < text.count {
                scalar += number(text, &index)
                let header = number(text, &index)
                let parts = (0..<header / 3).map { _ -> UInt32 in
                    let folded = number(text, &index)
                    part += folded & 1 == 0 ? folded / 2 : -(folded + 1) / 2
                    return UInt32(truncatingIfNeeded: part)
                }
                let value = UInt32(truncatingIfNeeded: scalar)
                if CharacterClasses.isAssigned(value, by: 12) {
                    records[value] = Record(parts: parts, kind: header % 3)
                }
            }
            return records
        }
    }

    private static func number(_ text: UnsafeBufferPointer<UInt8>, _ index: inout Int) -> Int {
        var value = 0
        var shift = 0
        while index < text.count {
            let digit = digitValue(text[index])
            index += 1
            value |= (digit & 31) << shift
            shift += 5
            if digit < 32 { break }
        }
        return value
    }

    private static func digitValue(_ character: UInt8) -> Int {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(character) - 48
        case UInt8(ascii: "a")...UInt8(ascii: "v"): Int(character) - 97 + 10
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(character) - 65 + 32
        case UInt8(ascii: "+"): 58
        case UInt8(ascii: "-"): 59
        case UInt8(ascii: "*"): 60
        case UInt8(ascii: "/"): 61
        case UInt8(ascii: "="): 62
        default: 63
        }
    }

    /// The order of combining marks: 0 for characters that marks attach to.
    func combiningClass(_ scalar: UInt32) -> UInt8 {
        scalar < Self.combiningCount ? combiningClasses[Int(scalar)] : 0
    }

    /// Appends the full decomposition of a character.
    func appendDecomposition(of scalar: UInt32, compatibly: Bool, to scalars: inout [UInt32]) {
        if Hangul.isSyllable(scalar) { return Hangul.appendDecomposition(of: scalar, to: &scalars) }
        let bits = compatibly ? compatibilityBits : canonicalBits
        if scalar < Self.bitCount, bits[Int(scalar) / 64] >> UInt64(scalar % 64) & 1 != 0,
            let parts = compatibly ? compatibility[scalar] : canonical[scalar]
        {
            scalars += parts
        } else {
            scalars.append(scalar)
        }
    }

    /// The character that two characters compose to, if any.
    func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
        Hangul.composite(first, second) ?? composites[Self.key(first, second)]
    }
}

/// The syllables of Hangul, which compose by arithmetic (Unicode standard, section 3.12).
private enum Hangul {
    private static let syllables: UInt32 = 0xAC00
    private static let leads: UInt32 = 0x1100
    private static let vowels: UInt32 = 0x1161
    private static let trails: UInt32 = 0x11A7
    private static let leadCount: UInt32 = 19
    private static let vowelCount: UInt32 = 21
    private static let trailCount: UInt32 = 28
    private static let syllableCount = leadCount * vowelCount * trailCount

    static func isSyllable(_ scalar: UInt32) -> Bool { scalar &- syllables < syllableCount }

    static func appendDecomposition(of scalar: UInt32, to scalars: inout [UInt32]) {
        let index = scalar - syllables
        scalars.append(leads + index / (vowelCount * trailCount))
        scalars.append(vowels + index % (vowelCount * trailCount) / trailCount)
        if index % trailCount != 0 { scalars.append(trails + index % trailCount) }
    }

    static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if first &- leads < leadCount, second &- vowels < vowelCount {
            return syllables + ((first - leads) * vowelCount + second - vowels) * trailCount
        }
        let isOpen = isSyllable(first) && (first - syllables) % trailCount == 0
        guard isOpen, second > trails, second < trails + trailCount else { return nil }
        return first + second - trails
    }
}

import Glibc
public import RondoIO
import RondoTensor

/// Damages documents in the ways that find faults of readers: a seeded sequence of them, the same on every machine.
public struct Mutator {
    private var generator: Generator

    /// Begins the sequence of a seed.
    public init(seed: UInt64) { generator = Generator(seed: seed) }

    /// A number below `limit`.
    public mutating func draw(_ limit: Int) -> Int { Int.random(in: 0..<max(1, limit), using: &generator) }

    /// One of several.
    public mutating func pick<Element>(_ elements: [Element]) -> Element { elements[draw(elements.count)] }

    // MARK: - Bytes

    /// Flips, cuts, repeats, inserts or overwrites some bytes.
    public mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var copy = bytes
        for _ in 0...draw(3) {
            guard !copy.isEmpty else { return copy }
            let (place, length) = (draw(copy.count), 1 + draw(16))
            let piece = place..<min(copy.count, place + length)
            switch draw(7) {
            case 0: copy[place] ^= 1 << UInt8(draw(8))
            case 1: copy[place] = pick([0, 0x22, 0x5B, 0x7B, 0x7F, 0x80, 0xC0, 0xED, 0xFF])
            case 2: copy.removeSubrange(place...)
            case 3: copy.removeSubrange(piece)
            case 4: copy.insert(contentsOf: copy[piece], at: draw(copy.count))
            case 5: copy.insert(contentsOf: (0..<length).map { _ in UInt8(draw(256)) }, at: place)
            default: for index in piece { copy[index] = UInt8(draw(256)) }
            }
        }
        return copy
    }

    /// The eight bytes that a file of a kind begins with, of a wrong length.
    public mutating func length() -> [UInt8] {
        let value = pick([
            0, 1, 8, 1 << 20, 100_000_000, 100_000_001, 1 << 31, 1 << 32, 1 << 62, UInt64.max, UInt64.max - 7,
        ])
        return withUnsafeBytes(of: (value &+ UInt64(draw(3))).littleEndian) { Array($0) }
    }

    // MARK: - Documents

    /// Numbers at which arithmetic goes wrong.
    private static let extremes = [
        "0", "-1", "1", "2", "3", "1000", "65536", "1000000", "16777216", "2147483648", "4294967296",
        "1152921504606846976",
        "4611686018427387904", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "1e18", "1e19",
        "1e300", "1e400", "-1e300", "1e-300", "0.5", "-0.0", "0.1", "3e0", "1.5",
    ]

    /// Changes one value somewhere in a document: another kind, an extreme, a missing, doubled or unknown key.
    public mutating func changed(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(var object) where object.count > 0 && draw(8) > 0:
            let key = pick(object.keys)
            switch draw(10) {
            case 0: object[key] = nil
            case 1:
                let other = pick(["", "\u{0}", "Infinity", key + "_", String(repeating: "k", count: 5000)])
                object[other] = object[key]
            case 2: object[key] = object[pick(object.keys)]
            default: object[key] = changed(object[key] ?? .null)
            }
            return .object(object)
        case .array(var elements) where !elements.isEmpty && draw(8) > 0:
            let place = draw(elements.count)
            switch draw(6) {
            case 0: elements.remove(at: place)
            case 1: elements.insert(elements[place], at: place)
            case 2: elements += Array(repeating: elements[place], count: draw(300))
            default: elements[place] = changed(elements[place])
            }
            return .array(elements)
        default: return scalar(value)
        }
    }

    private mutating func scalar(_ value: JSONValue) -> JSONValue {
        switch draw(12) {
        case 0: return .null
        case 1: return .bool(draw(2) == 0)
        case 2:
            let texts = ["", "a", "Infinity", "../x", "\u{0}", "é\u{301}", String(repeating: "x", count: 9000)]
            return .string(pick(texts))
        case 3: return .array(draw(2) == 0 ? [] : [value, value])
        case 4: return ["__float__": .string(pick(["Infinity", "-Infinity", "NaN", "1"]))]
        case 5: return (0..<pick([3, 199, 200, 5000])).reduce(value) { nested, _ in .array([nested]) }
        default: return .number(literal: pick(Self.extremes))
        }
    }

    /// The text of a document, sometimes with a repeated key or a bare infinity.
    public mutating func text(_ value: JSONValue) -> [UInt8] {
        let text = value.text()
        switch draw(12) {
        case 0: return Array("{\(text.dropFirst().dropLast()),\(text.dropFirst())".utf8)
        case 1: return Array(text.replacing("1", with: pick(["Infinity", "-Infinity", "NaN", "01", "1."])).utf8)
        case 2: return damaged(Array(text.utf8))
        default: return Array(text.utf8)
        }
    }
}

/// Writes bytes without waiting for the disk: for tests that write thousands of files.
public func writeQuickly(_ bytes: [UInt8], to path: String) throws {
    guard let file = fopen(path, "w") else { throw RondoError(.inputOutput, "cannot write '\(path)'") }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
        throw RondoError(.inputOutput, "cannot write '\(path)'")
    }
}

/// The most memory that the process has used so far, in bytes.
public var peakMemory: Int {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    return usage.ru_maxrss * 1024
}

/// What a measurement must be for a claim to hold.
public enum Criterion: Sendable, Equatable {
    /// This or more.
    case atLeast(Double)
    /// This or less.
    case atMost(Double)
    /// In between, ends included.
    case within(ClosedRange<Double>)
    /// Exactly this.
    case equals(Double)
    /// Nothing: it is shown, not judged.
    case none

    /// Whether a measurement is good enough; NaN never is.
    public func accepts(_ value: Double) -> Bool {
        switch self {
        case .atLeast(let limit): value >= limit
        case .atMost(let limit): value <= limit
        case .within(let range): range.contains(value)
        case .equals(let expected): value == expected
        case .none: true
        }
    }

    /// The criterion in words.
    public var text: String {
        switch self {
        case .atLeast(let limit): "at least \(Figure.text(limit))"
        case .atMost(let limit): "at most \(Figure.text(limit))"
        case .within(let range): "from \(Figure.text(range.lowerBound)) to \(Figure.text(range.upperBound))"
        case .equals(let expected): "exactly \(Figure.text(expected))"
        case .none: "shown only"
        }
    }
}

/// A measurement and what it must be.
public struct Check: Sendable, Equatable {
    /// What was measured.
    public var name: String
    /// The measurement.
    public var value: Double
    /// What it must be.
    public var criterion: Criterion

    /// Whether it is good enough.
    public var passed: Bool { criterion.accepts(value) }
}

/// Numbers as people read them.
public enum Figure {
    /// About four significant digits: 0.9987, 12.3, 3.1e-15, 1200000.
    public static func text(_ value: Double) -> String {
        guard value.isFinite else { return "\(value)" }
        if value == value.rounded(), value.magnitude < 1e9 { return "\(Int(value))" }
        if value.magnitude >= 1e6 || value.magnitude < 1e-3 { return scientific(value) }
        let places = value.magnitude >= 1000 ? 1 : value.magnitude >= 100 ? 2 : value.magnitude >= 10 ? 3 : 4
        return decimals(value, places)
    }

    private static func scientific(_ value: Double) -> String {
        var (mantissa, exponent) = (value.magnitude, 0)
        while mantissa >= 9.995 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
        while mantissa < 0.9995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
        return (value < 0 ? "-" : "") + "\(decimals(mantissa, 2))e\(exponent)"
    }

    private static func decimals(_ value: Double, _ places: Int) -> String {
        let scale = (0..<places).reduce(1.0) { product, _ in product * 10 }
        let digits = String(Int((value.magnitude * scale).rounded()))
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        var text = "\(padded.dropLast(places)).\(padded.suffix(places))"
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return (value < 0 ? "-" : "") + text
    }
}

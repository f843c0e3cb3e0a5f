import Glibc

/// One axis: the range it spans, its ticks at round numbers, and where values lie along it.
struct Axis: Sendable {
    let isLogarithmic: Bool
    /// The ends, as logarithms if the axis is logarithmic.
    private let low: Double
    private let high: Double
    /// The values to mark, with their labels.
    let ticks: [(value: Double, label: String)]

    /// Spans at least the given values.
    ///
    /// - Parameters:
    ///   - values: The values to show; none gives an axis from 0 to 1.
    ///   - isLogarithmic: Whether equal distances are equal ratios.
    ///   - isTight: Whether the axis ends at the values rather than at ticks.
    ///   - count: How many ticks to aim at.
    init(values: [Double], isLogarithmic: Bool = false, isTight: Bool = false, tickCount count: Int) {
        var low = values.min() ?? (isLogarithmic ? 0.1 : 0)
        var high = values.max() ?? 1
        if isLogarithmic {
            if high / low < 1.001 { (low, high) = (low / 1.5, high * 1.5) }
            self.ticks = Self.logarithmicTicks(low, high, count).map { ($0, Self.label($0, spacing: $0)) }
            let margin = isTight ? 0 : 0.04 * (log10(high) - log10(low))
            self.low = log10(low) - margin
            self.high = log10(high) + margin
        } else {
            // A range lost in rounding cannot be divided into ticks.
            if high - low <= 1e-9 * max(abs(low), abs(high)) {
                (low, high) = (low - max(0.5, abs(low) / 2), high + max(0.5, abs(high) / 2))
            }
            let spacing = Self.niceSpacing((high - low) / Double(count))
            self.low = isTight ? low : (low / spacing + 1e-9).rounded(.down) * spacing
            self.high = isTight ? high : (high / spacing - 1e-9).rounded(.up) * spacing
            self.ticks = Self.multiples(of: spacing, from: self.low, to: self.high)
                .map { ($0, Self.label($0, spacing: spacing)) }
        }
        self.isLogarithmic = isLogarithmic
    }

    /// Where a value lies, from 0 at the lower end to 1 at the upper.
    func fraction(_ value: Double) -> Double { ((isLogarithmic ? log10(value) : value) - low) / (high - low) }

    /// The next larger of 1, 2, 2.5 and 5 times a power of ten.
    private static func niceSpacing(_ rough: Double) -> Double {
        let power = pow(10, log10(rough).rounded(.down))
        let leading = [1, 2, 2.5, 5, 10].first { $0 * power >= rough * 0.999 } ?? 10
        return leading * power
    }

    private static func multiples(of spacing: Double, from low: Double, to high: Double) -> [Double] {
        let first = (low / spacing - 1e-6).rounded(.up)
        let last = (high / spacing + 1e-6).rounded(.down)
        return stride(from: first, through: last, by: 1).map { $0 * spacing }
    }

    /// Round numbers per decade, as few as the range needs; within one decade plain multiples.
    private static func logarithmicTicks(_ low: Double, _ high: Double, _ count: Int) -> [Double] {
        let decades = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
        for leading in [[1.0], [1, 3], [1, 2, 5]] {
            let ticks = decades.flatMap { decade in leading.map { $0 * pow(10, Double(decade)) } }
                .filter { $0 >= low * 0.97 && $0 <= high * 1.03 }
            if ticks.count >= min(4, count) { return ticks }
        }
        return multiples(of: niceSpacing((high - low) / Double(count)), from: low, to: high).filter { $0 > 0 }
    }

    /// The number with as many decimals as the spacing needs, thousands as `k`, millions as `M`.
    static func label(_ value: Double, spacing: Double) -> String {
        for (unit, suffix) in [(1e9, "G"), (1e6, "M"), (1e4, "k")] where abs(value) >= unit {
            let divisor = suffix == "k" ? 1e3 : unit
            return label(value / divisor, spacing: spacing / divisor) + suffix
        }
        if value != 0, abs(value) < 1e-4 { return "\(Float(value))" }
        let decimals = (0...8).first { digits in
            let scaled = spacing * pow(10, Double(digits))
            return abs(scaled - scaled.rounded()) < 1e-6 * max(1, scaled)
        }
        return fixed(value, decimals: decimals ?? 8)
    }

    /// A number with about four significant digits.
    static func short(_ value: Double) -> String {
        guard value != 0, (1e-4..<1e6).contains(abs(value)) else { return "\(Float(value))" }
        return fixed(value, decimals: max(0, 3 - Int(log10(abs(value)).rounded(.down))))
    }

    /// A number with a fixed count of decimals, rounded.
    static func fixed(_ value: Double, decimals: Int) -> String {
        let scaled = (abs(value) * pow(10, Double(decimals))).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        var digits = String(Int(scaled))
        digits = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        let sign = value < 0 && scaled > 0 ? "-" : ""
        if decimals == 0 { return sign + digits }
        return "\(sign)\(digits.dropLast(decimals)).\(digits.suffix(decimals))"
    }
}

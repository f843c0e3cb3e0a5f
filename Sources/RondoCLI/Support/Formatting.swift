/// Numbers as people read them.
enum Format {
    /// A number with a fixed count of decimals: `decimals(2.0417, 2)` is "2.04".
    ///
    /// Written by hand because `String(format:)` would need all of Foundation.
    static func decimals(_ value: Double, _ places: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let digits = String(Int(scaled))
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        let sign = value < 0 && scaled > 0 ? "-" : ""
        return places == 0 ? sign + padded : "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
    }

    /// Two significant digits and a power of ten: 0.00031 is "3.1e-4".
    static func scientific(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
        var (mantissa, exponent) = (value.magnitude, 0)
        while mantissa >= 9.95 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
        while mantissa < 0.995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
        return (value < 0 ? "-" : "") + "\(decimals(mantissa, 1))e\(exponent)"
    }

    /// Three significant digits with a unit of thousands: 12345 is "12.3k".
    static func count(_ value: some BinaryInteger) -> String { count(Double(value)) }

    /// Three significant digits with a unit of thousands: 12345 is "12.3k".
    static func count(_ value: Double) -> String { scaled(value, step: 1000, units: ["", "k", "M", "G", "T"]) }

    /// A size in memory or on disk: 2097152 is "2.00 MiB".
    static func bytes(_ value: some BinaryInteger) -> String {
        scaled(Double(value), step: 1024, units: [" B", " KiB", " MiB", " GiB", " TiB"])
    }

    /// A length of time: "12 s", "3 min 05 s", "2 h 07 min".
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite else { return "?" }
        if seconds < 10 { return decimals(seconds, 1) + " s" }
        let whole = Int(min(seconds, 1e12).rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(twoDigits(whole % 60)) s" }
        return "\(whole / 3600) h \(twoDigits(whole % 3600 / 60)) min"
    }

    /// A ratio in percent: 0.25 is "25 %".
    static func percent(_ fraction: Double) -> String { decimals(fraction * 100, 0) + " %" }

    private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

    private static func scaled(_ value: Double, step: Double, units: [String]) -> String {
        var value = value
        var unit = 0
        while value.magnitude >= step, unit + 1 < units.count {
            value /= step
            unit += 1
        }
        let places = unit == 0 ? 0 : value.magnitude >= 100 ? 0 : value.magnitude >= 10 ? 1 : 2
        return decimals(value, places) + units[unit]
    }
}

import Glibc

/// A date and time of day, as a template's `strftime_now` writes it.
public struct WallClock: Sendable, Equatable {
    /// The year, for example 2025.
    public var year: Int
    /// The month from 1 to 12.
    public var month: Int
    /// The day of the month from 1.
    public var day: Int
    /// The hour from 0 to 23.
    public var hour: Int
    /// The minute from 0 to 59.
    public var minute: Int
    /// The second from 0 to 59.
    public var second: Int

    /// Creates a date and time; parts outside their ranges carry over to the next larger one.
    public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// The time of the machine in its time zone.
    ///
    /// - Returns: Now.
    public static func now() -> WallClock {
        var seconds = time(nil)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return WallClock(
            year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday),
            hour: Int(parts.tm_hour), minute: Int(parts.tm_min), second: Int(parts.tm_sec))
    }

    /// Writes the time as the C function `strftime` does, in the process's locale and without a time zone.
    func formatted(_ format: String) -> String {
        var parts = tm()
        parts.tm_year = CInt(clamping: year - 1900)
        parts.tm_mon = CInt(clamping: month - 1)
        parts.tm_mday = CInt(clamping: day)
        parts.tm_hour = CInt(clamping: hour)
        parts.tm_min = CInt(clamping: minute)
        parts.tm_sec = CInt(clamping: second)
        // Finds the day of the week and of the year.
        _ = timegm(&parts)
        // The mark in front tells an empty result from one that does not fit.
        var buffer = [CChar](repeating: 0, count: 1024 + 64 * min(format.utf8.count, 1024))
        let count = strftime(&buffer, buffer.count, "x" + Self.withoutZone(format), &parts)
        return String(decoding: buffer.prefix(count).dropFirst().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func withoutZone(_ format: String) -> String {
        var result = ""
        var isDirective = false
        for character in format {
            if isDirective, character == "Z" || character == "z" {
                result.removeLast()
                isDirective = false
                continue
            }
            isDirective = character == "%" && !isDirective
            result.append(character)
        }
        return result
    }
}

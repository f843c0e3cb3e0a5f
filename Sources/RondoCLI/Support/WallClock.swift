#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Dates, read from the system without Foundation, which takes longer to load than most commands to run.
enum WallClock {
    /// Seconds since 1970.
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// A moment in local time, in the notation of `strftime`.
    static func text(_ secondsSince1970: Double, format: String) -> String {
        var seconds = time_t(secondsSince1970)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 64)
        let count = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// Measures how long something takes.
struct Timer {
    private let start = ContinuousClock.now

    /// Seconds since it was made.
    var seconds: Double {
        let (whole, fraction) = (ContinuousClock.now - start).components
        return Double(whole) + Double(fraction) * 1e-18
    }
}

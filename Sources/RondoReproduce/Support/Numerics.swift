#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Functions of the mathematical library, without Foundation.
enum Numerics {
    /// The natural logarithm.
    static func log(_ x: Double) -> Double {
        #if canImport(Glibc)
            Glibc.log(x)
        #else
            Darwin.log(x)
        #endif
    }

    /// The sine.
    static func sin(_ x: Double) -> Double {
        #if canImport(Glibc)
            Glibc.sin(x)
        #else
            Darwin.sin(x)
        #endif
    }
}

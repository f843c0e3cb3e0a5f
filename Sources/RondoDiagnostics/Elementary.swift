#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Functions of the C library in one place, apart from names of this module.
enum Elementary {
    static func exp(_ x: Double) -> Double {
        #if canImport(Glibc)
            Glibc.exp(x)
        #else
            Darwin.exp(x)
        #endif
    }

    static func log(_ x: Double) -> Double {
        #if canImport(Glibc)
            Glibc.log(x)
        #else
            Darwin.log(x)
        #endif
    }
}

import RondoCLI

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

exit(RondoTool.run(Array(CommandLine.arguments.dropFirst())))

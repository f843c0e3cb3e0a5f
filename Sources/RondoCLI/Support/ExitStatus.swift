/// What a command tells the shell at its end.
struct ExitStatus: RawRepresentable, Error, Equatable, Sendable {
    var rawValue: Int32

    static let success = ExitStatus(rawValue: 0)
    /// The work failed: a file, the disk, a number that is no longer finite.
    static let failure = ExitStatus(rawValue: 1)
    /// The command line, a variable or a configuration asks for something that does not exist or makes no sense.
    static let usage = ExitStatus(rawValue: 2)
}

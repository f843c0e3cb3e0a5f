import ArgumentParser
import RondoTensor

/// Options that every command takes.
struct GlobalOptions: ParsableArguments {
    @Flag(help: "Print results as JSON.")
    var json = false

    @Flag(name: [.short, .long], help: "Say nothing but warnings and errors.")
    var quiet = false

    @Flag(name: [.short, .long], help: "Say more.")
    var verbose = false

    var console: Console { Console(isQuiet: quiet, isVerbose: verbose) }

    mutating func validate() throws {
        if quiet && verbose { throw ValidationError("--quiet and --verbose exclude each other.") }
    }
}

/// Options of commands that compute.
struct ComputeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Threads to compute with; 0 for one a core. It never changes a result.", valueName: "n"))
    var threads = 0

    mutating func validate() throws {
        guard (0...1024).contains(threads) else {
            throw ValidationError("--threads \(threads): must be between 1 and 1024, or 0 for one a core.")
        }
    }

    func apply() { Runtime.threadCount = threads }
}

import Foundation
import RondoIO
import RondoTensor

/// Runs the built command as users do.
struct RondoProcess {
    /// What a finished process left.
    struct Outcome {
        /// The exit status, or the signal that ended it, as shells count: 128 and its number.
        var status: Int32
        /// Standard output.
        var output: [UInt8]
        /// Standard error.
        var messages: String

        var text: String { String(decoding: output, as: UTF8.self) }
        func json() throws -> JSONValue { try JSONValue(parsing: output, source: "standard output") }
    }

    /// The command lies beside the test bundle.
    static let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("rondo").path

    private let process = Process()
    private let outputPath: String
    private let messagesPath: String

    /// Starts a command.
    ///
    /// - Parameters:
    ///   - arguments: Its arguments.
    ///   - folder: Its working folder, where its output is kept as well.
    ///   - environment: Variables besides the usual ones; none of the caller's begin with RONDO_.
    ///   - input: Its standard input.
    ///   - fileLimit: The largest file that it may write, in units of the shell's `ulimit -f` (512 or 1024 bytes).
    ///   - outputPath: Where standard output goes, if not into a file of its own.
    /// - Throws: An error if the command cannot be started.
    init(
        _ arguments: [String], in folder: String, environment: [String: String] = [:], input: [UInt8] = [],
        fileLimit: Int? = nil, outputPath: String? = nil
    ) throws {
        let name = "process-\(UInt64.random(in: 0...UInt64.max))"
        self.outputPath = outputPath ?? FileSystem.join(folder, ".\(name).out")
        messagesPath = FileSystem.join(folder, ".\(name).err")
        let inputPath = FileSystem.join(folder, ".\(name).in")
        try Data(input).write(to: URL(fileURLWithPath: inputPath))
        for path in [self.outputPath, messagesPath] where FileSystem.kind(of: path) == nil {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        let inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("RONDO_") }
        process.environment = inherited.merging(environment) { $1 }
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardInput = FileHandle(forReadingAtPath: inputPath)
        process.standardOutput = FileHandle(forWritingAtPath: self.outputPath)
        process.standardError = FileHandle(forWritingAtPath: messagesPath)
        if let fileLimit {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments =
                ["-c", "ulimit -f \(fileLimit); exec \"$0\" \"$@\"", Self.executable] + arguments
        } else {
            process.executableURL = URL(fileURLWithPath: Self.executable)
            process.arguments = arguments
        }
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// What it has said so far on standard error.
    func messagesSoFar() throws -> String { String(decoding: try FileSystem.readBytes(messagesPath), as: UTF8.self) }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits for the end.
    func finish() throws -> Outcome {
        process.waitUntilExit()
        let isSignal = process.terminationReason == .uncaughtSignal
        return Outcome(
            status: (isSignal ? 128 : 0) + process.terminationStatus,
            output: FileSystem.kind(of: outputPath) == .file ? try FileSystem.readBytes(outputPath) : [],
            messages: try messagesSoFar())
    }

    /// Runs a line of shell.
    static func shell(_ line: String, in folder: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", line]
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        try process.run()
        process.waitUntilExit()
    }

    /// Runs a command to its end.
    static func run(
        _ arguments: [String], in folder: String, environment: [String: String] = [:], input: [UInt8] = [],
        fileLimit: Int? = nil, outputPath: String? = nil
    ) throws -> Outcome {
        try RondoProcess(
            arguments, in: folder, environment: environment, input: input, fileLimit: fileLimit, outputPath: outputPath
        ).finish()
    }
}

/// A text and settings with which training takes a fraction of a second.
enum Tiny {
    /// Words, and bytes that are no UTF-8.
    static let text: [UInt8] = (0..<300).flatMap { number in
        Array("the \(number % 7) bird sings of \(number) winds; ".utf8) + (number % 50 == 0 ? [0xFF, 0xC3] : [])
    }

    static let model = ["--d-model", "12", "--batch", "4", "--window", "16"]

    /// A folder with `text.txt` in it.
    static func write(to folder: String) throws {
        try Data(text).write(to: URL(fileURLWithPath: FileSystem.join(folder, "text.txt")))
    }

    /// The arguments of a run of so many steps.
    static func train(_ out: String, steps: Int, _ more: String...) -> [String] {
        ["train", "--text", "text.txt", "--out", out, "--steps", "\(steps)"] + model + more
    }
}

import ArgumentParser
import RondoIO
import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `rondo doctor`.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check this machine, and print what a bug report needs.",
        discussion: """
            Example:
              rondo doctor
            """)

    @Option(help: ArgumentHelp("The SQLite file that lists all runs.", valueName: "file"), completion: .file())
    var store = RunLocator.defaultStore

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    func run() throws {
        compute.apply()
        let checks = SelfCheck.all.map { ($0.name, $0.deviation()) }
        var object = JSONObject()
        for (key, value) in facts() { object[key] = .string(value) }
        for (name, outcome) in checks { object["check \(name)"] = .string(outcome.text) }
        if global.json {
            try OutputStream.data.writeLine(JSONValue.object(object).text(.pretty))
        } else {
            var table = Table(columns: [("rondo", .left), (RootCommand.release, .left)])
            table.rows = object.members.dropFirst().map { [$0.key, $0.value.stringValue ?? ""] }
            try OutputStream.data.writeLine(table.text())
        }
        let bad = checks.filter { !$0.1.isGood }.map(\.0)
        guard bad.isEmpty else {
            throw RondoError(
                .unavailable,
                "kernels disagree with their definitions: \(bad.joined(separator: ", ")); please report the lines above"
            )
        }
    }

    private func facts() -> [(String, String)] {
        var system = utsname()
        uname(&system)
        let pages = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
        return [
            ("version", RootCommand.release),
            ("system", "\(Self.text(system.sysname)) \(Self.text(system.release)) \(Self.text(system.machine))"),
            ("distribution", Self.distribution),
            ("processor", Self.processor),
            ("cores", "\(sysconf(Int32(_SC_NPROCESSORS_ONLN)))"),
            ("threads", "\(Runtime.threadCount)"),
            ("features", Runtime.cpuFeatures),
            (
                "instruction set",
                "\(Runtime.instructionSet.rawValue) (best here: \(Runtime.bestInstructionSet.rawValue))"
            ),
            ("matrix products", Runtime.gemmLibrary),
            ("memory", Format.bytes(Int(pages))),
            ("working folder", Self.access(to: FileSystem.canonical("."))),
            ("run store", Self.storeState(store)),
            ("settings", EnvironmentVariables.current.values.keys.sorted().joined(separator: " ")),
        ]
    }

    private static func storeState(_ path: String) -> String {
        let shown = FileSystem.canonical(path)
        if FileSystem.kind(of: path) != nil { return access(to: shown) }
        return "\(shown) (none yet)"
    }

    private static func access(to path: String) -> String {
        "\(path) (\(Glibc.access(path, W_OK) == 0 ? "writable" : "not writable"))"
    }

    private static var distribution: String {
        value(of: "PRETTY_NAME", in: "/etc/os-release", separator: "=").map { $0.filter { $0 != "\"" } } ?? "unknown"
    }

    private static var processor: String { value(of: "model name", in: "/proc/cpuinfo", separator: ":") ?? "unknown" }

    private static func value(of key: String, in path: String, separator: Character) -> String? {
        guard let text = try? FileSystem.readText(path) else { return nil }
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: separator, maxSplits: 1)
            guard parts.count == 2, trimmed(parts[0]) == key else { continue }
            return trimmed(parts[1])
        }
        return nil
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    /// The text in one of the fixed arrays of characters that C structures import as tuples.
    private static func text(_ tuple: some Any) -> String {
        withUnsafeBytes(of: tuple) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

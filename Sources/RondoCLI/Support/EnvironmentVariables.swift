import ArgumentParser
import RondoIO
import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The variables that stand for flags: `RONDO_TOP_K=40` is `--top-k 40` where no flag says otherwise.
struct EnvironmentVariables: Sendable {
    static let prefix = "RONDO_"

    /// Names and values of the variables that begin with ``prefix``.
    let values: [String: String]

    init(_ values: [String: String]) { self.values = values.filter { $0.key.hasPrefix(Self.prefix) } }

    /// The variables of this process.
    static var current: EnvironmentVariables {
        var values: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
            next += 1
        }
        return EnvironmentVariables(values)
    }

    /// The variable that stands for a flag: "top-k" gives "RONDO_TOP_K".
    static func name(of flag: String) -> String {
        prefix + flag.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// The value of the variable that stands for a flag.
    subscript(flag: String) -> String? { values[Self.name(of: flag)] }

    /// Whether a variable says yes or no.
    /// - Throws: `RondoError` that names the variable.
    static func isTrue(_ value: String, flag: String) throws -> Bool {
        switch value.lowercased() {
        case "1", "true", "yes", "on": return true
        case "0", "false", "no", "off", "": return false
        default:
            throw RondoError(
                .invalidArgument, "environment variable \(name(of: flag))=\(value): must be 1 or 0 (or true or false)")
        }
    }
}

extension EnvironmentVariables {
    /// What the environment adds to a command line, and what in it is not understood.
    struct Addition: Equatable {
        /// Arguments to put before those of the user.
        var arguments: [String] = []
        /// The variables they come from.
        var variables: [String] = []
        /// Variables that stand for no flag of any command.
        var unknown: [String] = []
    }

    /// Translates the variables into arguments of a command.
    ///
    /// Flags that the user gave are left out, and so are the settings of a configuration, which have more layers.
    func addition(to arguments: [String], of path: [String], in tool: CommandDescription) throws -> Addition {
        guard !values.isEmpty else { return Addition() }
        var addition = Addition()
        let command = tool.descendant(path)
        let given = Set(arguments.prefix { $0 != "--" }.map { String($0.prefix { $0 != "=" }) })
        for flag in command.flags where given.isDisjoint(with: flag.spellings) {
            guard let value = self[flag.name] else { continue }
            if flag.takesValue {
                addition.arguments += ["--\(flag.name)=\(value)"]
            } else if try Self.isTrue(value, flag: flag.name) {
                addition.arguments += ["--\(flag.name)"]
            }
            addition.variables.append(Self.name(of: flag.name))
        }
        let known = Set(tool.allFlags.map { Self.name(of: $0.name) })
        addition.unknown = values.keys.filter { !known.contains($0) }.sorted()
        return addition
    }
}

/// A command's flags and subcommands, as the argument parser itself describes them.
struct CommandDescription {
    /// An option or flag.
    struct Flag {
        /// The long name, without dashes.
        var name: String
        /// Every way to write it: `--json`, `-v`.
        var spellings: Set<String>
        var takesValue: Bool
        /// Whether it is a setting of a configuration rather than of the command.
        var isSetting: Bool
    }

    var name: String
    private(set) var declaredFlags: [Flag] = []
    var subcommands: [CommandDescription] = []

    /// The flags that variables may stand for directly.
    var flags: [Flag] { declaredFlags.filter { !$0.isSetting } }
    /// The flags of the command and all below it.
    var allFlags: [Flag] { declaredFlags + subcommands.flatMap(\.allFlags) }

    /// Reads the description that the parser prints for tools; there is no other way to list a command's flags.
    init(_ root: any ParsableCommand.Type) throws {
        let tree = try JSONValue(parsing: root._dumpHelp(), source: "command description")
        self.init(tree["command"] ?? .null)
    }

    private init(_ tree: JSONValue) {
        name = tree["commandName"]?.stringValue ?? ""
        declaredFlags = (tree["arguments"]?.arrayValue ?? []).compactMap(Self.flag)
        subcommands = (tree["subcommands"]?.arrayValue ?? []).map(CommandDescription.init)
    }

    /// The command that a path of names leads to.
    func descendant(_ path: [String]) -> CommandDescription {
        guard let first = path.first, let next = subcommands.first(where: { $0.name == first }) else { return self }
        return next.descendant(Array(path.dropFirst()))
    }

    private static func flag(_ tree: JSONValue) -> Flag? {
        let names = (tree["names"]?.arrayValue ?? []).compactMap { name -> (kind: String, name: String)? in
            guard let kind = name["kind"]?.stringValue, let text = name["name"]?.stringValue else { return nil }
            return (kind, text)
        }
        guard let long = names.first(where: { $0.kind == "long" })?.name, !["help", "version"].contains(long) else {
            return nil
        }
        return Flag(
            name: long, spellings: Set(names.map { ($0.kind == "long" ? "--" : "-") + $0.name }),
            takesValue: tree["kind"]?.stringValue == "option",
            isSetting: tree["sectionTitle"]?.stringValue.map(ConfigurationLayers.isSettingsTitle) ?? false)
    }
}

import ArgumentParser
import RondoIO
import RondoTensor

/// The command line tool: parses, runs one command, and turns whatever happens into messages and an exit status.
public enum RondoTool {
    /// Runs the command that the arguments name.
    ///
    /// - Parameter arguments: The arguments, without the program's name.
    /// - Returns: The exit status of the process: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    public static func run(_ arguments: [String]) -> Int32 {
        run(arguments, environment: .current).rawValue
    }

    static func run(_ arguments: [String], environment: EnvironmentVariables) -> ExitStatus {
        Interruption.turnSignalsOfWritesIntoErrors()
        var variables: [String] = []
        do {
            let path = try commandPath(of: arguments)
            let added = try addition(to: arguments, path: path, environment: environment)
            variables = added.variables
            var command = try RootCommand.parseAsRoot(
                path + added.arguments + arguments.dropFirst(path.count))
            try command.run()
            return .success
        } catch {
            return report(error, variables: variables)
        }
    }

    /// The names of subcommands that the arguments begin with.
    /// - Throws: `RondoError` that suggests the closest name where one is unknown.
    static func commandPath(of arguments: [String]) throws -> [String] {
        var path: [String] = []
        var command: any ParsableCommand.Type = RootCommand.self
        for argument in arguments {
            let subcommands = command.configuration.subcommands
            guard !subcommands.isEmpty, !argument.hasPrefix("-"), argument != "help" else { break }
            guard let next = subcommands.first(where: { $0._commandName == argument }) else {
                let advice = Suggestion.advice(
                    for: argument, known: subcommands.map { $0._commandName }, noun: "commands")
                throw RondoError(
                    .invalidArgument, "unknown command '\((path + [argument]).joined(separator: " "))'\(advice)")
            }
            path.append(argument)
            command = next
        }
        return path
    }

    private static func addition(
        to arguments: [String], path: [String], environment: EnvironmentVariables
    ) throws -> EnvironmentVariables.Addition {
        guard !environment.values.isEmpty else { return .init() }
        let tool = try CommandDescription(RootCommand.self)
        let addition = try environment.addition(to: arguments, of: path, in: tool)
        let known = tool.allFlags.map { EnvironmentVariables.name(of: $0.name) }
        for variable in addition.unknown {
            let guess = Suggestion.closest(to: variable, in: known).map { "; did you mean \($0)?" } ?? ""
            Console().warn("environment variable \(variable) stands for no option\(guess)")
        }
        return addition
    }

    private static func report(_ error: any Error, variables: [String]) -> ExitStatus {
        switch error {
        case let status as ExitStatus:
            return status
        case is BrokenPipe:
            return .success
        case let error as RondoError:
            say("Error: \(error)", to: .messages)
            return error.code == .invalidArgument ? .usage : .failure
        default:
            break
        }
        let message = RootCommand.fullMessage(for: error)
        if RootCommand.exitCode(for: error).isSuccess {
            say(message, to: .data)
            return .success
        }
        say(message, to: .messages)
        if !variables.isEmpty {
            say("Options taken from the environment: \(variables.joined(separator: ", "))", to: .messages)
        }
        return RootCommand.exitCode(for: error) == .validationFailure ? .usage : .failure
    }

    private static func say(_ text: String, to stream: OutputStream) {
        if !text.isEmpty { try? stream.writeLine(text) }
    }
}

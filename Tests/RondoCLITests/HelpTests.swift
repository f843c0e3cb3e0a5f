import ArgumentParser
import RondoIO
import Testing

@testable import RondoCLI

/// Every command that users can name, as a path of names.
private func allCommands(
    _ command: any ParsableCommand.Type = RootCommand.self, _ path: [String] = []
) -> [(path: [String], type: any ParsableCommand.Type)] {
    [(path, command)]
        + command.configuration.subcommands.flatMap { allCommands($0, path + [$0._commandName]) }
}

/// Splits a command line as a shell does: at spaces outside double quotes, up to a redirection.
private func words(_ line: Substring) -> [String] {
    var words = [""]
    var isQuoted = false
    for character in line.prefix(while: { $0 != ">" }) {
        switch character {
        case "\"": isQuoted.toggle()
        case " " where !isQuoted: words.append("")
        default: words[words.count - 1].append(character)
        }
    }
    return words.filter { !$0.isEmpty }
}

@Suite struct HelpTests {
    @Test func everyCommandHasAnExampleThatParses() throws {
        for (path, type) in allCommands() {
            let discussion = type.configuration.discussion
            let examples = discussion.split(separator: "\n").map { $0.drop { $0 == " " } }
                .filter { $0.hasPrefix("rondo ") }
            let name = (["rondo"] + path).joined(separator: " ")
            #expect(examples.contains { $0.hasPrefix(name) }, "\(name) has no example")
            for example in examples {
                // Longer lines would be broken, and could not be copied.
                #expect(example.count <= 77, "\(example)")
                let arguments = Array(words(example).dropFirst())
                _ = try RootCommand.parseAsRoot(arguments)
            }
        }
    }

    @Test func everyCommandAndOptionIsDescribed() throws {
        let tool = try CommandDescription(RootCommand.self)
        #expect(Set(tool.subcommands.map(\.name)).isSuperset(of: ["train", "generate", "evaluate", "runs", "doctor"]))
        for (path, type) in allCommands() {
            #expect(!type.configuration.abstract.isEmpty, "\(path)")
            let command = try JSONValue(parsing: type._dumpHelp(), source: "help")["command"]
            for argument in command?["arguments"]?.arrayValue ?? [] {
                #expect(argument["abstract"]?.stringValue?.isEmpty == false, "\(path): \(argument.text())")
            }
        }
    }

    @Test func theExampleCheckFindsMistakes() {
        #expect(throws: (any Error).self) { try RootCommand.parseAsRoot(["train", "--no-such-option"]) }
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func completionsExist(shell: String) throws {
        let command = try CompletionsCommand.parse([shell])
        let script = RootCommand.completionScript(for: command.shell.completionShell)
        #expect(script.contains("generate"))
    }
}

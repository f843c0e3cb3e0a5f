import ArgumentParser
import RondoCheckpoints
import RondoIO
import RondoModels
import RondoTensor

/// Several texts at once.
struct StreamArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp("A file with a prompt in each line, each a stream; - is standard input.", valueName: "file"),
        completion: .file())
    var prompts: String?

    @Option(help: ArgumentHelp("So many texts of the prompt, each with draws of its own.", valueName: "n"))
    var streams: Int?

    /// Whether the texts are made as streams even if there is only one.
    var isUsed: Bool { prompts != nil || streams != nil }

    /// Refuses what does not go together.
    func validate(besides command: GenerateCommand) throws {
        if let streams, streams < 1 { throw ValidationError("--streams \(streams): must be at least 1.") }
        if prompts != nil && !(command.prompt.isEmpty && command.promptFile == nil) {
            throw ValidationError("--prompts excludes --prompt and --prompt-file.")
        }
        if streams != nil && (prompts != nil || command.prompt.count > 1) {
            throw ValidationError("--streams makes several texts of one prompt; several prompts are a stream each.")
        }
        if command.prompt.count > 1 && command.prompt.contains("-") {
            throw ValidationError("--prompt -: standard input cannot be one of several prompts.")
        }
        if (isUsed || command.prompt.count > 1) && (command.stateIn != nil || command.stateOut != nil) {
            throw ValidationError("--state-in and --state-out are for one text; give one --prompt, without --streams.")
        }
    }
}

extension GenerateCommand {
    /// Continues several texts side by side.
    func runStreams(_ loaded: (model: LanguageModel, folder: String), _ text: ModelText, console: Console) throws {
        let seed = try chosenSeed(text, console: console)
        let prompts = try streamPrompts().map { try writtenOut($0, folder: loaded.folder) }
        var session = try BatchSession(
            loaded.model, prompts: prompts, isChat: chat.isUsed, text: text,
            sampling: sampling.options(text.defaults.sampling), seed: seed,
            stops: StopStrings(stop + text.defaults.stopStrings),
            output: global.json ? nil : BatchSession.Output(stream: .data, showsPrompts: echo),
            ignoresEnd: ignoreEnd)
        try session.generate(maxTokens: tokenLimit(text))
        if global.json { try OutputStream.data.writeLine(session.json.text()) }
        console.note(session.timingLine)
        if session.wasInterrupted { throw Interruption.exitStatus }
    }

    private func streamPrompts() throws -> [[UInt8]] {
        if let file = streams.prompts {
            let bytes = try FileSystem.readBytes(file == "-" ? "/dev/stdin" : file)
            let lines = bytes.split(separator: UInt8(ascii: "\n")).map { Array($0.last == 13 ? $0.dropLast() : $0) }
            guard !lines.isEmpty else { throw RondoError(.invalidArgument, "'\(file)' holds no prompt") }
            return lines
        }
        if let count = streams.streams {
            let prompt = try promptBytes()
            return Array(repeating: prompt, count: count)
        }
        return prompt.map { Array($0.utf8) }
    }
}

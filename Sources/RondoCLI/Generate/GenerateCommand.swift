import ArgumentParser
import RondoCheckpoints
import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor

/// `rondo generate`.
struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Continue a text with a trained model, as it is made.",
        discussion: """
            Example:
              rondo generate --model runs/book --prompt "Once upon a time" --max-tokens 500
              rondo generate --model runs/book --prompt-file a.txt --top-p 0.9 --seed 1
              rondo generate --model mamba-130m-hf --prompt "Paris is" --greedy
              rondo generate --model runs/book --prompt "Chapter 1" --state-out after.state
              rondo generate --model runs/book --state-in after.state --max-tokens 500
              rondo generate --model runs/book --prompt "Chapter 1" --streams 8

            Several prompts, or several streams of one, are continued side by side; each text is printed under a \
            heading of its own when it is done. Stream k draws as a single text with the seed --seed + k - 1 does, \
            whatever the others are.
            """)

    @Option(
        help: ArgumentHelp(
            "A run, a checkpoint or a Hugging Face folder (default: the last run in runs/).", valueName: "dir"),
        completion: .directory)
    var model: String?

    @Option(
        help: ArgumentHelp(
            "What to continue; - reads standard input. May be repeated: each is a stream.", valueName: "text"))
    var prompt: [String] = []

    @Option(
        help: ArgumentHelp("A file with what to continue; - is standard input.", valueName: "file"), completion: .file()
    )
    var promptFile: String?

    @OptionGroup var streams: StreamArguments

    @OptionGroup(title: "Chat")
    var chat: ChatArguments

    @Option(
        help: ArgumentHelp(
            "Small additions to the model (LoRA in PEFT's layout, or a learned state).", valueName: "dir"),
        completion: .directory)
    var adapter: String?

    @Option(
        help: ArgumentHelp(
            "Tokens (bytes, of a model of bytes) to make at most (default: what the model's files say, or 200).",
            valueName: "n"))
    var maxTokens: Int?

    @Flag(name: .customLong("ignore-eos"), help: "Go on after the token that ends a text.")
    var ignoreEnd = false

    @Option(help: ArgumentHelp("Stop before this text appears; may be repeated.", valueName: "text"))
    var stop: [String] = []

    @Flag(help: "Print the prompt before its continuation.")
    var echo = false

    @OptionGroup(title: "Sampling")
    var sampling: SamplingArguments

    @Option(help: ArgumentHelp("Seed of all draws (default: a new one, which is printed).", valueName: "n"))
    var seed: UInt64?

    @Option(
        help: ArgumentHelp("Continue from a state that --state-out saved, bit for bit.", valueName: "file"),
        completion: .file())
    var stateIn: String?

    @Option(
        help: ArgumentHelp("Save all that was read and made, to continue later.", valueName: "file"),
        completion: .file())
    var stateOut: String?

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var global: GlobalOptions

    mutating func validate() throws {
        if let maxTokens, maxTokens < 0 { throw ValidationError("--max-tokens \(maxTokens): must be at least 0.") }
        if chat.isUsed && stateIn != nil {
            throw ValidationError("--chat and --state-in exclude each other: a conversation is written out as a whole.")
        }
        if !prompt.isEmpty && promptFile != nil {
            throw ValidationError("--prompt and --prompt-file exclude each other.")
        }
        try streams.validate(besides: self)
        if stateIn != nil && seed != nil {
            throw ValidationError("--seed and --state-in exclude each other: the state holds the draws' position.")
        }
    }

    func run() throws {
        Interruption.listen()
        compute.apply()
        let console = global.console
        let loaded = try RunLocator.loadModel(model, adapter: adapter)
        console.detail("Model: \(loaded.folder), \(Format.count(loaded.model.parameterCount)) parameters")
        let text = try ModelText(folder: loaded.folder, vocabSize: loaded.model.configuration.vocabSize)
        for key in text.defaults.unsupported {
            console.warn("\(GenerationDefaults.fileName) is not followed in \(key)")
        }
        if streams.isUsed || prompt.count > 1 { return try runStreams(loaded, text, console: console) }
        var session = try makeSession(loaded.model, text, console: console)
        try session.readPrompt(
            writtenOut(try promptBytes(), folder: loaded.folder), hasSpecialTokens: chat.isUsed)
        if echo { try session.showPrompt() }
        let reason = try session.generate(maxTokens: tokenLimit(text))
        if let stateOut { try session.save(to: stateOut) } else { try session.flush() }
        try report(session, reason, console: console)
        if reason == .interrupted { throw Interruption.exitStatus }
    }

    private func makeSession(
        _ model: LanguageModel, _ text: ModelText, console: Console
    ) throws -> GenerationSession {
        let generator: TextGenerator
        var usedSeed: UInt64?
        if let stateIn {
            generator = try TextGenerator(
                model, sampling: sampling.isGiven ? try sampling.options(text.defaults.sampling) : nil,
                vocabularySize: text.vocabularySize, resuming: stateIn)
        } else {
            let seed = try chosenSeed(text, console: console)
            usedSeed = seed
            generator = try TextGenerator(
                model, sampling: sampling.options(text.defaults.sampling), seed: seed,
                vocabularySize: text.vocabularySize)
        }
        return try GenerationSession(
            generator, text: text, seed: usedSeed, stops: StopStrings(stop + text.defaults.stopStrings),
            stream: global.json ? nil : .data,
            ignoresEnd: ignoreEnd)
    }

    /// The seed that was given, or a new one.
    func chosenSeed(_ text: ModelText, console: Console) throws -> UInt64 {
        if let seed { return seed }
        let seed = UInt64(UInt32.random(in: 0...UInt32.max))
        if !(try sampling.options(text.defaults.sampling)).isGreedy { console.note("seed: \(seed)") }
        return seed
    }

    /// How many tokens a text gets at most.
    func tokenLimit(_ text: ModelText) -> Int { maxTokens ?? text.defaults.maxNewTokens ?? 200 }

    /// A prompt as the model reads it: itself, or a conversation.
    func writtenOut(_ prompt: [UInt8], folder: String) throws -> [UInt8] {
        guard chat.isUsed else { return prompt }
        return Array(try chat.text(message: String(decoding: prompt, as: UTF8.self), folder: folder).utf8)
    }

    func promptBytes() throws -> [UInt8] {
        let prompt = prompt.first
        if let prompt, prompt != "-" { return Array(prompt.utf8) }
        guard let source = promptFile ?? prompt else { return [] }
        // Through /dev/stdin, standard input is read like any file.
        return try FileSystem.readBytes(source == "-" ? "/dev/stdin" : source)
    }

    private func report(_ session: GenerationSession, _ reason: GenerationSession.StopReason, console: Console) throws {
        if global.json {
            try OutputStream.data.writeLine(session.json(reason).text())
        } else if OutputStream.data.isTerminal {
            try OutputStream.data.write(Array("\n".utf8))
        }
        console.note(session.timingLine)
        if global.verbose {
            let bandwidth = try Workload.memoryBandwidth().rate
            console.detail(
                "Memory: copies at \(Format.bytes(Int(bandwidth)))/s; weights were read at "
                    + Format.percent(session.weightRate / bandwidth) + " of that")
        }
    }
}

/// How bytes are chosen; the defaults are the model's own distribution.
struct SamplingArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Divides the scores; 0 takes the most likely byte (default: 1).", valueName: "x"))
    var temperature: Double?

    @Option(help: ArgumentHelp("Draw from the k most likely; 0 for all.", valueName: "k"))
    var topK: Int?

    @Option(help: ArgumentHelp("Draw from the most likely with this mass together; 1 for all.", valueName: "p"))
    var topP: Double?

    @Option(help: ArgumentHelp("Least probability relative to the most likely; 0 for all.", valueName: "p"))
    var minP: Double?

    @Option(
        name: [.long, .customLong("repeat-penalty")],
        help: ArgumentHelp("Makes recent bytes less likely; 1 for none.", valueName: "x"))
    var repetitionPenalty: Double?

    @Option(
        name: [.long, .customLong("repeat-window")],
        help: ArgumentHelp("How many bytes count as recent; -1 for all.", valueName: "n"))
    var repetitionWindow: Int?

    @Flag(help: "Always take the most likely byte: --temperature 0.")
    var greedy = false

    @Option(help: "When the temperature applies: before the cuts (transformers) or after (llama.cpp).")
    var samplerOrder: SamplerOrder?

    mutating func validate() throws {
        if greedy && (temperature ?? 0) != 0 {
            throw ValidationError("--greedy and --temperature exclude each other.")
        }
        do { try options().validate() } catch let error as RondoError { throw ValidationError("--\(error)") }
    }

    /// Whether any option was given.
    var isGiven: Bool {
        greedy || samplerOrder != nil || topK != nil || repetitionWindow != nil
            || [temperature, topP, minP, repetitionPenalty].contains { $0 != nil }
    }

    /// The options given, and what the model's makers want where none is.
    func options(_ defaults: SamplingOptions = SamplingOptions()) throws -> SamplingOptions {
        return SamplingOptions(
            temperature: greedy ? 0 : temperature ?? defaults.temperature, topK: topK ?? defaults.topK,
            topP: topP ?? defaults.topP, minP: minP ?? defaults.minP,
            repetitionPenalty: repetitionPenalty ?? defaults.repetitionPenalty,
            repetitionWindow: repetitionWindow ?? defaults.repetitionWindow, order: samplerOrder ?? defaults.order)
    }
}

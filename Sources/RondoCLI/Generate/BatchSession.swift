import RondoIO
import RondoModels
import RondoTensor

/// One call of `rondo generate` with several texts: what each becomes, and what is shown of it when it is done.
struct BatchSession {
    typealias StopReason = GenerationSession.StopReason

    /// Where texts go when they are done.
    struct Output {
        var stream: OutputStream
        var showsPrompts: Bool
    }

    /// One text.
    private struct Stream {
        let prompt: [UInt8]
        let seed: UInt64
        let promptTokens: Int
        var stops: StopStrings
        var decoder: TokenStreamDecoder
        var bytes: [UInt8] = []
        var tokens = 0
        var reason: StopReason?

        /// Takes a token in; a reason why it was the last one, if it was.
        mutating func append(_ token: Int32, limit: Int, endTokens: Set<Int32>) throws -> StopReason? {
            tokens += 1
            if endTokens.contains(token) { return .endOfText }
            bytes += stops.append(try decoder.append(token))
            if stops.isStopped { return .stop }
            return tokens >= limit ? .length : nil
        }

        mutating func finish(_ reason: StopReason) {
            self.reason = reason
            bytes += stops.append(decoder.finish())
            bytes += stops.finish()
        }
    }

    private var generator: BatchGenerator
    private var streams: [Stream]
    private let endTokens: Set<Int32>
    private let unit: String
    /// Without one, all is kept for the result.
    private let output: Output?
    private var readSeconds = 0.0
    private var made = (tokens: 0, seconds: 0.0)
    private var stateByteCount = 0

    /// Reads the prompts; the draws of each stream have the seed after that of the stream before.
    init(
        _ model: LanguageModel, prompts: [[UInt8]], isChat: Bool, text: ModelText, sampling: SamplingOptions,
        seed: UInt64, stops: StopStrings, output: Output?, ignoresEnd: Bool
    ) throws {
        let watch = Timer()
        let tokens = try prompts.map { try text.prompt($0, isBeginning: true, hasSpecialTokens: isChat) }
        let seeds = prompts.indices.map { seed &+ UInt64($0) }
        generator = try BatchGenerator(
            model, zip(tokens, seeds).map { BatchGenerator.Stream(prompt: $0, seed: $1) }, sampling: sampling,
            vocabularySize: text.vocabularySize)
        streams = try prompts.indices.map { index in
            var decoder = text.makeDecoder(keepsCharactersWhole: false)
            try decoder.observe(tokens[index])
            return Stream(
                prompt: prompts[index], seed: seeds[index], promptTokens: tokens[index].count, stops: stops,
                decoder: decoder)
        }
        endTokens = ignoresEnd ? [] : text.endTokens
        unit = text.unit
        self.output = output
        stateByteCount = generator.stateByteCount
        readSeconds = watch.seconds
    }

    /// Makes tokens until every text has enough, meets a stop string, or the user asks to stop.
    mutating func generate(maxTokens: Int) throws {
        let watch = Timer()
        defer { made.seconds = watch.seconds }
        if maxTokens == 0 { try end(generator.active.map { ($0, .length) }) }
        while !generator.active.isEmpty {
            if Interruption.isRequested { return try end(generator.active.map { ($0, .interrupted) }) }
            var ended: [(Int, StopReason)] = []
            for choice in try generator.next() {
                made.tokens += 1
                let reason = try streams[choice.stream].append(choice.token, limit: maxTokens, endTokens: endTokens)
                if let reason { ended.append((choice.stream, reason)) }
            }
            stateByteCount = max(stateByteCount, generator.stateByteCount)
            try end(ended)
        }
    }

    private mutating func end(_ ended: [(stream: Int, reason: StopReason)]) throws {
        for (index, reason) in ended {
            streams[index].finish(reason)
            try show(index)
        }
        try generator.finish(ended.map(\.stream))
    }

    private func show(_ index: Int) throws {
        guard let output else { return }
        let stream = streams[index]
        try output.stream.writeLine("==> \(index + 1) of \(streams.count), seed \(stream.seed) <==")
        try output.stream.write((output.showsPrompts ? stream.prompt : []) + stream.bytes + Array("\n\n".utf8))
    }

    // MARK: - Results

    /// Whether the user stopped it.
    var wasInterrupted: Bool { streams.contains { $0.reason == .interrupted } }

    /// Speeds and sizes for people.
    var timingLine: String {
        "read \(generator.promptTokenCount) \(unit) at \(Format.count(readRate)) \(unit)/s, made \(made.tokens) in "
            + "\(streams.count) streams at \(Format.count(madeRate)) \(unit)/s together, states "
            + Format.bytes(stateByteCount)
    }

    /// Texts, speeds and sizes for programs.
    var json: JSONValue {
        var object = JSONObject()
        object["streams"] = .array(
            streams.map { stream in
                var own = JSONObject()
                own.setText(stream.bytes)
                own["seed"] = .integer(stream.seed)
                own["stop_reason"] = .string((stream.reason ?? .interrupted).rawValue)
                own["prompt_tokens"] = .integer(stream.promptTokens)
                own["tokens"] = .integer(stream.tokens)
                return .object(own)
            })
        object["prompt_tokens"] = .integer(generator.promptTokenCount)
        object["tokens"] = .integer(made.tokens)
        object["prompt_tokens_per_second"] = .real(readRate)
        object["tokens_per_second"] = .real(madeRate)
        object["state_bytes"] = .integer(stateByteCount)
        return .object(object)
    }

    private var readRate: Double { readSeconds > 0 ? Double(generator.promptTokenCount) / readSeconds : 0 }

    /// The first token of each stream follows from its prompt.
    private var madeRate: Double {
        made.seconds > 0 ? Double(max(0, made.tokens - streams.count)) / made.seconds : 0
    }
}

extension JSONObject {
    /// Sets `text`, and `bytes` where JSON cannot hold them: bytes that are no UTF-8.
    mutating func setText(_ bytes: [UInt8]) {
        self["text"] = .string(String(decoding: bytes, as: UTF8.self))
        if String(validating: bytes, as: UTF8.self) == nil { self["bytes"] = .array(bytes.map { .integer($0) }) }
    }
}

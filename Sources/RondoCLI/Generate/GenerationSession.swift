import RondoData
import RondoIO
import RondoModels
import RondoTensor
import RondoTokenizers

/// One call of `rondo generate`: what is made, what is shown of it and when, and how long it took.
struct GenerationSession {
    /// Why the session ended.
    enum StopReason: String {
        case length, stop, interrupted
        case endOfText = "end_of_text"
    }

    private var generator: TextGenerator
    private let seed: UInt64?
    private var stops: StopStrings
    private let text: ModelText
    private var decoder: TokenStreamDecoder
    /// Where bytes go as they are made; without one, all are kept for the result.
    private let stream: OutputStream?
    private var prompt: [UInt8] = []
    private var shown: [UInt8] = []
    /// Whether the token that ends a text is a token like any other.
    private let ignoresEnd: Bool
    private var read = (tokens: 0, seconds: 0.0)
    private var made = (tokens: 0, seconds: 0.0)
    /// How often memory for tensors was taken from the system until now, and until the third token.
    private var memoryRequests = (now: 0, before: 0)

    init(
        _ generator: TextGenerator, text: ModelText, seed: UInt64?, stops: StopStrings, stream: OutputStream?,
        ignoresEnd: Bool = false
    ) throws {
        self.generator = generator
        self.text = text
        self.seed = seed
        self.stops = stops
        self.stream = stream
        self.ignoresEnd = ignoresEnd
        // A terminal must not be sent half a character.
        decoder = text.makeDecoder(keepsCharactersWhole: stream?.isTerminal ?? false)
        try decoder.restore(generator.companion)
    }

    /// Reads the prompt; a beginning without one starts at a new line, or with the token that begins a text.
    mutating func readPrompt(_ bytes: [UInt8], hasSpecialTokens: Bool = false) throws {
        prompt = bytes
        let watch = Timer()
        let tokens = try text.prompt(
            bytes, isBeginning: generator.isAtStart, hasSpecialTokens: hasSpecialTokens)
        try generator.read(tokens)
        try decoder.observe(tokens)
        read = (tokens.count, watch.seconds)
    }

    func showPrompt() throws { try stream?.write(prompt) }

    /// Makes tokens until there are enough, a stop string appears, or the user asks to stop.
    mutating func generate(maxTokens: Int) throws -> StopReason {
        let (watch, endTokens) = (Timer(), text.endTokens)
        defer {
            made.seconds = watch.seconds
            memoryRequests.now = Runtime.hostAllocator.statistics.allocations
        }
        try show(stops.append(generator.pendingBytes))
        while !stops.isStopped {
            if Interruption.isRequested { return .interrupted }
            if made.tokens >= maxTokens { return .length }
            let token = try generator.next()
            made.tokens += 1
            // The first token follows from the prompt; some steps later every block has been used once.
            if made.tokens <= 8 { memoryRequests.before = Runtime.hostAllocator.statistics.allocations }
            if !ignoresEnd, endTokens.contains(token) { return .endOfText }
            try show(stops.append(decoder.append(token)))
        }
        return .stop
    }

    /// Shows what was kept back because it might have been the beginning of something.
    mutating func flush() throws { try show(stops.append(decoder.finish()) + stops.finish()) }

    /// Saves the state; what was kept back goes into it and is shown when it is continued.
    mutating func save(to path: String) throws {
        let pending = (stops.isStopped ? [] : stops.pending) + decoder.pendingBytes
        try generator.save(to: path, pendingBytes: pending, companion: decoder.saved())
    }

    private mutating func show(_ ready: [UInt8]) throws {
        guard !ready.isEmpty else { return }
        guard let stream else {
            shown += ready
            return
        }
        try stream.write(ready)
    }

    // MARK: - Results

    /// Speeds and sizes for people.
    var timingLine: String {
        "read \(read.tokens) \(text.unit) at \(Self.rate(read)) \(text.unit)/s, made \(made.tokens) at "
            + "\(Self.rate(steps)) \(text.unit)/s (weights at \(Format.bytes(Int(weightRate)))/s), state "
            + Format.bytes(generator.stateByteCount)
    }

    /// Bytes of weights read in a second of making tokens: the memory's bandwidth is the limit.
    var weightRate: Double { Self.perSecond(steps) * Double(generator.weightByteCount) }

    /// Text, speeds and sizes for programs.
    func json(_ reason: StopReason) -> JSONValue {
        var object = JSONObject()
        object.setText(shown)
        object["seed"] = seed.map { .integer($0) } ?? .null
        object["stop_reason"] = .string(reason.rawValue)
        object["prompt_tokens"] = .integer(read.tokens)
        object["tokens"] = .integer(made.tokens)
        object["prompt_tokens_per_second"] = .real(Self.perSecond(read))
        object["tokens_per_second"] = .real(Self.perSecond(steps))
        object["weight_bytes_per_second"] = .real(weightRate)
        object["memory_requests"] = .integer(memoryRequests.now - memoryRequests.before)
        object["state_bytes"] = .integer(generator.stateByteCount)
        return .object(object)
    }

    /// What took time to make: the first token follows from the prompt.
    private var steps: (tokens: Int, seconds: Double) { (max(0, made.tokens - 1), made.seconds) }

    private static func perSecond(_ work: (tokens: Int, seconds: Double)) -> Double {
        work.seconds > 0 ? Double(work.tokens) / work.seconds : 0
    }

    private static func rate(_ work: (tokens: Int, seconds: Double)) -> String { Format.count(perSecond(work)) }
}

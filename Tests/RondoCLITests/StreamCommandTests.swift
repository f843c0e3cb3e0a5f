import RondoIO
import RondoTensor
import RondoTestSupport
import Testing

/// `rondo generate` with several texts side by side.
@Suite struct StreamCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try Tiny.write(to: folder.path)
        try run(Tiny.train("runs/a", steps: 3))
    }

    @discardableResult
    private func run(_ arguments: [String], status: Int32 = 0, input: [UInt8] = []) throws -> RondoProcess.Outcome {
        let outcome = try RondoProcess.run(arguments, in: folder.path, input: input)
        #expect(outcome.status == status, "\(arguments): \(outcome.messages)")
        return outcome
    }

    private func bytes(_ stream: JSONValue) -> [UInt8] {
        stream["bytes"]?.arrayValue?.compactMap { $0.intValue.map { UInt8($0) } }
            ?? Array((stream["text"]?.stringValue ?? "").utf8)
    }

    private func alone(_ prompt: String, seed: Int) throws -> [UInt8] {
        try run(["generate", "--prompt", prompt, "--max-tokens", "30", "--seed", "\(seed)"]).output
    }

    @Test func streamsOfOnePromptAreTextsOfFollowingSeeds() throws {
        let many = ["generate", "--prompt", "the ", "--max-tokens", "30", "--seed", "4"]
        let json = try run(many + ["--streams", "18", "--json"]).json()
        let streams = json["streams"]?.arrayValue ?? []
        #expect(streams.count == 18 && json["tokens"]?.intValue == 18 * 30 && json["prompt_tokens"]?.intValue == 4)
        for index in [0, 1, 17] {
            #expect(try bytes(streams[index]) == alone("the ", seed: 4 + index))
            #expect(streams[index]["seed"]?.intValue == 4 + index)
            #expect(streams[index]["stop_reason"]?.stringValue == "length")
        }
        let shown = try run(many + ["--streams", "2"]).output
        let first = try Array("==> 1 of 2, seed 4 <==\n".utf8) + alone("the ", seed: 4)
        let second = try Array("\n\n==> 2 of 2, seed 5 <==\n".utf8) + alone("the ", seed: 5)
        #expect(shown == first + second + Array("\n\n".utf8))
    }

    @Test func severalPromptsAreAStreamEach() throws {
        let options = ["--max-tokens", "30", "--seed", "2", "--json"]
        let given = try run(["generate", "--prompt", "the ", "--prompt", "a"] + options).json()
        let lines = try run(["generate", "--prompts", "-"] + options, input: Array("the \n\na".utf8)).json()
        #expect(given["streams"]?.arrayValue?.map(bytes) == lines["streams"]?.arrayValue?.map(bytes))
        #expect(try given["streams"]?.arrayValue?.map(bytes) == [alone("the ", seed: 2), alone("a", seed: 3)])
        let echoed = try run(["generate", "--prompts", "-", "--echo", "--greedy"], input: Array("the ".utf8))
        #expect(echoed.text.contains(" <==\nthe "))
    }

    @Test func aStreamThatMeetsItsStopStringEndsFirst() throws {
        let texts = try [alone("the ", seed: 4), alone("the ", seed: 5)]
        // A character that the second text has and the first has not, or has later.
        func place(_ character: UInt8, in text: [UInt8]) -> Int { text.firstIndex(of: character) ?? 99 }
        let stop = (33..<127).map { UInt8($0) }.first { place($0, in: texts[1]) < place($0, in: texts[0]) }
        guard let stop, let at = texts[1].firstIndex(of: stop) else { return }
        let shown = try run([
            "generate", "--prompt", "the ", "--max-tokens", "30", "--seed", "4", "--streams", "2", "--stop",
            String(UnicodeScalar(stop)),
        ])
        #expect(shown.output.starts(with: Array("==> 2 of 2, seed 5 <==\n".utf8) + texts[1][..<at] + [10, 10]))
        #expect(try run(["generate", "--prompt", "a", "--streams", "2", "--max-tokens", "0"]).text.contains("2 of 2"))
    }

    @Test(arguments: [
        (["--streams", "0", "--prompt", "a"], "--streams"),
        (["--streams", "2", "--prompt", "a", "--prompt", "b"], "--streams"),
        (["--streams", "2", "--prompts", "text.txt"], "--streams"),
        (["--prompts", "text.txt", "--prompt", "a"], "--prompts"),
        (["--prompt", "a", "--prompt", "-"], "standard input"),
        (["--streams", "2", "--prompt", "a", "--state-out", "s"], "--state-out"),
        (["--prompt", "a", "--prompt", "b", "--state-in", "s"], "--state-in"),
        (["--prompts", "text.txt", "--state-out", "s"], "--state-out"),
    ])
    func whatDoesNotGoTogetherIsRefused(_ arguments: [String], hint: String) throws {
        let outcome = try run(["generate"] + arguments, status: 2)
        #expect(outcome.output.isEmpty && outcome.messages.contains(hint), "\(outcome.messages)")
    }

    @Test func aFileWithoutPromptsIsAnError() throws {
        #expect(try run(["generate", "--prompts", "-"], status: 2).messages.contains("no prompt"))
    }

    /// Mixers of every kind, whole and quantised: after two steps, tensors live in memory that is there.
    @Test(arguments: ["lstm", "mamba", "mamba2", "gla", "delta_net", "rwkv7"])
    func aTokenTakesNoMemoryFromTheSystem(_ mixer: String) throws {
        try run([
            "train", "--text", "text.txt", "--out", "runs/m", "--steps", "1", "--mixer", mixer,
            "--d-model", "16", "--batch", "4", "--window", "16",
        ])
        try run(["quantize", "--model", "runs/m", "--to", "int8", "--out", "small"])
        for model in ["runs/m", "small"] {
            let made = try run([
                "generate", "--model", model, "--prompt", "a", "--seed", "1", "--max-tokens", "1000", "--json",
            ]).json()
            #expect(made["tokens"]?.intValue == 1000 && made["memory_requests"]?.intValue == 0, "\(mixer), \(model)")
        }
    }
}

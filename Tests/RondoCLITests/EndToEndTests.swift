import Glibc
import RondoIO
import RondoTensor
import RondoTestSupport
import Testing

@testable import RondoCLI

/// All numbers of a checkpoint that decide what happens next, by file.
func checkpointFiles(_ run: String, step: Int) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in ["model.safetensors", "optimizer.safetensors", "state.safetensors"] {
        let bytes = try FileSystem.readBytes("\(run)/checkpoints/step-\(step)/\(name)")
        // Only the numbers: the header names settings that may differ, such as the threads.
        let header = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        files[name] = Array(bytes.dropFirst(8 + header))
    }
    return files
}

@Suite struct EndToEndTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try Tiny.write(to: folder.path)
    }

    @discardableResult
    private func run(_ arguments: [String], status: Int32 = 0, input: [UInt8] = []) throws -> RondoProcess.Outcome {
        let outcome = try RondoProcess.run(arguments, in: folder.path, input: input)
        #expect(outcome.status == status, "\(arguments): \(outcome.messages)")
        return outcome
    }

    @Test func trainGenerateEvaluateAndLookBack() throws {
        let trained = try run(Tiny.train("runs/a", steps: 12, "--evaluate-every", "4", "--json"))
        let result = try trained.json()
        #expect(result["reason"]?.stringValue == "completed" && result["step"]?.intValue == 12)
        #expect(trained.messages.contains("Loss picture: runs/a/loss.png"))
        #expect(trained.messages.contains("rondo generate --model runs/a"))
        #expect(!trained.messages.contains("\r"), "a pipe gets plain lines")
        for file in ["config.json", "metrics.jsonl", "loss.svg", "loss.png", "best", "latest"] {
            #expect(FileSystem.kind(of: folder.file("runs/a/\(file)")) == .file, "\(file)")
        }

        let generate = ["generate", "--model", "runs/a", "--prompt", "the ", "--max-tokens", "50", "--seed", "1"]
        let made = try run(generate)
        #expect(made.output.count == 50 && made.messages.contains("bytes/s"))
        #expect(try run(generate).output == made.output)
        #expect(try run(generate + ["--threads", "1"]).output == made.output)
        let json = try run(generate + ["--json"]).json()
        #expect(json["tokens"]?.intValue == 50 && json["seed"]?.intValue == 1)
        // Without --model, the last run is meant.
        #expect(try run(["generate", "--prompt", "the ", "--max-tokens", "50", "--seed", "1"]).output == made.output)

        let measured = try run(["evaluate", "--model", "runs/a", "--text", "text.txt", "--json"]).json()
        #expect(measured["bytes"]?.intValue == Tiny.text.count - 1)
        #expect((1...8.5).contains(measured["bits_per_byte"]?.doubleValue ?? 0))

        let runs = try run(["runs", "list", "--json"]).json().arrayValue ?? []
        #expect(runs.count == 1 && runs.first?["status"]?.stringValue == "finished")
        #expect(try run(["runs", "show", "a"]).text.contains("\"d_model\": 12"))
        try run(Tiny.train("runs/b", steps: 3, "--lr", "0.01"))
        #expect(try run(["runs", "compare", "runs/a", "runs/b"]).text.contains("optimizer.learning_rate"))
    }

    @Test func aStateContinuesBitForBit() throws {
        try run(Tiny.train("runs/a", steps: 5))
        let base = ["generate", "--model", "runs/a", "--prompt", "the "]
        for sampling in [
            ["--seed", "4"], ["--greedy"], ["--seed", "4", "--top-k", "9", "--repetition-penalty", "1.3"],
        ] {
            let whole = try run(base + sampling + ["--max-tokens", "40"]).output
            let first = try run(base + sampling + ["--max-tokens", "17", "--state-out", "s"]).output
            let second = try run(["generate", "--model", "runs/a", "--state-in", "s", "--max-tokens", "23"]).output
            #expect(first + second == whole, "\(sampling)")
        }
        try run(Tiny.train("runs/b", steps: 5, "--seed", "2"))
        let foreign = try run(["generate", "--model", "runs/b", "--state-in", "s"], status: 1)
        #expect(foreign.messages.contains("Error: "))
    }

    @Test func stopStringsAndPromptsFromFiles() throws {
        try run(Tiny.train("runs/a", steps: 3))
        let base = ["generate", "--model", "runs/a", "--seed", "1", "--max-tokens", "60"]
        let whole = try run(base + ["--prompt", "the "]).output
        let fromFile = try run(base + ["--prompt-file", "-"], input: Array("the ".utf8)).output
        #expect(fromFile == whole)
        #expect(try run(base + ["--prompt", "-"], input: Array("the ".utf8)).output == whole)
        #expect(try run(base + ["--prompt", "the ", "--echo"]).output == Array("the ".utf8) + whole)
        // Whatever ASCII character comes first ends the text when it is a stop string.
        guard let at = whole.firstIndex(where: { (33..<127).contains($0) }) else { return }
        let stop = String(UnicodeScalar(whole[at]))
        #expect(try run(base + ["--prompt", "the ", "--stop", stop]).output == Array(whole[..<at]))
    }

    @Test func aBrokenPipeEndsQuietly() throws {
        try run(Tiny.train("runs/a", steps: 2))
        let shell = """
            "\(RondoProcess.executable)" generate --model runs/a --prompt a --max-tokens 200000 2>messages | head -c 10 \
            >/dev/null; echo "${PIPESTATUS[0]}" >status
            """
        try RondoProcess.shell(shell, in: folder.path)
        #expect(try FileSystem.readText(folder.file("status")) == "0\n")
        #expect(!(try FileSystem.readText(folder.file("messages"))).contains("Error"))
    }

    @Test func resumeEqualsTheUndisturbedRun() throws {
        try run(Tiny.train("whole", steps: 20, "--evaluate-every", "7", "--dropout", "0.2"))
        let interrupted = try RondoProcess(
            Tiny.train("parts", steps: 20, "--evaluate-every", "7", "--dropout", "0.2"), in: folder.path,
            environment: ["RONDO_TEST_UNUSED": ""])
        while interrupted.isRunning, !(try interrupted.messagesSoFar().contains("step 1/")) { usleep(1000) }
        interrupted.send(SIGINT)
        let outcome = try interrupted.finish()
        // On a fast machine the run may have been over already.
        if outcome.status != 0 {
            #expect(outcome.status == 130, "\(outcome.messages)")
            #expect(outcome.messages.contains("rondo train --resume parts"))
            #expect(outcome.text.contains("interrupted"))
        }
        try run(["train", "--resume", "parts"])
        #expect(try checkpointFiles(folder.file("parts"), step: 20) == checkpointFiles(folder.file("whole"), step: 20))
        let steps = try JSONLines.read(folder.file("parts/metrics.jsonl"))
            .filter { $0["train/loss"] != nil }.compactMap { $0["step"]?.intValue }
        #expect(steps == Array(1...20))
        // Going on with a complete run changes nothing; more steps extend it.
        try run(["train", "--resume", "parts"])
        try run(["train", "--resume", "parts", "--steps", "24"])
        #expect(try FileSystem.readText(folder.file("parts/latest")) == "step-24\n")
        let refused = try run(["train", "--resume", "parts", "--d-model", "3"], status: 2)
        #expect(refused.messages.contains("as it is"))
    }

    @Test func threadsNeverChangeTheModel() throws {
        for threads in ["1", "2", "4"] { try run(Tiny.train("t\(threads)", steps: 6, "--threads", threads)) }
        let one = try checkpointFiles(folder.file("t1"), step: 6)
        #expect(try checkpointFiles(folder.file("t2"), step: 6) == one)
        #expect(try checkpointFiles(folder.file("t4"), step: 6) == one)
    }

    @Test func standardInputIsAText() throws {
        try run(["train", "--text", "-", "--out", "piped", "--steps", "2"] + Tiny.model, input: Tiny.text)
        try run(Tiny.train("named", steps: 2))
        #expect(try checkpointFiles(folder.file("piped"), step: 2) == checkpointFiles(folder.file("named"), step: 2))
    }
}

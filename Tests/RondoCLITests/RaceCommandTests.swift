import Glibc
import RondoIO
import RondoTensor
import RondoTestSupport
import Testing

@testable import RondoCLI

@Suite struct RaceCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try Tiny.write(to: folder.path)
    }

    @discardableResult
    private func run(_ arguments: [String], status: Int32 = 0) throws -> RondoProcess.Outcome {
        let outcome = try RondoProcess.run(arguments, in: folder.path)
        #expect(outcome.status == status, "\(arguments): \(outcome.messages)")
        return outcome
    }

    private func race(_ out: String, _ more: String...) -> [String] {
        [
            "race", "--mixers", "gru,gla:{\"heads\":2}", "--text", "text.txt", "--flops", "2e7", "--classes", "2",
            "--layers", "1", "--d-model", "8", "--batch", "4", "--window", "16", "--out", out, "timed_steps=1",
        ] + more
    }

    @Test func aRaceAndWhatItLeaves() throws {
        let outcome = try run(race("r"))
        #expect(outcome.text.contains("gru") && outcome.text.contains("PARAMETERS"))
        for file in ["race.json", "race.html", "race.svg", "race.png", "progress.json"] {
            #expect(FileSystem.kind(of: folder.file("r/\(file)")) == .file, "\(file)")
        }
        let report = try JSONValue(contentsOf: folder.file("r/race.json"))
        #expect(report["contestants"]?.arrayValue?.count == 2)
        let model = "r/models/gla-2-seed0"
        #expect(try run(["generate", "--model", model, "--prompt", "the", "--max-tokens", "4"]).output.count == 4)
        // Of a race that is over, the results are printed again.
        #expect(try run(["race", "--resume", "r"]).text == outcome.text)
        #expect(try run(race("r"), status: 1).messages.contains("--resume"))
    }

    @Test func resumeEqualsTheUndisturbedRace() throws {
        try run(race("whole"))
        let interrupted = try RondoProcess(race("parts"), in: folder.path)
        while interrupted.isRunning, !(try interrupted.messagesSoFar().contains("step 1 ")) { usleep(1000) }
        interrupted.send(SIGINT)
        let outcome = try interrupted.finish()
        // On a fast machine the race may have been over already.
        if outcome.status != 0 {
            #expect(outcome.status == 130 && outcome.messages.contains("rondo race --resume parts"))
            try run(["race", "--resume", "parts"])
        }
        let (one, other) = (
            try JSONValue(contentsOf: folder.file("whole/race.json")),
            try JSONValue(contentsOf: folder.file("parts/race.json"))
        )
        for (a, b) in zip(one["contestants"]?.arrayValue ?? [], other["contestants"]?.arrayValue ?? []) {
            #expect(a["results"] == b["results"] && a["curve"] == b["curve"])
        }
    }

    @Test func badInputIsRefusedBeforeWork() throws {
        for (arguments, word) in [
            (["--mixers", "lst", "--text", "text.txt", "--minutes", "1"], "lstm"),
            (["--mixers", "lstm:{", "--text", "text.txt", "--minutes", "1"], "--mixers"),
            (["--mixers", "lstm", "--text", "text.txt"], "minutes"),
            (["--mixers", "lstm", "--text", "text.txt", "--minutes", "1", "--flops", "1e9"], "exclude"),
            (["--text", "text.txt", "--minutes", "1"], "contestants"), (["--resume", "x", "--seeds", "2"], "--resume"),
        ] {
            #expect(try run(["race"] + arguments, status: 2).messages.contains(word), "\(arguments)")
            #expect(FileSystem.kind(of: folder.file("races")) == nil)
        }
        #expect(try run(["race", "--resume", "x"], status: 1).messages.contains("no race"))
        let plan = try run(race("r", "--dry-run", "--same-width")).json()
        #expect(plan["matching"]?.stringValue == "width" && FileSystem.kind(of: folder.file("r")) == nil)
    }

    @Test func withoutATextItReadsTheProjectsOwn() throws {
        let plan = try run(["race", "--mixers", "lstm", "--minutes", "1", "--dry-run"]).json()
        #expect(plan["training"]?["data"]?["text"]?.arrayValue?.isEmpty == false)
    }
}

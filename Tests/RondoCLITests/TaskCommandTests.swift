import Glibc
import RondoIO
import RondoTensor
import RondoTestSupport
import Testing

@testable import RondoCLI

@Suite struct TaskCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @discardableResult
    private func run(_ arguments: [String], status: Int32 = 0) throws -> RondoProcess.Outcome {
        let outcome = try RondoProcess.run(arguments, in: folder.path)
        #expect(outcome.status == status, "\(arguments): \(outcome.messages)")
        return outcome
    }

    private func train(_ out: String, steps: Int, _ more: String...) -> [String] {
        [
            "train", "--task", "parity", "--mixer", "min_gru", "--d-model", "8", "--layers", "1", "--batch", "4",
            "--max-length", "9", "--lengths", "9,20", "--examples", "5", "--steps", "\(steps)", "--out", out,
        ] + more
    }

    @Test func trainMeasureAndUseAsALanguageModel() throws {
        let trained = try run(train("runs/p", steps: 6, "--evaluate-every", "3", "--task-options", "{}"))
        #expect(trained.text.contains("LENGTH") && trained.text.contains("not trained"))
        for file in ["config.json", "metrics.jsonl", "scores.json", "loss.svg", "loss.png", "latest"] {
            #expect(FileSystem.kind(of: folder.file("runs/p/\(file)")) == .file, "\(file)")
        }
        let scores = try JSONValue(contentsOf: folder.file("runs/p/scores.json"))
        #expect(scores["evaluations"]?.arrayValue?.compactMap { $0["step"]?.intValue } == [3, 6])

        let measured = try run(["evaluate", "--model", "runs/p", "--json"]).json()
        #expect(measured["scores"] == scores["evaluations"]?.arrayValue?.last?["scores"])
        let table = try run(["evaluate", "--model", "runs/p", "--lengths", "5,33"]).text
        #expect(table.split(separator: "\n").count == 3 && table.contains("33"))

        #expect(try run(["inspect", "runs/p"]).text.contains("rondo_language_model"))
        try run(["verify", "--model", "runs/p"])
        #expect(!(try run(["generate", "--model", "runs/p", "--prompt", "0 1", "--max-tokens", "3"]).output.isEmpty))
        #expect(try run(["runs", "list"]).text.contains("min_gru"))
    }

    @Test func resumeEqualsTheUndisturbedRun() throws {
        try run(train("whole", steps: 60))
        let interrupted = try RondoProcess(train("parts", steps: 60), in: folder.path)
        while interrupted.isRunning, !(try interrupted.messagesSoFar().contains("step 1/")) { usleep(1000) }
        interrupted.send(SIGINT)
        let outcome = try interrupted.finish()
        // On a fast machine the run may have been over already.
        if outcome.status != 0 {
            #expect(outcome.status == 130, "\(outcome.messages)")
            #expect(outcome.messages.contains("rondo train --resume parts"))
        }
        try run(["train", "--resume", "parts"])
        for file in ["model.safetensors", "optimizer.safetensors", "task_state.json"] {
            let name = "checkpoints/step-60/\(file)"
            #expect(
                try FileSystem.readBytes(folder.file("parts/\(name)"))
                    == FileSystem.readBytes(folder.file("whole/\(name)")), "\(file)")
        }
        #expect(
            try FileSystem.readText(folder.file("parts/scores.json"))
                == FileSystem.readText(folder.file("whole/scores.json")))
        try run(["train", "--resume", "parts", "--steps", "62"])
        #expect(try FileSystem.readText(folder.file("parts/latest")) == "step-62\n")
        #expect(try run(["train", "--resume", "parts", "--task", "parity"], status: 2).messages.contains("as it is"))
    }

    /// A run that was killed before its first checkpoint goes on as it was asked to, whatever it reads.
    @Test func resumingWithoutACheckpointObeysSteps() throws {
        try Tiny.write(to: folder.path)
        for (name, command) in [("task", train("task", steps: 3)), ("text", Tiny.train("text", steps: 3))] {
            try run(command)
            try FileSystem.remove(folder.file("\(name)/latest"))
            try FileSystem.remove(folder.file("\(name)/checkpoints"))
            let outcome = try run(["train", "--resume", name, "--steps", "2"])
            #expect(outcome.messages.contains("begins anew"))
            #expect(try FileSystem.readText(folder.file("\(name)/latest")) == "step-2\n")
        }
    }

    @Test func badInputIsRefusedBeforeWork() throws {
        for (arguments, word) in [
            (["--task", "paritty"], "parity"), (["--task", "parity", "--window", "5"], "--window"),
            (["--task", "parity", "--text", "x"], "--text"), (["--lengths", "4"], "--lengths needs --task"),
            (["--task", "parity", "--lengths", "4,x"], "lengths"), (["--task", "parity", "stepz=1"], "stepz"),
            (["--task", "parity", "--task-options", "{\"a\":1}"], "asks_at_end_only"),
        ] {
            #expect(try run(["train"] + arguments + ["--out", "r"], status: 2).messages.contains(word), "\(arguments)")
            #expect(FileSystem.kind(of: folder.file("r")) == nil)
        }
        try Tiny.write(to: folder.path)
        try run(Tiny.train("text", steps: 1))
        #expect(try run(["evaluate", "--model", "text"], status: 2).messages.contains("--text"))
    }
}

import RondoIO
import RondoTestSupport
import Testing

@testable import RondoCLI

@Suite struct ProcessTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try Tiny.write(to: folder.path)
    }

    private func run(
        _ arguments: String..., environment: [String: String] = [:]
    ) throws -> RondoProcess.Outcome {
        try RondoProcess.run(arguments, in: folder.path, environment: environment)
    }

    @Test func helpAndVersionAreData() throws {
        for arguments in [["--help"], ["train", "--help"], ["help", "generate"], ["--version"]] {
            let outcome = try RondoProcess.run(arguments, in: folder.path)
            #expect(outcome.status == 0 && outcome.messages.isEmpty && outcome.text.contains("rondo"), "\(arguments)")
        }
        #expect(try run("--version").text.contains("instruction set"))
    }

    @Test func mistakesInTheCommandLineEndWithTwo() throws {
        let cases: [(arguments: [String], hint: String)] = [
            (["trian"], "did you mean 'train'?"),
            (["runs", "lst"], "did you mean 'list'?"),
            (["train", "--d-modell", "4"], "--d-model"),
            (["train", "--text", "text.txt", "--mixer", "lstmm"], "slstm"),
            (["train", "--d-model", "wide"], "--d-model"),
            (["train", "book.txt"], "--text book.txt"),
            (["train", "--text", "text.txt", "--d-model", "0"], "d_model"),
            (["train", "--text", "text.txt", "--steps", "0"], "steps"),
            (["train", "--text", "text.txt", "--d-model", "30000000"], "d_model"),
            (["train", "--text", "text.txt", "modl.vocab_size=3"], "did you mean 'model'?"),
            (["generate", "--temperature", "-1"], "temperature"),
            (["generate", "--top-p", "2"], "top-p"),
            (["generate", "--threads", "-1"], "threads"),
            (["evaluate", "--text", "text.txt", "--batch", "0"], "--batch"),
            (["completions", "tcsh"], "bash"),
            (["train", "--quiet", "--verbose", "--text", "text.txt"], "exclude"),
        ]
        for (arguments, hint) in cases {
            let outcome = try RondoProcess.run(arguments, in: folder.path)
            #expect(outcome.status == 2, "\(arguments): \(outcome)")
            #expect(outcome.output.isEmpty, "\(arguments)")
            #expect(outcome.messages.hasPrefix("Error: ") && outcome.messages.contains(hint), "\(outcome.messages)")
        }
        #expect(FileSystem.kind(of: folder.file("runs")) == nil)
    }

    @Test func failuresEndWithOne() throws {
        let cases: [(arguments: [String], hint: String)] = [
            (["generate", "--model", "nowhere", "--prompt", "a"], "no folder 'nowhere'"),
            (["generate", "--prompt", "a"], "no run"),
            (["evaluate", "--model", ".", "--text", "text.txt"], "neither a run nor a model"),
            (["train", "--resume"], "no run"),
            (["train", "--resume", "nowhere"], "nowhere"),
            (["runs", "list"], "no run store"),
            (["train", "--config", "none.json"], "none.json"),
        ]
        for (arguments, hint) in cases {
            let outcome = try RondoProcess.run(arguments, in: folder.path)
            #expect(outcome.status == 1, "\(arguments): \(outcome)")
            #expect(outcome.output.isEmpty && outcome.messages.contains(hint), "\(outcome.messages)")
        }
    }

    @Test func variablesWork() throws {
        #expect(try run("models", environment: ["RONDO_JSON": "1"]).json().arrayValue?.isEmpty == false)
        let wrong = try run("generate", environment: ["RONDO_MAX_TOKENS": "many"])
        #expect(wrong.status == 2 && wrong.messages.contains("RONDO_MAX_TOKENS"))
        let unknown = try run("models", environment: ["RONDO_JSN": "1"])
        #expect(unknown.status == 0 && unknown.messages.contains("did you mean RONDO_JSON?"))
    }

    @Test func dryRunChecksAndChangesNothing() throws {
        let outcome = try run("train", "--text", "text.txt", "--dry-run", "--d-model", "7", "--steps", "3")
        #expect(outcome.status == 0)
        let tree = try outcome.json()
        #expect(tree["model"]?["d_model"]?.intValue == 7 && tree["minutes"] == .null)
        #expect(FileSystem.kind(of: folder.file("runs")) == nil)
        // What it prints is a configuration file.
        try AtomicFile.write(outcome.text, to: folder.file("c.json"))
        #expect(try run("train", "--config", "c.json", "--dry-run").output == outcome.output)
    }

    @Test func doctorFindsNothingWrongHere() throws {
        let outcome = try run("doctor", "--json")
        #expect(outcome.status == 0)
        let facts = try outcome.json()
        for key in ["version", "features", "instruction set", "memory", "run store"] {
            #expect(facts[key]?.stringValue?.isEmpty == false, "\(key)")
        }
    }

    @Test func outputThatCannotBeWrittenIsAnError() throws {
        let full = try RondoProcess.run(["models"], in: folder.path, outputPath: "/dev/full")
        #expect(full.status == 1 && full.messages.contains("standard output"))
    }
}

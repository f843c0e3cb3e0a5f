import RondoIO
import RondoTestSupport
import Testing

@Suite struct DiagnoseCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(_ arguments: String...) throws -> RondoProcess.Outcome {
        try RondoProcess.run(arguments, in: folder.path)
    }

    private func path(_ name: String) -> String { FileSystem.join(folder.path, name) }

    private func train(_ mixer: String) throws {
        let verse = "the quick brown fox jumps over the lazy dog; a rondo is a round.\n"
        try AtomicFile.write(String(repeating: verse, count: 100), to: path("text.txt"))
        let outcome = try run(
            "train", "--text", "text.txt", "--mixer", mixer, "--layers", "1", "--d-model", "16", "--steps", "4",
            "--batch", "4", "--window", "32", "--out", "run")
        #expect(outcome.status == 0, "\(outcome.messages)")
    }

    @Test func aRunIsReadOnItsOwnText() throws {
        try train("mamba2")
        let outcome = try run("diagnose", "--model", "run", "--length", "300", "--rows", "2", "--out", "report")
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(outcome.messages.contains("text.txt (the part kept for validation)"))
        #expect(outcome.text.contains("layers.0.ssm") && outcome.text.contains("Memory horizon"))
        let page = try FileSystem.readText(path("report/diagnosis.html"))
        for heading in ["Loss by position", "States as they fill", "Memory horizon", "Timescales", "Eigenvalues"] {
            #expect(page.contains(heading), "\(heading)")
        }
        let report = try JSONValue(contentsOf: path("report/diagnosis.json"))
        #expect(report["options"]?["training_length"]?.intValue == 32)
        #expect(report["transitions"]?.arrayValue?.count == 1)
        #expect(report["states"]?["reference"]?.intValue == 32)
    }

    @Test func otherTextsOptionsAndFormatsAreTaken() throws {
        try train("mamba2")
        let random = try run(
            "diagnose", "--model", "run", "--random", "--length", "200", "--rows", "2", "--json", "--mixer-option",
            "state_window=16", "--buckets", "linear")
        #expect(random.status == 0, "\(random.messages)")
        let report = try JSONValue(parsing: random.text, source: "report")
        #expect(report["text"]?.stringValue == "random tokens")
        #expect(report["loss"]?["buckets"]?.arrayValue?.count == 16)
        let unknown = try run("diagnose", "--model", "run", "--mixer-option", "state_windw=16")
        #expect(unknown.status != 0 && unknown.messages.contains("state_window"))
        let long = try run("diagnose", "--model", "run", "--text", "text.txt", "--length", "100000")
        #expect(long.status != 0 && long.messages.contains("--length"))
        #expect(try run("diagnose", "--model", "run", "--text", "text.txt", "--random").status == 2)
    }
}

import RondoIO
import RondoMixers
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@testable import RondoCLI
@testable import RondoConformance

/// `rondo models`, `describe` and `verify`.
@Suite struct MixerCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(_ arguments: String...) throws -> RondoProcess.Outcome {
        try RondoProcess.run(arguments, in: folder.path)
    }

    @Test func modelsListsEveryMixerUnderItsFamily() throws {
        let outcome = try run("models")
        #expect(outcome.status == 0 && outcome.messages.isEmpty)
        let lines = outcome.text.split(separator: "\n").map(String.init)
        for mixer in MixerRegistry.builtIn {
            let line = try #require(lines.firstIndex { $0.hasPrefix(mixer.architecture + " ") })
            let titles = MixerCard.Family.allCases.map(\.title)
            let heading = lines[..<line].last { titles.contains($0) }
            #expect(heading == mixer.card.family.title && lines[line].contains(mixer.card.summary))
        }
        let entries = try #require(try run("models", "--json").json().arrayValue)
        #expect(entries.count == MixerRegistry.builtIn.count)
        let lstm = try #require(entries.first { $0["name"]?.stringValue == "lstm" })
        #expect(lstm["state_bytes"]?.intValue == 2 * 64 * 4 && lstm["state_growth"]?.stringValue == "constant")
        #expect(lstm["summary"]?.stringValue == LSTM.card.summary && lstm["complexity"] != nil)
    }

    @Test func describeSaysWhatAMixerIs() throws {
        let text = try run("describe", "lstm").text
        for part in ["c = f ⊙ c⁻ + i ⊙ z", "hidden_size", "null", "[64] float32", "parameters", "Hochreiter"] {
            #expect(text.contains(part), "\(part)")
        }
        let json = try run("describe", "lstm", "--d-model", "8", "--json").json()
        #expect(json["d_model"]?.intValue == 8 && json["configuration"]?["heads"]?.intValue == 1)
        #expect(json["state"]?.arrayValue?.map { $0["name"]?.stringValue } == ["h", "c"])
        #expect(json["state"]?.arrayValue?[0]["shape"]?.arrayValue?.map(\.intValue) == [8])
        #expect(json["parameter_count"]?.intValue == 4 * 8 * (8 + 8 + 1))
        #expect(try run("describe", "--all", "--json").json().arrayValue?.count == MixerRegistry.builtIn.count)
        #expect(try run("describe", "--all").text.contains("GRU (gru)"))
    }

    @Test func growingStatesAreShownByPosition() {
        let card = MixerCard(
            name: "n", title: "N", family: .attention, summary: "s", equations: "y = x", source: "none",
            complexity: "O(T²)", stateGrowth: .linear)
        var description = MixerDescription(
            card: card, dModel: 64, configuration: [:],
            state: [.init(name: "keys", shape: [nil, 64], dtype: .float32)], stateBytes: 0, bytesPerPosition: 256,
            parameterCount: 0)
        #expect(description.stateSizeText == "256 B a position")
        #expect(description.text.contains("[time, 64] float32"))
        description.stateBytes = 4
        #expect(description.stateSizeText == "4 B + 256 B a position")
    }

    /// If this fails: `rondo describe --all --markdown --out docs/mixers`.
    @Test func theCommittedPagesAreUpToDate() throws {
        let committed = "\(FileSystem.parent(of: #filePath))/../../docs/mixers"
        let pages = try MixerPages.all()
        #expect(try FileSystem.list(committed).sorted() == pages.map(\.name).sorted())
        for page in pages {
            let text = try? FileSystem.readText(FileSystem.join(committed, page.name))
            #expect(text == page.text, "docs/mixers/\(page.name): rondo describe --all --markdown --out docs/mixers")
        }
    }

    @Test func pagesAreWritten() throws {
        let outcome = try run("describe", "--all", "--markdown", "--out", "pages/mixers")
        #expect(outcome.status == 0 && outcome.output.isEmpty)
        let names = try FileSystem.list(folder.file("pages/mixers"))
        #expect(names.count == MixerRegistry.builtIn.count + 1 && names.contains("README.md"))
        let page = try FileSystem.readText(folder.file("pages/mixers/lstm.md"))
        #expect(try run("describe", "lstm", "--markdown").text == page)
    }

    @Test func verifyChecksLawsHereAndInAnotherProcess() throws {
        let arguments = ["verify", "lstm", "gru", "--law", "process", "--law", "parallel", "--dtype", "float32"]
        let outcome = try RondoProcess.run(arguments, in: folder.path)
        #expect(outcome.status == 0 && outcome.messages == "2 mixers keep 2 laws.\n", "\(outcome)")
        let lines = outcome.text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.map(\.first) == ["MIXER", "lstm", "gru"])
        #expect(lines[0] == ["MIXER", "PARALLEL", "PROCESS"])
        #expect(lines[1].last == "exact", "\(lines)")
        let results = try RondoProcess.run(arguments + ["--json"], in: folder.path).json().arrayValue ?? []
        let processes = results.filter { $0["law"]?.stringValue == "process" }
        #expect(processes.count == 2 && processes.allSatisfy { $0["passed"] == .bool(true) && $0["skipped"] == .null })
        #expect(results.count == 2 + LSTM.examples.count + GRU.examples.count)
    }

    @Test func theOtherProcessReportsWhatDiffers() throws {
        let prepare = { (seen: String) in
            Conformance(folder: seen, laws: [.process], dtypes: [.float32]) { _, _ in nil }.verify(LSTM.self)
        }
        #expect(prepare(folder.path).allSatisfy { $0.passed })
        let same = try run("verify", "lstm", "--continue-from", ".")
        #expect(same.status == 0 && same.output.isEmpty && same.messages.isEmpty)
        let path = folder.file("process-output.safetensors")
        let file = try TensorFile(path)
        let names = ["outputs", "h", "c"]
        let tensors = try names.map { try file.tensor($0) + ($0 == "h" ? 1 : 0) }
        try TensorFile.write(.init(paths: names, tensors: tensors), to: path)
        let other = try run("verify", "lstm", "--continue-from", ".")
        #expect(other.status == 0 && other.text.contains("state 'h' in another process"), "\(other)")
        try FileSystem.remove(path)
        #expect(try run("verify", "lstm", "--continue-from", ".").status == 1)
    }

    /// In a process of its own, because a registered mixer stays.
    @Test func aBrokenLawIsAFailure() async {
        await #expect(processExitsWith: .success) {
            try MixerRegistry.register(Clairvoyant.self)
            let arguments = ["verify", "clairvoyant", "--law", "causality", "--quiet"]
            #expect(RondoTool.run(arguments, environment: .init([:])) == .failure)
            #expect(RondoTool.run(arguments.dropLast(2) + ["parallel"], environment: .init([:])) == .success)
        }
    }

    @Test func mistakesEndWithTwo() throws {
        let cases: [(arguments: [String], hint: String)] = [
            (["verify", "lstn"], "did you mean 'lstm'?"), (["verify", "--law", "spilt"], "split"),
            (["verify", "--dtype", "bfloat16"], "float64"), (["describe"], "--all"),
            (["describe", "gru", "--all"], "--all"),
            (["describe", "gru", "--out", "x"], "--markdown"), (["describe", "gru", "--d-model", "0"], "--d-model"),
        ]
        for (arguments, hint) in cases {
            let outcome = try RondoProcess.run(arguments, in: folder.path)
            #expect(outcome.status == 2 && outcome.messages.contains(hint), "\(arguments): \(outcome)")
        }
        let unknown = try run("describe", "lstn")
        #expect(unknown.status == 1 && unknown.messages.contains("did you mean 'lstm'?"))
    }
}

@Suite struct LawTableTests {
    private func result(_ mixer: String, _ law: Law, error: Double = 0, failure: String? = nil) -> LawResult {
        var result = LawResult(mixer: mixer, example: "small, float32", law: law, error: error, tolerance: 0)
        result.failure = failure
        return result
    }

    @Test func cellsSayHowWellLawsAreKept() {
        var close = result("a", .split, error: 0.5e-6)
        close.tolerance = 1e-6
        var tiny = result("a", .step, error: 1e-9)
        tiny.tolerance = 1e-6
        var skipped = result("a", .process)
        skipped.skipped = "no process"
        let table = LawTable(results: [
            close, tiny, result("a", .fork), skipped, result("b", .split, error: .infinity, failure: "off by 1"),
            result("b", .fork),
        ])
        #expect(
            table.text(width: nil) == """
                MIXER  SPLIT   STEP   FORK  PROCESS
                a       0.50  <0.01  exact        -
                b       FAIL         exact
                """)
        #expect(table.details == "b, split (small, float32): off by 1")
        #expect(table.conclusion == "Laws are broken by b; 1 could not be checked.")
        #expect(table.json.arrayValue?.count == 6 && table.json.arrayValue?[4]["error"] == .null)
    }

    @Test func narrowTerminalsGetSeveralTables() {
        let table = LawTable(results: Law.allCases.map { result("some_mixer", $0) })
        let lines = table.text(width: 60).split(separator: "\n")
        #expect(lines.count > 3 && lines.allSatisfy { $0.count <= 60 })
        #expect(lines.filter { $0.hasPrefix("some_mixer") }.count * 2 == lines.count)
        let words = lines.flatMap { $0.split(separator: " ") }
        #expect(Law.allCases.allSatisfy { words.contains(Substring($0.rawValue.uppercased())) })
        #expect(table.conclusion == "1 mixer keeps \(Law.allCases.count) laws.")
    }
}

/// Subtracts the mean over time, and so looks into the future.
private struct Clairvoyant: SequenceMixer {
    struct Configuration: MixerConfiguration {
        func validate(dModel: Int) {}
    }

    static let card = MixerCard(
        name: "clairvoyant", title: "Clairvoyant", family: .attention, summary: "knows the future",
        equations: "y = x - mean x", source: "none", complexity: "O(T)")
    static let examples = [MixerExample<Configuration>("plain", dModel: 3)]

    let configuration: Configuration
    let dModel: Int

    init(_ configuration: Configuration, dModel: Int, dtype: DType, using generator: inout Generator) {
        self.configuration = configuration
        self.dModel = dModel
    }

    func initialState(batch: Int) -> MixerState { MixerState(batch: batch, [:]) }

    func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        state.advance(by: x.shape[1])
        return try x - x.mean([1], keepingAxes: true)
    }

    func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor { try chunk(x, state: &state) }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {}
}

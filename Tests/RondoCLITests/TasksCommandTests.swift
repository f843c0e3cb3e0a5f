import RondoData
import RondoIO
import RondoTensor
import RondoTestSupport
import Testing

@testable import RondoCLI

/// `rondo tasks list` and `show`.
@Suite struct TasksCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(_ arguments: String...) throws -> RondoProcess.Outcome {
        try RondoProcess.run(["tasks"] + arguments, in: folder.path)
    }

    @Test func listNamesEveryTask() throws {
        let outcome = try run("list")
        #expect(outcome.status == 0 && outcome.messages.isEmpty)
        let lines = outcome.text.split(separator: "\n").map(String.init)
        #expect(lines.count == TaskRegistry.all.count + 1)
        for (line, task) in zip(lines.dropFirst(), TaskRegistry.all) {
            #expect(line.hasPrefix(task.name + " ") && line.hasSuffix(task.card.summary), "\(line)")
        }
        #expect(lines.contains { $0.contains(" 2 classes, every position ") })
        let entries = try #require(try run("list", "--json").json().arrayValue)
        #expect(entries.map { $0["name"]?.stringValue } == TaskRegistry.all.map { $0.name })
        let recall = try #require(entries.first { $0["name"]?.stringValue == "associative_recall" })
        #expect(recall["options"]?["pairs"]?.intValue == 8 && recall["options"]?["min_pairs"] == .null)
        #expect(recall["input"]?["tokens"]?.intValue == 129 && recall["output"]?["classes"]?.intValue == 64)
        #expect(recall["training_lengths"]?.arrayValue?.map(\.intValue) == [32, 64] && recall["samples"] == nil)
    }

    @Test func showSaysWhatATaskIsAndShowsExamples() throws {
        let outcome = try run("show", "parity", "--length", "5", "--count", "3")
        #expect(outcome.status == 0 && outcome.messages.isEmpty)
        for part in [ParityTask.card.summary, "asks_at_end_only  false", "3 to 40", "40, 64, 128, 256", "Grazzi"] {
            #expect(outcome.text.contains(part), "\(part)")
        }
        var generator = Generator(seed: 0)
        for number in 1...3 {
            let example = try ParityTask().example(length: 5, using: &generator)
            guard case .tokens(let tokens) = example.inputs, case .classes(let classes) = example.targets else {
                return
            }
            let rows = [("input ", tokens), ("target", classes)].map { label, numbers in
                "  \(label)  " + numbers.map(String.init).joined(separator: " ")
            }
            #expect(outcome.text.contains("Example \(number)\n" + rows.joined(separator: "\n")), "\(outcome.text)")
        }
    }

    @Test func optionsSeedAndLengthDecideAboutExamples() throws {
        let arguments = ["group_word", "--options", #"{"group": "a5"}"#, "--count", "2", "--json"]
        func examples(_ more: String...) throws -> JSONValue {
            try RondoProcess.run(["tasks", "show"] + arguments + more, in: folder.path).json()
        }
        let first = try examples("--length", "7")
        #expect(first["options"]?["group"]?.stringValue == "a5" && first["output"]?["classes"]?.intValue == 60)
        let samples = try #require(first["samples"]?.arrayValue)
        #expect(samples.count == 2 && samples.allSatisfy { $0["inputs"]?.arrayValue?.count == 7 })
        #expect(samples[0]["input_text"]?.arrayValue?.allSatisfy { $0.stringValue?.count == 5 } == true)
        #expect(try examples("--length", "7") == first)
        #expect(try examples("--length", "7", "--seed", "1")["samples"] != first["samples"])
        let signal = try run("show", "adding", "--length", "2", "--count", "1", "--json").json()
        let sample = try #require(signal["samples"]?.arrayValue?.first)
        #expect(sample["inputs"]?.arrayValue?.first?.arrayValue?.count == 2 && sample["input_text"] == nil)
        #expect(sample["targets"]?.arrayValue?.first == .null && sample["targets"]?.arrayValue?.last?.arrayValue != nil)
    }

    /// If this fails: `rondo tasks show --all --markdown > docs/tasks.md`.
    @Test func theCommittedPageIsUpToDate() throws {
        let committed = "\(FileSystem.parent(of: #filePath))/../../docs/tasks.md"
        let page = try run("show", "--all", "--markdown").text
        #expect(try FileSystem.readText(committed) == page, "rondo tasks show --all --markdown > docs/tasks.md")
        for task in TaskRegistry.all { #expect(page.contains("\n## \(task.name)\n\n\(task.card.summary)\n")) }
        #expect(try run("show", "--all", "--json", "--count", "1").json().arrayValue?.count == TaskRegistry.all.count)
        #expect(try run("show", "dyck", "--markdown").text.hasPrefix("## dyck\n"))
    }

    @Test func mistakesSayWhatIsWrong() throws {
        let cases: [(arguments: [String], status: Int32, hint: String)] = [
            ([], 2, "--all"), (["parity", "--all"], 2, "--all"), (["--all", "--length", "3"], 2, "--length"),
            (["parity", "--markdown", "--json"], 2, "--markdown"), (["parity", "--count", "-1"], 2, "--count"),
            (["pairty"], 1, "did you mean 'parity'?"), (["parity", "--length", "0"], 2, "length 0"),
            (["n_parity", "--options", #"{"m": 3}"#], 2, "unknown key 'm'"),
            (["n_parity", "--options", #"{"n": 0}"#], 2, "n 0"), (["n_parity", "--options", "{n"], 1, "--options"),
        ]
        for (arguments, status, hint) in cases {
            let outcome = try RondoProcess.run(["tasks", "show"] + arguments, in: folder.path)
            #expect(outcome.status == status && outcome.messages.contains(hint), "\(arguments): \(outcome)")
        }
    }
}

@Suite struct ExampleTextTests {
    @Test func positionsStandBelowEachOther() {
        let example = TaskExample(tokens: [0, 10, 3], classes: [TaskExample.unasked, 1, 100])
        #expect(ExampleText(example, of: ParityTask()).lines(width: 80) == ["input   0 10   3", "target  ·  1 100"])
    }

    @Test func longExamplesAreBroken() {
        let example = TaskExample(tokens: [1, 0, 1, 1, 0], classes: [1, 1, 0, 1, 1])
        let lines = ExampleText(example, of: ParityTask()).lines(width: 14)
        #expect(lines == ["input   1 0 1", "target  1 1 0", "", "input   1 0", "target  1 1"])
        // However narrow, there is progress.
        #expect(ExampleText(example, of: ParityTask()).lines(width: 1).count == 14)
    }

    @Test func veryLongExamplesOfSingleCharactersReadAsText() {
        let bits = [Int32](repeating: 1, count: 100)
        let lines = ExampleText(TaskExample(tokens: bits, classes: bits), of: ParityTask()).lines(width: 70)
        #expect(lines.first == "input   " + String(repeating: "1", count: 62) && lines.count == 5)
    }

    @Test func numbersAreShort() {
        let example = TaskExample(
            inputs: .features([[0.123, 1], [-2, 0]]), targets: .values([nil, [12.345]]))
        let expected = ["input 1  0.12    -2", "input 2     1     0", "target      · 12.35"]
        let lines = ExampleText(example, of: AddingTask()).lines(width: 80)
        #expect(lines == expected || lines.last == "target      · 12.34", "\(lines)")
    }

    @Test func textIsWrappedAtSpaces() {
        #expect(TaskDescription.wrapped("aa bb cc dddddd e", to: 5) == ["aa bb", "cc", "dddddd", "e"])
    }
}

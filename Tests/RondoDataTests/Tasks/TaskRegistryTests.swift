import RondoData
import RondoIO
import RondoTensor
import Testing

/// What holds for every task.
@Suite struct TaskRegistryTests {
    static let names = TaskRegistry.all.map { $0.name }

    @Test func namesAreThereOnceAndInSnakeCase() {
        #expect(Set(Self.names).count == Self.names.count)
        #expect(Self.names.allSatisfy { $0.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil }, "\(Self.names)")
    }

    @Test func unknownNamesGetASuggestion() {
        let error = #expect(throws: RondoError.self) { try TaskRegistry.make("pairty") }
        #expect(error?.code == .notFound && error?.message.contains("did you mean 'parity'?") == true)
    }

    @Test(arguments: names) func theCardSaysEverything(name: String) throws {
        let card = try TaskRegistry.task(named: name).card
        #expect(!card.summary.contains("\n") && card.summary.count < 80 && !card.source.isEmpty)
        #expect(card.definition.contains("ength counts") || card.definition.contains("length is"), "\(name)")
        let options = try StrictJSON.tree(of: TaskRegistry.make(name), absentAsNull: true)
        for key in options.objectValue?.keys ?? [] {
            #expect(card.definition.contains("`\(key)`"), "\(name) does not explain \(key)")
        }
    }

    @Test(arguments: names) func unknownOptionsAreRefused(name: String) throws {
        let options: JSONValue = ["no_such_key": .null]
        let error = #expect(throws: RondoError.self) { try TaskRegistry.make(name, options: options) }
        #expect(error?.code == .invalidArgument && error?.message.contains("no_such_key") == true)
    }

    @Test(arguments: names) func examplesAreWhatTheTaskSays(name: String) throws {
        let task = try TaskRegistry.make(name)
        var generator = Generator(seed: 3)
        let test = try #require(task.testLengths.first)
        let longest = task.trainingLengths.upperBound
        // Pictures have the one length that they have.
        let isFixed = task.trainingLengths.count == 1 && task.testLengths == [longest]
        #expect(isFixed || task.testLengths.contains { $0 > longest }, "nothing is extrapolated")
        for length in Set([task.trainingLengths.lowerBound, task.trainingLengths.upperBound, test]) {
            for _ in 0..<20 { try Self.check(task.example(length: length, using: &generator), of: task) }
        }
        let lengths = (0..<5).map { _ in Int.random(in: task.trainingLengths, using: &generator) }
        let batch = try TaskBatch(lengths.map { try task.example(length: $0, using: &generator) })
        #expect(batch.inputs.shape[0] == 5 && batch.askedCount > 0)
    }

    private static func check(_ example: TaskExample, of task: any SequenceTask) throws {
        switch (example.inputs, task.input) {
        case (.tokens(let tokens), .tokens(let count)):
            #expect(tokens.allSatisfy { (0..<Int32(count)).contains($0) })
            #expect(tokens.allSatisfy { !task.text(ofInput: $0).isEmpty })
        case (.features(let features), .features(let width)):
            #expect(features.allSatisfy { $0.count == width && $0.allSatisfy(\.isFinite) })
        default: Issue.record("the input is of another kind than the task says")
        }
        switch (example.targets, task.output) {
        case (.classes(let classes), .classes(let count)):
            #expect(classes.count == example.count)
            let asked = classes.filter { $0 != TaskExample.unasked }
            #expect(!asked.isEmpty && asked.allSatisfy { (0..<Int32(count)).contains($0) })
            #expect(asked.allSatisfy { !task.text(ofOutput: $0).isEmpty })
        case (.values(let values), .values(let width)):
            #expect(values.count == example.count)
            let asked = values.compactMap(\.self)
            #expect(!asked.isEmpty && asked.allSatisfy { $0.count == width && $0.allSatisfy(\.isFinite) })
        default: Issue.record("the targets are of another kind than the task says")
        }
    }

    @Test(arguments: names) func impossibleLengthsAreRefused(name: String) throws {
        let task = try TaskRegistry.make(name)
        for length in [0, -1, -100] {
            var generator = Generator(seed: 0)
            let error = #expect(throws: RondoError.self) { try task.example(length: length, using: &generator) }
            #expect(
                error?.code == .invalidArgument && error?.message.contains("task \(name): length \(length)") == true)
        }
    }

    @Test(arguments: names) func theSameGeneratorMakesTheSameExamples(name: String) throws {
        let task = try TaskRegistry.make(name)
        func examples(_ seed: UInt64) throws -> [TaskExample] {
            var generator = Generator(seed: seed)
            return try (0..<5).map { _ in try task.example(length: task.trainingLengths.upperBound, using: &generator) }
        }
        let first = try examples(1)
        #expect(try examples(1) == first && examples(2) != first)
        #expect(Set(first.map { "\($0)" }).count > 1, "examples differ from each other")
    }

    /// Results that were published with a seed must stay reproducible: a change here is a change of the task.
    @Test func examplesStayWhatTheyAre() throws {
        var digests: [String: String] = [:]
        for name in Self.names {
            let task = try TaskRegistry.make(name)
            var generator = Generator(seed: 20)
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for _ in 0..<4 {
                let example = try task.example(length: task.trainingLengths.upperBound, using: &generator)
                for byte in Self.numbers(example).utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            }
            digests[name] = String(hash, radix: 16)
        }
        #expect(digests == FrozenTasks.digests, "\(digests.sorted { $0.key < $1.key }.map { "\"\($0)\": \"\($1)\"" })")
    }

    private static func numbers(_ example: TaskExample) -> String {
        let inputs =
            switch example.inputs {
            case .tokens(let tokens): tokens.map(String.init)
            case .features(let features): features.joined().map { "\($0.bitPattern)" }
            }
        let targets =
            switch example.targets {
            case .classes(let classes): classes.map(String.init)
            case .values(let values): values.map { $0.map { "\($0.map(\.bitPattern))" } ?? "-" }
            }
        return (inputs + targets).joined(separator: " ")
    }
}

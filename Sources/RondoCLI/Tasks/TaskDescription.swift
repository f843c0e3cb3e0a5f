import RondoData
import RondoIO
import RondoTensor

/// Everything that can be said about a task with its options.
struct TaskDescription {
    let task: any SequenceTask
    let card: TaskCard
    /// All options and their values.
    let options: JSONValue

    init(_ task: any SequenceTask) throws {
        self.task = task
        card = type(of: task).card
        options = try StrictJSON.tree(of: task, absentAsNull: true)
    }

    /// The descriptions of all tasks with their defaults, in the order of the registry.
    static func all() throws -> [TaskDescription] {
        try TaskRegistry.all.map { try TaskDescription(TaskRegistry.make($0.name)) }
    }

    /// Examples to look at.
    ///
    /// - Parameters:
    ///   - length: Their length; a short one of training if `nil`.
    ///   - count: How many.
    ///   - seed: Draws them.
    /// - Returns: The examples.
    /// - Throws: `RondoError` for a length that the task cannot have.
    func samples(length: Int? = nil, count: Int, seed: UInt64) throws -> [TaskExample] {
        let length = try length ?? shortLength()
        var generator = Generator(seed: seed)
        return try (0..<count).map { _ in try task.example(length: length, using: &generator) }
    }

    /// The length of training that is closest to 12, unless examples of it are too long to look at.
    private func shortLength() throws -> Int {
        let (low, high) = (task.trainingLengths.lowerBound, task.trainingLengths.upperBound)
        let length = min(max(low, 12), high)
        var generator = Generator(seed: 0)
        return try task.example(length: length, using: &generator).count <= 80 ? length : low
    }

    /// What is asked and where: "5 classes, last position".
    func question() throws -> String {
        let what =
            switch task.output {
            case .classes(let count): "\(count) classes"
            case .values(let count): count == 1 ? "1 number" : "\(count) numbers"
            }
        guard let sample = try samples(count: 1, seed: 0).first else { return what }
        let asked = sample.askedPositions
        let place =
            asked.count == sample.count
            ? "every position" : asked == [sample.count - 1] ? "last position" : "some positions"
        return "\(what), \(place)"
    }

    private var inputText: String {
        switch task.input {
        case .tokens(let count): "one of \(count) tokens a position"
        case .features(let count): count == 1 ? "a number a position" : "\(count) numbers a position"
        }
    }

    /// Names of facts and their text.
    func facts() throws -> [(name: String, text: String)] {
        let (low, high) = (task.trainingLengths.lowerBound, task.trainingLengths.upperBound)
        return [
            ("input", inputText), ("asked", try question()),
            ("training lengths", low == high ? "\(low)" : "\(low) to \(high)"),
            ("test lengths", task.testLengths.map(String.init).joined(separator: ", ")), ("source", card.source),
        ]
    }
}

extension TaskExample {
    /// The positions at which something is asked.
    var askedPositions: [Int] {
        switch targets {
        case .classes(let classes): classes.indices.filter { classes[$0] != Self.unasked }
        case .values(let values): values.indices.filter { values[$0] != nil }
        }
    }
}

// MARK: - JSON

extension TaskDescription {
    /// Card, options and examples in one object; without examples if `samples` is `nil`.
    func json(samples: [TaskExample]? = nil) throws -> JSONValue {
        var object = JSONObject()
        object["name"] = .string(card.name)
        object["summary"] = .string(card.summary)
        object["definition"] = .string(card.definition)
        object["source"] = .string(card.source)
        object["options"] = options
        object["input"] =
            switch task.input {
            case .tokens(let count): ["tokens": .integer(count)]
            case .features(let count): ["features": .integer(count)]
            }
        object["output"] =
            switch task.output {
            case .classes(let count): ["classes": .integer(count)]
            case .values(let count): ["values": .integer(count)]
            }
        object["asked"] = .string(try question())
        object["training_lengths"] = .array(
            [task.trainingLengths.lowerBound, task.trainingLengths.upperBound].map { .integer($0) })
        object["test_lengths"] = .array(task.testLengths.map { .integer($0) })
        if let samples { object["samples"] = .array(samples.map(json)) }
        return .object(object)
    }

    private func json(_ example: TaskExample) -> JSONValue {
        var object = JSONObject()
        switch example.inputs {
        case .tokens(let tokens):
            object["inputs"] = .array(tokens.map { .integer($0) })
            object["input_text"] = .array(tokens.map { .string(task.text(ofInput: $0)) })
        case .features(let features): object["inputs"] = .array(features.map(json))
        }
        switch example.targets {
        case .classes(let classes):
            let asked = classes.map { $0 == TaskExample.unasked ? nil : $0 }
            object["targets"] = .array(asked.map { $0.map { .integer($0) } ?? .null })
            object["target_text"] = .array(asked.map { $0.map { .string(task.text(ofOutput: $0)) } ?? .null })
        case .values(let values): object["targets"] = .array(values.map { $0.map(json) ?? .null })
        }
        return .object(object)
    }

    private func json(_ numbers: [Float]) -> JSONValue { .array(numbers.map { .real(Double($0)) }) }
}

// MARK: - Text

extension TaskDescription {
    /// The description for a terminal.
    func text(samples: [TaskExample]) throws -> String {
        let options = optionTexts.map { ($0.name, $0.value) }
        var sections = ["\(card.name)\n\(card.summary)"]
        sections.append(Self.section("Definition", Self.wrapped(card.definition, to: 90)))
        sections.append(Self.section("Options", options.isEmpty ? ["none"] : Self.aligned(options)))
        sections.append(Self.section("Facts", Self.aligned(try facts().map { ($0.name, $0.text) })))
        for (index, sample) in samples.enumerated() {
            sections.append(Self.section("Example \(index + 1)", ExampleText(sample, of: task).lines(width: 90)))
        }
        return sections.joined(separator: "\n\n")
    }

    /// Options and their values as JSON.
    var optionTexts: [(name: String, value: String)] {
        (options.objectValue?.members ?? []).map { ($0.key, $0.value.text()) }
    }

    /// Lines of at most so many characters, broken at spaces.
    static func wrapped(_ text: String, to width: Int) -> [String] {
        text.split(separator: " ").reduce(into: [String]()) { lines, word in
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] += " \(word)"
            } else {
                lines.append(String(word))
            }
        }
    }

    private static func section(_ title: String, _ lines: [String]) -> String {
        ([title] + lines.map { $0.isEmpty ? "" : "  " + $0 }).joined(separator: "\n")
    }

    private static func aligned(_ pairs: [(String, String)]) -> [String] {
        let width = pairs.map(\.0.count).max() ?? 0
        return pairs.map { $0 + String(repeating: " ", count: width - $0.count + 2) + $1 }
    }
}

import RondoData
import RondoIO
import RondoTensor
import Testing

/// An example as people read it.
struct ReadableExample {
    var tokens: [Int32] = []
    var classes: [Int32] = []
    /// Tokens as text.
    var inputs: [String] = []
    /// Classes as text, `nil` where nothing is asked.
    var answers: [String?] = []
    var features: [[Float]] = []
    var values: [[Float]?] = []

    /// All tokens together.
    var text: String { inputs.joined() }
    /// The positions at which something is asked.
    var asked: [Int] { classes.indices.filter { classes[$0] != TaskExample.unasked } }

    init(_ example: TaskExample, of task: some SequenceTask) {
        switch example.inputs {
        case .tokens(let tokens):
            self.tokens = tokens
            inputs = tokens.map { task.text(ofInput: $0) }
        case .features(let features): self.features = features
        }
        switch example.targets {
        case .classes(let classes):
            self.classes = classes
            answers = classes.map { $0 == TaskExample.unasked ? nil : task.text(ofOutput: $0) }
        case .values(let values): self.values = values
        }
    }
}

/// Makes examples of the lengths in turn and hands them over.
func forEachExample<Task: SequenceTask>(
    of task: Task, lengths: some Collection<Int>, count: Int = 200, seed: UInt64 = 1,
    _ check: (ReadableExample, _ length: Int) throws -> Void
) throws {
    try task.validate()
    var generator = Generator(seed: seed)
    let lengths = Array(lengths)
    for index in 0..<count {
        let length = lengths[index % lengths.count]
        try check(ReadableExample(task.example(length: length, using: &generator), of: task), length)
    }
}

/// A task with some options, given as JSON.
func task<Task: SequenceTask>(_ type: Task.Type, _ options: String) throws -> Task {
    try Task(options: JSONValue(parsing: Array(options.utf8), source: "options"))
}

/// Expects that a task refuses options, naming the key.
func expectRefusal<Task: SequenceTask>(
    _ type: Task.Type, _ options: String, naming key: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    let error = #expect(throws: RondoError.self, sourceLocation: sourceLocation) { try task(type, options) }
    #expect(
        error?.code == .invalidArgument && error?.message.contains(key) == true, "\(String(describing: error))",
        sourceLocation: sourceLocation)
}

/// Expects that a task refuses a length.
func expectRefusal(
    _ task: some SequenceTask, length: Int, sourceLocation: SourceLocation = #_sourceLocation
) {
    var generator = Generator(seed: 0)
    let error = #expect(throws: RondoError.self, sourceLocation: sourceLocation) {
        try task.example(length: length, using: &generator)
    }
    #expect(
        error?.message.contains("length \(length)") == true, "\(String(describing: error))",
        sourceLocation: sourceLocation)
}

/// The share of something among many.
func share(_ count: Int, of total: Int) -> Double { Double(count) / Double(max(1, total)) }

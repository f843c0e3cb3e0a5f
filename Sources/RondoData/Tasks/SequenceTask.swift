public import RondoIO
public import RondoTensor

/// A synthetic task: a seeded generator of examples with known answers.
///
/// A task is a value of options (JSON keys in snake_case). With the same generator it makes the same examples on every
/// machine. ``TaskRegistry`` finds tasks by name; `rondo tasks` shows them and `rondo train --task` trains on them.
public protocol SequenceTask: Codable, Sendable, Equatable {
    /// Name, definition, source.
    static var card: TaskCard { get }

    /// The task with its default options.
    init()

    /// Refuses options that make no sense.
    /// - Throws: `RondoError` of code `invalidArgument` that names the option.
    func validate() throws

    /// What a position of the input is.
    var input: TaskInput { get }

    /// What is asked at a position.
    var output: TaskOutput { get }

    /// Lengths that training draws from unless told otherwise.
    var trainingLengths: ClosedRange<Int> { get }

    /// Lengths at which models are measured, so that extrapolation is visible.
    var testLengths: [Int] { get }

    /// Makes one example.
    ///
    /// - Parameters:
    ///   - length: Its size; what that counts is in the definition (positions, unless it says otherwise).
    ///   - generator: Draws it.
    /// - Returns: The example.
    /// - Throws: `RondoError` for a length that the task cannot have.
    func example(length: Int, using generator: inout Generator) throws -> TaskExample

    /// A token as people read it.
    func text(ofInput token: Int32) -> String

    /// A class as people read it.
    func text(ofOutput token: Int32) -> String
}

extension SequenceTask {
    /// The name on the command line.
    public static var name: String { card.name }

    /// Nothing to refuse.
    public func validate() throws {}

    /// The number itself.
    public func text(ofInput token: Int32) -> String { "\(token)" }

    /// The number itself.
    public func text(ofOutput token: Int32) -> String { "\(token)" }

    /// The defaults with some keys changed.
    ///
    /// - Parameter options: An object with some of the keys, or null.
    /// - Throws: `RondoError` that names the wrong key and the closest known one, or an impossible value.
    public init(options: JSONValue?) throws {
        let source = "options of task \(Self.name)"
        var tree = try StrictJSON.tree(of: Self(), absentAsNull: true)
        if let options, options != .null { try tree.merge(options, source: source) }
        self = try StrictJSON.decode(Self.self, from: tree, source: source)
        try validate()
    }
}

/// What a task is, for people.
public struct TaskCard: Sendable, Equatable {
    /// The name on the command line, in snake_case.
    public var name: String
    /// What it is, in one line.
    public var summary: String
    /// The exact definition: symbols, distribution, what is asked where, what a length counts.
    public var definition: String
    /// Where it comes from: author, year.
    public var source: String

    /// Creates a card.
    public init(name: String, summary: String, definition: String, source: String) {
        self.name = name
        self.summary = summary
        self.definition = definition
        self.source = source
    }
}

/// What a position of a task's input is.
public enum TaskInput: Sendable, Equatable {
    /// One of this many tokens.
    case tokens(Int)
    /// A vector of this many numbers.
    case features(Int)
}

/// What is asked at a position of a task.
public enum TaskOutput: Sendable, Equatable {
    /// One of this many classes.
    case classes(Int)
    /// A vector of this many numbers, judged by the mean squared error.
    case values(Int)
}

/// One example of a task.
public struct TaskExample: Sendable, Equatable {
    /// The input, position by position.
    public enum Inputs: Sendable, Equatable {
        case tokens([Int32])
        case features([[Float]])
    }

    /// What is asked, position by position.
    public enum Targets: Sendable, Equatable {
        /// Classes, ``TaskExample/unasked`` where nothing is asked.
        case classes([Int32])
        /// Numbers, `nil` where nothing is asked.
        case values([[Float]?])
    }

    /// The class of positions where nothing is asked.
    public static let unasked: Int32 = -100

    /// The input.
    public var inputs: Inputs
    /// The right answers.
    public var targets: Targets

    /// Creates an example of tokens and classes.
    public init(tokens: [Int32], classes: [Int32]) {
        inputs = .tokens(tokens)
        targets = .classes(classes)
    }

    /// Creates an example.
    public init(inputs: Inputs, targets: Targets) {
        self.inputs = inputs
        self.targets = targets
    }

    /// The number of positions.
    public var count: Int {
        switch inputs {
        case .tokens(let tokens): tokens.count
        case .features(let features): features.count
        }
    }
}

public import RondoIO

/// What the store knows about one run.
public struct Run: Sendable, Equatable {
    /// How a run stands.
    public enum Status: String, Sendable, Hashable, CaseIterable {
        /// A process works on it.
        case running
        /// It reached its last step.
        case finished
        /// Its process went away without a word.
        case interrupted
        /// It ended with an error.
        case failed
        /// The user stopped it, and it saved a checkpoint.
        case stopped
    }

    /// Eight hexadecimal digits, given by the store.
    public internal(set) var id: String = ""
    /// The name for people.
    public var name: String
    /// The absolute path of the run folder.
    public var folder: String
    /// Seconds since 1970.
    public var createdAt: Double
    /// Seconds since 1970, at the last change.
    public var updatedAt: Double
    /// How it stands.
    public var status: Status = .running
    /// The whole configuration.
    public var configuration: JSONValue
    /// The kind of model.
    public var model: String
    /// The number of trainable parameters.
    public var parameterCount: Int
    /// Steps trained.
    public var step = 0
    /// Tokens trained on.
    public var tokens = 0
    /// The latest training loss, smoothed or not as the trainer likes.
    public var trainLoss: Double?
    /// The lowest validation result so far, in bits per byte.
    public var bestBitsPerByte: Double?
    /// The seed.
    public var seed: UInt64
    /// The version of the program.
    public var version: String
    /// The machine: name, processor, threads.
    public var host: String
    /// Seconds spent training, over all resumes.
    public var seconds = 0.0

    /// Describes a new run; the store gives it its id.
    ///
    /// - Parameters:
    ///   - name: The name for people.
    ///   - folder: The run folder.
    ///   - createdAt: Seconds since 1970.
    ///   - configuration: The whole configuration.
    ///   - model: The kind of model.
    ///   - parameterCount: The number of trainable parameters.
    ///   - seed: The seed.
    ///   - version: The version of the program.
    ///   - host: The machine: name, processor, threads.
    public init(
        name: String, folder: String, createdAt: Double, configuration: JSONValue, model: String, parameterCount: Int,
        seed: UInt64, version: String, host: String
    ) {
        self.name = name
        self.folder = FileSystem.canonical(folder)
        self.createdAt = createdAt
        self.updatedAt = createdAt
        self.configuration = configuration
        self.model = model
        self.parameterCount = parameterCount
        self.seed = seed
        self.version = version
        self.host = host
    }
}

/// Several runs side by side.
public struct RunComparison: Sendable, Equatable {
    /// One line of the table: a key and its value in each run, `nil` where a run lacks it.
    public struct Row: Sendable, Equatable {
        /// A configuration key path such as `optimizer.learning_rate`, or the name of a result.
        public var key: String
        /// The values in the order of the runs.
        public var values: [String?]
    }

    /// The runs.
    public let runs: [Run]
    /// The configuration keys in which they differ.
    public let configuration: [Row]
    /// The results of all runs.
    public let results: [Row]

    /// Compares runs.
    ///
    /// - Parameter runs: The runs, in the order of the columns.
    public init(_ runs: [Run]) {
        self.runs = runs
        let flat = runs.map { Self.flatten($0.configuration) }
        var keys: [String] = []
        for key in flat.joined().map(\.key) where !keys.contains(key) { keys.append(key) }
        configuration = keys.compactMap { key in
            let values = flat.map { members in members.first { $0.key == key }?.value }
            return Set(values).count > 1 ? Row(key: key, values: values) : nil
        }
        func row(_ key: String, _ value: (Run) -> String?) -> Row { Row(key: key, values: runs.map(value)) }
        results = [
            row("status") { $0.status.rawValue }, row("model") { $0.model },
            row("parameters") { "\($0.parameterCount)" }, row("step") { "\($0.step)" },
            row("tokens") { "\($0.tokens)" },
            row("train_loss") { $0.trainLoss.map { Axis.fixed($0, decimals: 4) } },
            row("best_bits_per_byte") { $0.bestBitsPerByte.map { Axis.fixed($0, decimals: 4) } },
            row("seconds") { Axis.fixed($0.seconds, decimals: 1) }, row("version") { $0.version },
            row("host") { $0.host },
        ]
    }

    /// The leaves of a document with their dotted paths; lists count as leaves.
    private static func flatten(_ value: JSONValue, path: String = "") -> [(key: String, value: String)] {
        guard let object = value.objectValue else { return [(path, value.stringValue ?? value.text())] }
        return object.members.flatMap { flatten($0.value, path: path.isEmpty ? $0.key : "\(path).\($0.key)") }
    }
}

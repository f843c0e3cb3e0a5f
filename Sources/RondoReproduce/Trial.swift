public import RondoIO
public import RondoTensor
public import RondoTracking

/// A part of an experiment while it runs: its randomness, and the record of what it found.
public struct Trial {
    /// Columns of text under headings.
    public struct Table: Sendable, Equatable {
        /// What it shows.
        public var title: String
        /// The headings.
        public var header: [String]
        /// Cells by row.
        public var rows: [[String]]
    }

    /// The seed of everything random.
    public let seed: UInt64
    /// Whether `--full` was given.
    public let isFull: Bool
    /// A folder with real data, if the user has one: see ``text()``.
    public let dataFolder: String?
    /// Draws everything random that has no generator of its own.
    public var generator: Generator
    /// What was measured.
    public private(set) var checks: [Check] = []
    /// Tables of results.
    public private(set) var tables: [Table] = []
    /// Pictures of results.
    public private(set) var charts: [LossChart] = []
    /// What a reader should know.
    public private(set) var notes: [String] = []
    /// The exact settings, by what they are settings of.
    public private(set) var settings = JSONObject()
    private let onProgress: (String) throws -> Void

    /// Creates an empty record.
    ///
    /// - Parameters:
    ///   - seed: The seed of everything random.
    ///   - isFull: Whether the full mode runs.
    ///   - dataFolder: A folder with real data.
    ///   - onProgress: Told what is being done; it may throw to stop.
    public init(
        seed: UInt64, isFull: Bool = false, dataFolder: String? = nil,
        onProgress: @escaping (String) throws -> Void = { _ in }
    ) {
        self.seed = seed
        self.isFull = isFull
        self.dataFolder = dataFolder
        self.onProgress = onProgress
        generator = Generator(seed: seed)
    }

    /// Records a measurement and what it must be.
    public mutating func check(_ name: String, _ value: Double, _ criterion: Criterion) {
        checks.append(Check(name: name, value: value, criterion: criterion))
    }

    /// Records that something must be true.
    public mutating func check(_ name: String, _ holds: Bool) { check(name, holds ? 1 : 0, .equals(1)) }

    /// Records a measurement that is shown but not judged.
    public mutating func show(_ name: String, _ value: Double) { check(name, value, .none) }

    /// Records a table.
    public mutating func table(_ title: String, _ header: [String], _ rows: [[String]]) {
        tables.append(Table(title: title, header: header, rows: rows))
    }

    /// Records a picture.
    public mutating func chart(_ chart: LossChart) { charts.append(chart) }

    /// Records what a reader should know.
    public mutating func note(_ text: String) { notes.append(text) }

    /// Records the exact settings of something, so that others can repeat it.
    public mutating func record(_ name: String, _ value: some Encodable) throws {
        settings[name] = try StrictJSON.tree(of: value)
    }

    /// Says what is being done; call it every step of long work.
    ///
    /// - Throws: when the user asked to stop.
    public func progress(_ text: @autoclosure () -> String) throws { try onProgress(text()) }
}

/// A published system and how its claims are shown on a small machine: one file each in `Experiments`.
public struct Experiment: Sendable {
    /// The name on the command line.
    public var slug: String
    /// The title of the paper.
    public var title: String
    /// Authors, year, where it was published.
    public var source: String
    /// The main claim, in our words.
    public var claim: String
    /// What of the paper is not shown yet; `nil` if nothing is missing.
    public var missing: String?
    /// The parts, in the order in which they run.
    public var parts: [Part]

    /// Creates an experiment.
    ///
    /// - Parameters:
    ///   - slug: The name on the command line.
    ///   - title: The title of the paper.
    ///   - source: Authors, year, where it was published.
    ///   - claim: The main claim, in our words.
    ///   - missing: What of the paper is not shown yet.
    ///   - parts: The parts, in the order in which they run.
    public init(
        slug: String, title: String, source: String, claim: String, missing: String? = nil, parts: [Part]
    ) {
        self.slug = slug
        self.title = title
        self.source = source
        self.claim = claim
        self.missing = missing
        self.parts = parts
    }

    /// One thing that is shown.
    public struct Part: Sendable {
        /// The name in reports, in kebab-case.
        public var name: String
        /// What is shown.
        public var title: String
        /// What the paper says about it, with its setting; or why it must hold.
        public var paper: String
        /// Whether it runs with `--full` only.
        public var isFull: Bool
        /// Does it: measures, and records checks, tables, pictures and the configuration.
        public var run: @Sendable (inout Trial) throws -> Void

        /// A part of a few seconds, that runs always.
        public static func quick(
            _ name: String, _ title: String, paper: String, run: @escaping @Sendable (inout Trial) throws -> Void
        ) -> Part { Part(name: name, title: title, paper: paper, isFull: false, run: run) }

        /// A part of a few minutes, that runs with `--full`.
        public static func full(
            _ name: String, _ title: String, paper: String, run: @escaping @Sendable (inout Trial) throws -> Void
        ) -> Part { Part(name: name, title: title, paper: paper, isFull: true, run: run) }
    }

    /// How much of the paper is shown.
    public var status: ReproductionStatus { missing.map(ReproductionStatus.partial) ?? .works }
}

/// How much of a paper is shown.
public enum ReproductionStatus: Sendable, Equatable {
    /// All of its claims that a laptop can show.
    case works
    /// Some of it; what is missing.
    case partial(String)
    /// Nothing yet.
    case planned

    /// One word.
    public var name: String {
        switch self {
        case .works: "works"
        case .partial: "partial"
        case .planned: "planned"
        }
    }
}

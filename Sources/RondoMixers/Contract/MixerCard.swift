/// What a mixer is, for people: `rondo models`, `rondo describe` and the documentation are made from it.
public struct MixerCard: Sendable, Codable, Equatable {
    /// How the state grows with the positions read.
    public enum StateGrowth: String, Sendable, Codable {
        /// Not at all: a recurrence.
        case constant
        /// By the same amount at every position: attention over everything.
        case linear
    }

    /// The families in which mixers are listed.
    public enum Family: String, Sendable, Codable, CaseIterable {
        /// Nonlinear recurrences.
        case nonlinear
        /// Linear recurrences whose state is a vector, diagonal or dense.
        case vectorState = "vector_state"
        /// Linear recurrences whose state is a matrix for each head.
        case matrixState = "matrix_state"
        /// Attention.
        case attention
    }

    /// The name in configurations and on the command line, in snake_case.
    public var name: String
    /// The name in print.
    public var title: String
    /// The family.
    public var family: Family
    /// What it is, in one line.
    public var summary: String
    /// The equations, one a line, with every symbol explained.
    public var equations: String
    /// Author, title, year; equation numbers where they help.
    public var source: String
    /// The order of work of a whole sequence, and of a step (T: time, D: width, N: state size, …).
    public var complexity: String
    /// How the state grows.
    public var stateGrowth: StateGrowth
    /// Whether all rows of a call must have read equally many positions; else every row may stand elsewhere.
    public var needsEqualPositions: Bool
    /// What else a user should know: pitfalls, choices where sources differ.
    public var notes: String

    /// Creates a card.
    public init(
        name: String, title: String, family: Family, summary: String, equations: String, source: String,
        complexity: String, stateGrowth: StateGrowth = .constant, needsEqualPositions: Bool = false, notes: String = ""
    ) {
        self.name = name
        self.title = title
        self.family = family
        self.summary = summary
        self.equations = equations
        self.source = source
        self.complexity = complexity
        self.stateGrowth = stateGrowth
        self.needsEqualPositions = needsEqualPositions
        self.notes = notes
    }
}

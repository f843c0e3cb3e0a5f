/// Integers that must satisfy constraints, as those of tiles of a kernel: ConstrINT (Pöppel et al., 2024).
///
///     let tiles = try ConstraintProblem("ROWS * COLUMNS <= 24; COLUMNS == [1, 2, 4];")
///     let best = try tiles.solutions(limit: 1, order: [.init("ROWS", .largestFirst)])
///
/// The language: statements end with `;`, all of them hold; `|` means or; a relation is `A <= B`, `A == B` or
/// `A % B == 0` (A is a multiple of B; `%` binds loosest); terms have `+`, `*`, `^` and a number, numbers, names, lists
/// (`[8, 16]`: one of them) and parentheses; `#` begins a comment. All integers are positive.
public struct ConstraintProblem: Sendable {
    /// What the names may be before constraints are applied; every name of the text is there.
    public private(set) var domains: [String: IntegerDomain]
    private let constraints: [(constraint: Constraint, names: Set<String>)]

    /// In which order a search tries the values of a name.
    public enum Direction: Sendable {
        case smallestFirst
        case largestFirst
    }

    /// A name and the order in which its values are tried.
    public struct Choice: Sendable {
        /// The name.
        public var name: String
        /// The order of its values.
        public var direction: Direction

        /// Creates a choice.
        public init(_ name: String, _ direction: Direction) {
            (self.name, self.direction) = (name, direction)
        }
    }

    /// Reads constraints.
    ///
    /// - Parameters:
    ///   - text: The constraints.
    ///   - domains: What names may be; the others may be anything from 1 to 2³⁰.
    /// - Throws: ``RondoError`` of code `invalidArgument` with the line of a mistake.
    public init(_ text: String, domains: [String: IntegerDomain] = [:]) throws {
        constraints = try ConstraintParser.parse(text).map { ($0, $0.names) }
        self.domains = domains
        for name in constraints.flatMap(\.names) where domains[name] == nil { self.domains[name] = IntegerDomain() }
    }

    /// What the names may be after propagation alone; `nil` if there is no solution.
    ///
    /// No solution is lost; values that are part of none may remain.
    public func propagated() -> [String: IntegerDomain]? {
        guard domains.values.allSatisfy({ !$0.isEmpty }) else { return nil }
        return propagated(domains, changed: nil)
    }

    /// Applies constraints until none changes anything.
    ///
    /// - Parameters:
    ///   - domains: What the names may be.
    ///   - changed: The only name that changed since the last time; `nil` if everything is new.
    /// - Returns: What they may be then; `nil` if something may be nothing.
    private func propagated(
        _ domains: [String: IntegerDomain], changed: String?
    ) -> [String: IntegerDomain]? {
        var domains = domains
        var waiting = constraints.map { constraint in changed.map(constraint.names.contains) ?? true }
        // The cheapest first, and from the beginning again after every change.
        let costs = constraints.map { $0.names.reduce(0) { $0 + (domains[$1]?.size ?? 0) } }
        let order = constraints.indices.sorted { costs[$0] < costs[$1] }
        while let next = order.first(where: { waiting[$0] }) {
            waiting[next] = false
            let before = domains
            guard constraints[next].constraint.narrow(&domains) else { return nil }
            for name in constraints[next].names where domains[name] != before[name] {
                for index in waiting.indices where constraints[index].names.contains(name) { waiting[index] = true }
            }
        }
        return domains
    }

    /// Searches for solutions, the preferred ones first.
    ///
    /// - Parameters:
    ///   - limit: The largest number of solutions.
    ///   - order: The names in the order in which they are chosen, each with the order of its values. The names left
    ///     out follow by name, the smallest values first.
    ///   - excluded: Solutions that are not wanted; partial ones exclude all that agree with them.
    ///   - effort: The largest number of values tried.
    /// - Returns: Values of all names; fewer than `limit` if there are no more.
    /// - Throws: ``RondoError`` of code `invalidArgument` for a name that is not there, or if `effort` is not enough.
    public func solutions(
        limit: Int = 1, order: [Choice] = [], excluding excluded: [[String: Int]] = [], effort: Int = 1_000_000
    ) throws -> [[String: Int]] {
        for choice in order where domains[choice.name] == nil {
            throw RondoError(.invalidArgument, "constraints: there is no name '\(choice.name)' to choose")
        }
        let listed = Set(order.map(\.name))
        let rest = domains.keys.filter { !listed.contains($0) }.sorted().map { Choice($0, .smallestFirst) }
        var search = Search(problem: self, order: order + rest, excluded: excluded, limit: limit, effort: effort)
        guard limit > 0, let start = propagated() else { return [] }
        try search.descend(0, start)
        return search.found
    }

    /// Whether values of all names satisfy the constraints and lie in their domains.
    public func isSolution(_ assignment: [String: Int]) -> Bool {
        domains.allSatisfy { name, domain in assignment[name].map(domain.contains) ?? false }
            && constraints.allSatisfy { $0.constraint.holds(assignment) }
    }

    /// A depth-first search.
    private struct Search {
        let problem: ConstraintProblem
        let order: [Choice]
        let excluded: [[String: Int]]
        let limit: Int
        var effort: Int
        var found: [[String: Int]] = []

        mutating func descend(_ depth: Int, _ domains: [String: IntegerDomain]) throws {
            guard depth < order.count else {
                let assignment = domains.compactMapValues(\.single)
                if problem.isSolution(assignment), !excluded.contains(where: { $0.isPart(of: assignment) }) {
                    found.append(assignment)
                }
                return
            }
            let choice = order[depth]
            guard let domain = domains[choice.name] else { return }
            for value in candidates(domain, choice.direction) where domain.contains(value) {
                guard effort > 0 else {
                    throw RondoError(
                        .invalidArgument, "constraints: the search gave up; give '\(choice.name)' a smaller domain")
                }
                effort -= 1
                var branch = domains
                branch[choice.name] = IntegerDomain(values: [value])
                if let narrowed = problem.propagated(branch, changed: choice.name) { try descend(depth + 1, narrowed) }
                if found.count >= limit { return }
            }
        }

        private func candidates(_ domain: IntegerDomain, _ direction: Direction) -> AnySequence<Int> {
            if let values = domain.values {
                return AnySequence(direction == .smallestFirst ? values : values.reversed())
            }
            return direction == .smallestFirst
                ? AnySequence(stride(from: domain.lowest, through: domain.highest, by: domain.factor))
                : AnySequence(stride(from: domain.highest, through: domain.lowest, by: -domain.factor))
        }
    }
}

extension [String: Int] {
    fileprivate func isPart(of other: [String: Int]) -> Bool { allSatisfy { other[$0.key] == $0.value } }
}

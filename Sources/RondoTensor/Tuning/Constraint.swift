/// A statement about terms that holds or does not.
indirect enum Constraint: Sendable, Equatable {
    case equal(ConstraintTerm, ConstraintTerm)
    case atMost(ConstraintTerm, ConstraintTerm)
    /// The first is a multiple of the second.
    case multiple(ConstraintTerm, of: ConstraintTerm)
    case any([Constraint])

    typealias Domains = ConstraintTerm.Domains

    /// The names in the constraint, each once.
    var names: Set<String> {
        switch self {
        case .equal(let a, let b), .atMost(let a, let b), .multiple(let a, let b): a.names.union(b.names)
        case .any(let choices): choices.reduce(into: []) { $0.formUnion($1.names) }
        }
    }

    /// Takes from the names' values those that cannot be part of a solution.
    ///
    /// - Parameter domains: What the names may be; narrowed.
    /// - Returns: Whether the constraint can still hold.
    func narrow(_ domains: inout Domains) -> Bool {
        switch self {
        case .equal(let a, let b):
            let common = a.results(domains).intersection(b.results(domains))
            return !common.isEmpty && a.narrow(to: common, &domains) && b.narrow(to: common, &domains)
        case .atMost(let a, let b):
            let (low, high) = (a.results(domains), b.results(domains))
            guard !low.isEmpty, !high.isEmpty, low.lowest <= high.highest else { return false }
            return a.narrow(to: low.clipped(high: high.highest), &domains)
                && b.narrow(to: high.clipped(low: low.lowest), &domains)
        case .multiple(let a, let b): return Self.narrowMultiple(a, b, &domains)
        case .any(let choices): return Self.narrowAny(choices, &domains)
        }
    }

    private static func narrowMultiple(
        _ a: ConstraintTerm, _ b: ConstraintTerm, _ domains: inout Domains
    ) -> Bool {
        var (whole, divisor) = (a.results(domains), b.results(domains))
        guard !whole.isEmpty, !divisor.isEmpty else { return false }
        divisor = divisor.clipped(high: whole.highest).restricted(toPrimes: whole.primes)
        guard !divisor.isEmpty else { return false }
        whole = whole.restricted(toMultiplesOf: max(1, divisor.factor))
        if let wholes = whole.values, let divisors = divisor.values,
            wholes.count * divisors.count <= IntegerDomain.mostPairs
        {
            divisor = IntegerDomain(values: divisors.filter { d in wholes.contains { $0 % d == 0 } })
            whole = IntegerDomain(values: wholes.filter { w in divisors.contains { w % $0 == 0 } })
        }
        return a.narrow(to: whole, &domains) && b.narrow(to: divisor, &domains)
    }

    private static func narrowAny(_ choices: [Constraint], _ domains: inout Domains) -> Bool {
        var hull: Domains?
        for choice in choices {
            var branch = domains
            guard choice.narrow(&branch) else { continue }
            hull = hull?.merging(branch) { $0.hull($1) } ?? branch
        }
        guard let hull else { return false }
        domains.merge(hull) { $0.intersection($1) }
        return true
    }

    /// Whether the constraint holds for given values of all names; lists are choices.
    func holds(_ assignment: [String: Int]) -> Bool {
        func some(_ a: ConstraintTerm, _ b: ConstraintTerm, _ relation: (Int, Int) -> Bool) -> Bool {
            let right = b.values(assignment)
            return a.values(assignment).contains { x in right.contains { relation(x, $0) } }
        }
        switch self {
        case .equal(let a, let b): return some(a, b, ==)
        case .atMost(let a, let b): return some(a, b, <=)
        case .multiple(let a, let b): return some(a, b) { $0 % $1 == 0 }
        case .any(let choices): return choices.contains { $0.holds(assignment) }
        }
    }
}

/// An expression of positive integers: numbers, lists of choices, names, sums, products and powers.
indirect enum ConstraintTerm: Sendable, Equatable {
    /// One of some numbers.
    case choice([Int])
    case name(String)
    case sum(ConstraintTerm, ConstraintTerm)
    case product(ConstraintTerm, ConstraintTerm)
    case power(ConstraintTerm, Int)

    typealias Domains = [String: IntegerDomain]

    /// The names in the term, each once.
    var names: Set<String> {
        switch self {
        case .choice: []
        case .name(let name): [name]
        case .sum(let a, let b), .product(let a, let b): a.names.union(b.names)
        case .power(let a, _): a.names
        }
    }

    /// What the term may be, from what its names may be.
    func results(_ domains: Domains) -> IntegerDomain {
        switch self {
        case .choice(let values): return IntegerDomain(values: values)
        case .name(let name): return domains[name] ?? IntegerDomain()
        case .sum(let a, let b): return Self.sum(a.results(domains), b.results(domains))
        case .product(let a, let b): return Self.product(a.results(domains), b.results(domains))
        case .power(let a, let exponent):
            let base = a.results(domains)
            if let values = base.values {
                return IntegerDomain(values: values.map { IntegerDomain.power($0, exponent) })
            }
            return IntegerDomain(
                low: IntegerDomain.power(base.lowest, exponent), high: IntegerDomain.power(base.highest, exponent),
                factor: IntegerDomain.power(base.factor, exponent), primes: base.primes)
        }
    }

    private static func sum(_ a: IntegerDomain, _ b: IntegerDomain) -> IntegerDomain {
        if let all = everyPair(a, b, { min(IntegerDomain.infinity, $0 + $1) }) { return all }
        return IntegerDomain(
            low: a.lowest + b.lowest, high: min(IntegerDomain.infinity, a.highest + b.highest),
            factor: IntegerDomain.greatestCommonDivisor(a.factor, b.factor), primes: nil)
    }

    private static func product(_ a: IntegerDomain, _ b: IntegerDomain) -> IntegerDomain {
        if let all = everyPair(a, b, IntegerDomain.product) { return all }
        return IntegerDomain(
            low: IntegerDomain.product(a.lowest, b.lowest), high: IntegerDomain.product(a.highest, b.highest),
            factor: IntegerDomain.product(a.factor, b.factor), primes: IntegerDomain.union(a.primes, b.primes))
    }

    /// The results of all pairs of values, if they are few enough; nothing comes of nothing.
    private static func everyPair(
        _ a: IntegerDomain, _ b: IntegerDomain, _ operation: (Int, Int) -> Int
    ) -> IntegerDomain? {
        if a.isEmpty || b.isEmpty { return IntegerDomain(values: []) }
        guard let left = a.values, let right = b.values, left.count * right.count <= IntegerDomain.mostPairs else {
            return nil
        }
        return IntegerDomain(values: left.flatMap { x in right.map { operation(x, $0) } })
    }

    /// Takes from the names' values those that cannot lead to a result.
    ///
    /// - Parameters:
    ///   - result: What the term may be.
    ///   - domains: What the names may be; narrowed.
    /// - Returns: Whether something may still lead there.
    func narrow(to result: IntegerDomain, _ domains: inout Domains) -> Bool {
        switch self {
        case .choice(let values): return values.contains(where: result.contains)
        case .name(let name):
            let narrowed = (domains[name] ?? IntegerDomain()).intersection(result)
            domains[name] = narrowed
            return !narrowed.isEmpty
        case .sum(let a, let b):
            return Self.narrow(a, b, &domains) { own, other in
                Self.partners(own, other, result) { $0 + $1 }
                    ?? own.clipped(low: result.lowest - other.highest, high: result.highest - other.lowest)
            }
        case .product(let a, let b):
            return Self.narrow(a, b, &domains) { own, other in
                Self.partners(own, other, result, IntegerDomain.product)
                    ?? own.clipped(
                        low: IntegerDomain.ceilingQuotient(result.lowest, other.highest),
                        high: result.highest / other.lowest
                    ).restricted(toPrimes: result.primes)
            }
        case .power(let a, let exponent):
            let own = a.results(domains)
            if let values = own.values {
                let fitting = values.filter { result.contains(IntegerDomain.power($0, exponent)) }
                return a.narrow(to: IntegerDomain(values: fitting), &domains)
            }
            guard !result.isEmpty else { return false }
            let low = IntegerDomain.root(result.lowest, exponent)
            let first = IntegerDomain.power(low, exponent) < result.lowest ? low + 1 : low
            let high = IntegerDomain.root(result.highest, exponent)
            return a.narrow(to: own.clipped(low: first, high: high).restricted(toPrimes: result.primes), &domains)
        }
    }

    /// Narrows both sides of an operation that does not care for their order.
    private static func narrow(
        _ a: ConstraintTerm, _ b: ConstraintTerm, _ domains: inout Domains,
        _ fitting: (_ own: IntegerDomain, _ other: IntegerDomain) -> IntegerDomain
    ) -> Bool {
        for (own, other) in [(a, b), (b, a)] {
            let (mine, theirs) = (own.results(domains), other.results(domains))
            guard !mine.isEmpty, !theirs.isEmpty else { return false }
            guard own.narrow(to: fitting(mine, theirs), &domains) else { return false }
        }
        return true
    }

    /// The own values that reach the result with one of the other's, if few enough to try; else `nil`.
    private static func partners(
        _ own: IntegerDomain, _ other: IntegerDomain, _ result: IntegerDomain, _ operation: (Int, Int) -> Int
    ) -> IntegerDomain? {
        guard !result.isEmpty else { return IntegerDomain(values: []) }
        guard let mine = own.values, let theirs = other.values, mine.count * theirs.count <= IntegerDomain.mostPairs
        else { return nil }
        return IntegerDomain(values: mine.filter { x in theirs.contains { result.contains(operation(x, $0)) } })
    }

    /// What the term is for given values of its names; several results if it has lists.
    ///
    /// Results that are too large to be written are left out.
    func values(_ assignment: [String: Int]) -> Set<Int> {
        switch self {
        case .choice(let values): return Set(values)
        case .name(let name): return assignment[name].map { [$0] } ?? []
        case .sum(let a, let b): return Self.combine(a, b, assignment) { $0.addingReportingOverflow($1) }
        case .product(let a, let b): return Self.combine(a, b, assignment) { $0.multipliedReportingOverflow(by: $1) }
        case .power(let a, let exponent):
            let powers = a.values(assignment).map { IntegerDomain.power($0, exponent) }
            return Set(powers.filter { $0 < IntegerDomain.infinity })
        }
    }

    private static func combine(
        _ a: ConstraintTerm, _ b: ConstraintTerm, _ assignment: [String: Int],
        _ operation: (Int, Int) -> (partialValue: Int, overflow: Bool)
    ) -> Set<Int> {
        let right = b.values(assignment)
        return Set(
            a.values(assignment).flatMap { x in
                right.compactMap { y in
                    let (value, overflow) = operation(x, y)
                    return overflow ? nil : value
                }
            })
    }
}

/// The values that an integer may still take: a set, or a range of multiples of a factor.
///
/// All integers here are positive. Small ranges are sets, so that nothing is lost where it matters; large ones keep
/// only what bounds and divisibility say.
public struct IntegerDomain: Sendable, Equatable, CustomStringConvertible {
    /// The smallest value, if there is any.
    public private(set) var lowest: Int
    /// The largest value, if there is any.
    public private(set) var highest: Int
    /// Divides every value.
    public private(set) var factor: Int
    /// The only primes that may divide values; `nil` for all primes.
    public private(set) var primes: Set<Int>?
    /// All values in order; `nil` for a range too wide to be written out.
    public private(set) var values: [Int]?

    /// The largest value that a domain has unless it is told otherwise.
    public static let largest = 1 << 30
    /// Ranges narrower than this are sets.
    static let widest = 2048
    /// Pairs of values that are tried one by one; beyond, bounds have to do.
    static let mostPairs = 1 << 14
    /// Sets smaller than this know their primes.
    private static let fewValues = 8

    /// A range of multiples of a factor.
    ///
    /// - Parameters:
    ///   - range: From the smallest to the largest value; values below 1 do not exist.
    ///   - factor: Divides every value.
    ///   - primes: The only primes that may divide values; `nil` for all.
    public init(
        _ range: ClosedRange<Int> = 1...IntegerDomain.largest, factor: Int = 1, primes: Set<Int>? = nil
    ) {
        self.init(low: range.lowerBound, high: range.upperBound, factor: factor, primes: primes)
    }

    /// A set of values; those below 1 are left out.
    public init(values: some Sequence<Int>) {
        let sorted = Set(values).filter { $0 >= 1 }.sorted()
        self.values = sorted
        (lowest, highest) = (sorted.first ?? 1, sorted.last ?? 0)
        factor = sorted.reduce(0, Self.greatestCommonDivisor)
        guard sorted.count < Self.fewValues else { return }
        primes = sorted.reduce(into: []) { $0.formUnion(Self.primes(of: $1)) }
    }

    /// As the public initializers; `low` may lie above `high`, which leaves nothing.
    init(low: Int, high: Int, factor: Int, primes: Set<Int>?) {
        let factor = max(1, factor)
        let first = Self.ceilingQuotient(max(1, low), factor)
        let last = high / factor
        guard first <= last else {
            self.init(values: [])
            return
        }
        if last - first < Self.widest {
            let candidates = (first...last).lazy.map { $0 * factor }
            self.init(values: candidates.filter { value in primes.map { Self.isProduct(value, of: $0) } ?? true })
            return
        }
        self.init(lowest: first * factor, highest: last * factor, factor: factor, primes: primes)
    }

    private init(lowest: Int, highest: Int, factor: Int, primes: Set<Int>?) {
        (self.lowest, self.highest, self.factor, self.primes) = (lowest, highest, factor, primes)
    }

    /// Whether no value is left.
    public var isEmpty: Bool { values?.isEmpty ?? false }

    /// The value, if only one is left.
    public var single: Int? { values?.count == 1 ? values?[0] : nil }

    /// About how many values there are; no fewer than there are.
    public var size: Int { values?.count ?? (highest - lowest) / factor + 1 }

    /// Whether a value may be taken.
    public func contains(_ value: Int) -> Bool {
        if let values { return values.containsSorted(value) }
        return value >= lowest && value <= highest && value % factor == 0
            && (primes.map { Self.isProduct(value, of: $0) } ?? true)
    }

    /// The values that are in both.
    public func intersection(_ other: IntegerDomain) -> IntegerDomain {
        if let values { return IntegerDomain(values: values.filter(other.contains)) }
        if other.values != nil { return other.intersection(self) }
        let common = Self.leastCommonMultiple(factor, other.factor)
        let both: Set<Int>? =
            switch (primes, other.primes) {
            case (nil, let one), (let one, nil): one
            case (let one?, let two?): one.intersection(two)
            }
        return IntegerDomain(
            low: max(lowest, other.lowest), high: min(highest, other.highest), factor: common, primes: both)
    }

    /// A domain with all values of both; for ranges also some between.
    public func hull(_ other: IntegerDomain) -> IntegerDomain {
        if isEmpty { return other }
        if other.isEmpty { return self }
        if let values, let more = other.values { return IntegerDomain(values: values + more) }
        return IntegerDomain(
            low: min(lowest, other.lowest), high: max(highest, other.highest),
            factor: Self.greatestCommonDivisor(factor, other.factor), primes: Self.union(primes, other.primes))
    }

    /// The values within bounds.
    func clipped(low: Int = 1, high: Int = .max) -> IntegerDomain {
        guard low > lowest || high < highest else { return self }
        if let values { return IntegerDomain(values: values.filter { $0 >= low && $0 <= high }) }
        return IntegerDomain(
            low: max(lowest, low), high: min(highest, high), factor: factor, primes: primes)
    }

    /// The values without primes beyond some.
    func restricted(toPrimes allowed: Set<Int>?) -> IntegerDomain {
        guard let allowed else { return self }
        if let values { return IntegerDomain(values: values.filter { Self.isProduct($0, of: allowed) }) }
        let both = primes.map { $0.intersection(allowed) } ?? allowed
        return IntegerDomain(low: lowest, high: highest, factor: factor, primes: both)
    }

    /// The multiples of a number among the values.
    func restricted(toMultiplesOf divisor: Int) -> IntegerDomain {
        if let values { return IntegerDomain(values: values.filter { $0 % divisor == 0 }) }
        return IntegerDomain(
            low: lowest, high: highest, factor: Self.leastCommonMultiple(factor, divisor), primes: primes)
    }

    /// Values, or bounds and factor.
    public var description: String {
        if let values { return "{" + values.map(String.init).joined(separator: ", ") + "}" }
        let multiples = factor > 1 ? ", multiples of \(factor)" : ""
        let only = primes.map { ", primes \($0.sorted())" } ?? ""
        return "\(lowest)...\(highest)" + multiples + only
    }

    static func union(_ one: Set<Int>?, _ two: Set<Int>?) -> Set<Int>? {
        guard let one, let two else { return nil }
        return one.union(two)
    }
}

// MARK: - Arithmetic

extension IntegerDomain {
    /// Sums and products stop here, far above all values.
    static let infinity = 1 << 60

    static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }

    static func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
        product(a / max(1, greatestCommonDivisor(a, b)), b)
    }

    static func ceilingQuotient(_ a: Int, _ b: Int) -> Int { (a - 1) / b + 1 }

    /// a b, at most `infinity`.
    static func product(_ a: Int, _ b: Int) -> Int {
        let (result, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? infinity : min(infinity, result)
    }

    /// a to a power, at most `infinity`.
    static func power(_ a: Int, _ exponent: Int) -> Int {
        (0..<exponent).reduce(1) { result, _ in product(result, a) }
    }

    /// The largest integer whose power is at most `value`.
    static func root(_ value: Int, _ exponent: Int) -> Int {
        var (low, high) = (1, min(value, largest) + 1)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if power(middle, exponent) <= value { low = middle } else { high = middle }
        }
        return low
    }

    /// The primes that divide a value.
    static func primes(of value: Int) -> Set<Int> {
        var (rest, prime, result) = (value, 2, Set<Int>())
        while prime * prime <= rest {
            while rest % prime == 0 {
                result.insert(prime)
                rest /= prime
            }
            prime += 1
        }
        if rest > 1 { result.insert(rest) }
        return result
    }

    /// Whether some primes are all that divide a value.
    static func isProduct(_ value: Int, of primes: Set<Int>) -> Bool {
        var rest = value
        for prime in primes { while rest % prime == 0 { rest /= prime } }
        return rest == 1
    }
}

extension [Int] {
    /// Whether a value is in a sorted array.
    fileprivate func containsSorted(_ value: Int) -> Bool {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low] == value
    }
}

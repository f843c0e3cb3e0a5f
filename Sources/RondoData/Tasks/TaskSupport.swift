import RondoTensor

extension SequenceTask {
    /// Refuses a length that the task cannot have.
    ///
    /// - Parameters:
    ///   - holds: Whether the length is possible.
    ///   - length: The length.
    ///   - range: What would be possible, completing the sentence "must be …".
    /// - Throws: `RondoError` of code `invalidArgument`.
    func requireLength(_ holds: Bool, _ length: Int, _ range: String) throws {
        guard holds else {
            throw RondoError(.invalidArgument, "task \(Self.name): length \(length): must be \(range)")
        }
    }
}

extension [Int32] {
    /// Classes of which only the last is asked.
    var askedAtEndOnly: [Int32] {
        guard let last else { return self }
        return Array(repeating: TaskExample.unasked, count: count - 1) + [last]
    }

    /// Positions at which nothing is asked.
    static func unasked(_ count: Int) -> [Int32] { Array(repeating: TaskExample.unasked, count: count) }
}

extension Generator {
    /// A fair choice.
    mutating func flip() -> Bool { Bool.random(using: &self) }

    /// A token below a bound.
    mutating func token(below bound: Int) -> Int32 { Int32.random(in: 0..<Int32(bound), using: &self) }

    /// Tokens below a bound, independent and uniform.
    mutating func tokens(_ count: Int, below bound: Int) -> [Int32] { (0..<count).map { _ in token(below: bound) } }

    /// Some of the numbers below a bound, in increasing order; every set is equally likely.
    ///
    /// - Parameters:
    ///   - count: How many; at most `bound`.
    ///   - bound: The bound.
    /// - Returns: The numbers.
    mutating func sortedChoice(of count: Int, below bound: Int) -> [Int] {
        var chosen: [Int] = []
        for number in 0..<bound where Int.random(in: 0..<bound - number, using: &self) < count - chosen.count {
            chosen.append(number)
        }
        return chosen
    }

    /// Some of the numbers below a bound in random order; every order is equally likely.
    ///
    /// - Parameters:
    ///   - count: How many; at most `bound`.
    ///   - bound: The bound.
    /// - Returns: The numbers.
    mutating func choice(of count: Int, below bound: Int) -> [Int32] {
        var numbers = (0..<Int32(bound)).map(\.self)
        for index in 0..<count {
            numbers.swapAt(index, Int.random(in: index..<bound, using: &self))
        }
        return Array(numbers.prefix(count))
    }

    /// An index, with a chance in proportion to its weight.
    mutating func index(weights: [Double]) -> Int {
        var left = Double.random(in: 0..<weights.reduce(0, +), using: &self)
        for (index, weight) in weights.enumerated() where weight > 0 {
            left -= weight
            if left < 0 { return index }
        }
        return weights.lastIndex { $0 > 0 } ?? 0
    }
}

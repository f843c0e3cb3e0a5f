import RondoTensor

/// A group of permutations whose words are a task.
public enum PermutationGroup: String, Codable, Sendable, CaseIterable {
    /// All permutations of 3 things.
    case s3
    /// All permutations of 4 things.
    case s4
    /// All permutations of 5 things; not solvable.
    case s5
    /// The even permutations of 4 things.
    case a4
    /// The even permutations of 5 things; the smallest group that is not solvable.
    case a5

    /// How many things are permuted.
    public var degree: Int {
        switch self {
        case .s3: 3
        case .s4, .a4: 4
        case .s5, .a5: 5
        }
    }

    /// The number of elements.
    public var order: Int { elements.count }

    /// The elements by their images of 0, 1, …, in lexicographic order; the first changes nothing.
    public var elements: [[Int]] { table.elements }

    /// Elements whose products are the whole group.
    ///
    /// Of Sₙ: the swap of the first two and the cycle of all. Of A₄ and A₅: the cycle of the first three and the longest
    /// even cycle of all (A₅) or of all but the first (A₄).
    public var generators: [Int] {
        let cycles: [[Int]]
        switch self {
        case .s3: cycles = [[1, 0, 2], [1, 2, 0]]
        case .s4: cycles = [[1, 0, 2, 3], [1, 2, 3, 0]]
        case .s5: cycles = [[1, 0, 2, 3, 4], [1, 2, 3, 4, 0]]
        case .a4: cycles = [[1, 2, 0, 3], [0, 2, 3, 1]]
        case .a5: cycles = [[1, 2, 0, 3, 4], [1, 2, 3, 4, 0]]
        }
        return cycles.compactMap { cycle in elements.firstIndex(of: cycle) }
    }

    /// The product of two elements: first one, then the other.
    ///
    /// - Parameters:
    ///   - first: An index into ``elements``.
    ///   - second: Another.
    /// - Returns: The index of the permutation that maps `i` to `second(first(i))`.
    public func product(_ first: Int, _ second: Int) -> Int { table.products[first * table.elements.count + second] }

    /// How many things an element moves.
    public func moved(by element: Int) -> Int { elements[element].enumerated().count { $0 != $1 } }

    // MARK: - Tables

    private struct Table: Sendable {
        var elements: [[Int]]
        var products: [Int]

        init(_ elements: [[Int]]) {
            self.elements = elements
            let index = Dictionary(uniqueKeysWithValues: elements.enumerated().map { ($1, $0) })
            products = elements.flatMap { first in
                elements.map { second in index[first.map { second[$0] }] ?? 0 }
            }
        }
    }

    private static let tables = Dictionary(
        uniqueKeysWithValues: allCases.map { group in
            let all = permutations(of: Array(0..<group.degree))
            let isAlternating = group == .a4 || group == .a5
            return (group, Table(isAlternating ? all.filter(isEven) : all))
        })

    private var table: Table { Self.tables[self] ?? Table([[0]]) }

    private static func permutations(of things: [Int]) -> [[Int]] {
        guard things.count > 1 else { return [things] }
        return things.flatMap { first in permutations(of: things.filter { $0 != first }).map { [first] + $0 } }
    }

    /// Whether pairs in the wrong order are even in number.
    private static func isEven(_ permutation: [Int]) -> Bool {
        let pairs = permutation.indices.flatMap { low in
            permutation[(low + 1)...].filter { $0 < permutation[low] }
        }
        return pairs.count % 2 == 0
    }
}

import RondoTensor
import Testing

/// The solver of integer constraints: the language, propagation, search.
@Suite struct ConstraintProblemTests {
    private func values(_ text: String, _ name: String, _ domains: [String: IntegerDomain] = [:]) throws -> [Int]? {
        try ConstraintProblem(text, domains: domains).propagated()?[name]?.values
    }

    @Test(arguments: [
        ("5*x <= 15; x + 1 <= 3;", [1, 2]), ("x ^ 2 == 9;", [3]), ("x <= 5; x % 2 == 0;", [2, 4]),
        ("512 % x == 0;", [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]), ("x <= 20; b <= 20; x*b == 15;", [1, 3, 5, 15]),
        ("x == [8, 16] | x == 3;", [3, 8, 16]), ("(x + 1) * 2 == 10;", [4]), ("x + 1 * 2 == 10; # sum last", [8]),
        ("12 % x * 2 == 0; x <= 9;", [1, 2, 3, 6]), ("x ^ 3 <= 30;", [1, 2, 3]), ("x * 1000000000 <= 1500000000;", [1]),
    ])
    func propagationFindsTheValues(text: String, expected: [Int]) throws {
        #expect(try values(text, "x") == expected)
    }

    @Test func sumsNarrowBothSides() throws {
        let domains = ["a": IntegerDomain(5...20), "b": IntegerDomain(1...20)]
        #expect(try values("a + b == 15;", "a", domains) == Array(5...14))
        #expect(try values("a + b == 15;", "b", domains) == Array(1...10))
    }

    @Test func largeRangesKeepBoundsAndFactors() throws {
        let domain = try #require(try ConstraintProblem("x % 48 == 0; x <= 1000000000;").propagated()?["x"])
        #expect(domain.values == nil && domain.factor == 48)
        #expect(domain.lowest == 48 && domain.highest == 999_999_984)
        #expect(domain.contains(96) && !domain.contains(97))
        let powers = IntegerDomain(1...1_000_000, primes: [2])
        #expect(powers.contains(1 << 19) && !powers.contains(3 << 10))
    }

    @Test(arguments: ["x <= 3; 4 <= x;", "x ^ 2 == 8;", "x + y == 1;", "7 % x == 0; x == [2, 3];"])
    func contradictionsHaveNoSolution(text: String) throws {
        #expect(try ConstraintProblem(text).solutions().isEmpty)
    }

    @Test func searchFollowsTheOrder() throws {
        let problem = try ConstraintProblem("A == [1, 2]; B == [3, 4];")
        func pairs(_ a: ConstraintProblem.Direction, _ b: ConstraintProblem.Direction) throws -> [[Int?]] {
            try problem.solutions(limit: 4, order: [.init("A", a), .init("B", b)]).map { [$0["A"], $0["B"]] }
        }
        #expect(try pairs(.smallestFirst, .smallestFirst) == [[1, 3], [1, 4], [2, 3], [2, 4]])
        #expect(try pairs(.largestFirst, .smallestFirst) == [[2, 3], [2, 4], [1, 3], [1, 4]])
        let rest = try problem.solutions(limit: 9, excluding: [["A": 1], ["A": 2, "B": 3]])
        #expect(rest == [["A": 2, "B": 4]])
    }

    /// Every relation of a family, against trying everything.
    @Test func searchEqualsEnumeration() throws {
        let terms = ["a", "b * c", "a + c", "b ^ 2", "[2, 3] * c", "(a + b) * c", "7"]
        let domains = ["a": IntegerDomain(1...7), "b": IntegerDomain(1...5), "c": IntegerDomain(1...4)]
        let all = (1...7).flatMap { a in (1...5).flatMap { b in (1...4).map { ["a": a, "b": b, "c": $0] } } }
        for (index, left) in terms.enumerated() {
            for right in terms {
                for relation in ["\(left) <= \(right)", "\(left) == \(right)", "\(left) % \(right) == 0"] {
                    let other = terms[(index + 2) % terms.count]
                    for text in ["\(relation);", "\(relation); a <= \(other);", "\(relation) | \(other) == c;"] {
                        let problem = try ConstraintProblem(text, domains: domains)
                        let found = try problem.solutions(limit: .max)
                        #expect(Set(found) == Set(all.filter(problem.isSolution)), "\(text)")
                        #expect(Set(found).count == found.count)
                    }
                }
            }
        }
    }

    /// What holds is decided without propagation.
    @Test func solutionsAreChecked() throws {
        let problem = try ConstraintProblem("H % X * Y == 0; X + Y <= 8 | X == 12;")
        #expect(problem.isSolution(["H": 24, "X": 2, "Y": 4]))
        #expect(!problem.isSolution(["H": 24, "X": 2, "Y": 5]))
        #expect(problem.isSolution(["H": 24, "X": 12, "Y": 2]))
        #expect(!problem.isSolution(["H": 24, "X": 2]))
    }

    @Test(arguments: [
        ("x <= ;", "line 1"), ("x < 3;", "line 1"), ("x == 3", "';'"), ("y == 1;\nx % 3 == 1;", "line 2"),
        ("x - 1 == 3;", "'-'"), ("x == 0;", "at least 1"), ("x ^ y == 4;", "number"), ("x == [1, 2;", "']'"),
        ("x == 99999999999999999999;", "too large"), ("(x == 1;", "')'"),
    ])
    func mistakesAreNamed(text: String, part: String) throws {
        let error = #expect(throws: RondoError.self) { try ConstraintProblem(text) }
        #expect(error?.code == .invalidArgument && error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test func searchGivesUpAloud() throws {
        let problem = try ConstraintProblem("x * x + y * y == z ^ 2; 100000 <= x; x <= 400000; z <= 400000;")
        let error = #expect(throws: RondoError.self) { try problem.solutions(effort: 20) }
        #expect(error?.code == .invalidArgument)
        #expect(throws: RondoError.self) { try problem.solutions(order: [.init("w", .largestFirst)]) }
    }
}

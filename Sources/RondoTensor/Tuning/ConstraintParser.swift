/// Reads the language of constraints.
///
///     statement:  relation ('|' relation)* ';'        all statements hold; of a statement, one relation
///     relation:   term '<=' term
///                 term '==' term
///                 term '%' term '==' '0'              the first is a multiple of the second
///     term:       sums and products of numbers, names, lists [8, 16] (one of them), (term), and term '^' number
///
/// `%` binds loosest: `H % X * Y == 0` says that X Y divides H. Numbers are positive. `#` begins a comment.
struct ConstraintParser {
    private enum Token: Equatable {
        case number(Int)
        case name(String)
        case symbol(String)

        var text: String {
            switch self {
            case .number(let value): "\(value)"
            case .name(let text), .symbol(let text): text
            }
        }
    }

    private var tokens: [(token: Token, line: Int)] = []
    private var position = 0

    /// Reads a text.
    ///
    /// - Throws: ``RondoError`` of code `invalidArgument` with the line and what is expected there.
    static func parse(_ text: String) throws -> [Constraint] {
        var parser = ConstraintParser()
        try parser.scan(text)
        var statements: [Constraint] = []
        while parser.position < parser.tokens.count { statements.append(try parser.statement()) }
        return statements
    }

    // MARK: Tokens

    private mutating func scan(_ text: String) throws {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var rest = line.prefix { $0 != "#" }
            while let first = rest.first {
                if first.isWhitespace {
                    rest.removeFirst()
                } else if Self.isDigit(first) {
                    let digits = rest.prefix(while: Self.isDigit)
                    guard let value = Int(digits), value <= IntegerDomain.infinity else {
                        throw Self.error(index + 1, "the number \(digits) is too large")
                    }
                    tokens.append((.number(value), index + 1))
                    rest = rest.dropFirst(digits.count)
                } else if Self.isNamePart(first) {
                    let name = rest.prefix(while: Self.isNamePart)
                    tokens.append((.name(String(name)), index + 1))
                    rest = rest.dropFirst(name.count)
                } else {
                    let symbols = ["<=", "==", "%", "|", ";", "+", "*", "^", "[", "]", ",", "(", ")"]
                    guard let symbol = symbols.first(where: { rest.hasPrefix($0) }) else {
                        throw Self.error(index + 1, "'\(first)' is no part of a constraint")
                    }
                    tokens.append((.symbol(symbol), index + 1))
                    rest = rest.dropFirst(symbol.count)
                }
            }
        }
    }

    private static func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }

    private static func isNamePart(_ character: Character) -> Bool {
        character == "_" || character.isASCII && (character.isLetter || character.isNumber)
    }

    private static func error(_ line: Int, _ problem: String) -> RondoError {
        RondoError(.invalidArgument, "constraints, line \(line): \(problem)")
    }

    private func unexpected(_ wanted: String) -> RondoError {
        guard position < tokens.count else {
            return Self.error(tokens.last?.line ?? 1, "the text ends where \(wanted) is expected")
        }
        return Self.error(tokens[position].line, "'\(tokens[position].token.text)' stands where \(wanted) is expected")
    }

    private mutating func take(_ symbol: String) -> Bool {
        guard position < tokens.count, tokens[position].token == .symbol(symbol) else { return false }
        position += 1
        return true
    }

    private mutating func require(_ symbol: String) throws {
        guard take(symbol) else { throw unexpected("'\(symbol)'") }
    }

    /// A number of at least `low`.
    private mutating func number(atLeast low: Int = 1) throws -> Int {
        guard position < tokens.count, case .number(let value) = tokens[position].token, value >= low else {
            throw unexpected("a number of at least \(low)")
        }
        position += 1
        return value
    }

    // MARK: Grammar

    private mutating func statement() throws -> Constraint {
        var choices = [try relation()]
        while take("|") { choices.append(try relation()) }
        try require(";")
        return choices.count == 1 ? choices[0] : .any(choices)
    }

    private mutating func relation() throws -> Constraint {
        let left = try term()
        if take("%") {
            let divisor = try term()
            try require("==")
            guard try number(atLeast: 0) == 0 else {
                position -= 1
                throw unexpected("0")
            }
            return .multiple(left, of: divisor)
        }
        if take("<=") { return .atMost(left, try term()) }
        guard take("==") else { throw unexpected("'<=', '==' or '%'") }
        return .equal(left, try term())
    }

    private mutating func term() throws -> ConstraintTerm {
        var result = try summand()
        while take("+") { result = .sum(result, try summand()) }
        return result
    }

    private mutating func summand() throws -> ConstraintTerm {
        var result = try power()
        while take("*") { result = .product(result, try power()) }
        return result
    }

    private mutating func power() throws -> ConstraintTerm {
        let base = try atom()
        return take("^") ? .power(base, try number()) : base
    }

    private mutating func atom() throws -> ConstraintTerm {
        if take("(") {
            let inner = try term()
            try require(")")
            return inner
        }
        if take("[") {
            var values = [try number()]
            while take(",") { values.append(try number()) }
            try require("]")
            return .choice(values)
        }
        if position < tokens.count, case .name(let name) = tokens[position].token {
            position += 1
            return .name(name)
        }
        return .choice([try number()])
    }
}

extension Parser {
    /// Parses one expression, or several with commas as a tuple.
    mutating func parseTuple(
        allowsConditional: Bool = true, end: String? = nil, isInParentheses: Bool = false
    ) throws -> Expression {
        let line = token.line
        var elements: [Expression] = []
        var isTuple = false
        while !isTupleEnd(end) {
            elements.append(try parseExpression(allowsConditional: allowsConditional))
            guard take(",") else { break }
            isTuple = true
        }
        if !isTuple, let only = elements.first { return only }
        guard isTuple || isInParentheses else { throw failure("an expression is needed, not \(token.inWords)") }
        return try expression(.tuple(elements), line: line, around: elements)
    }

    mutating func parseExpression(allowsConditional: Bool = true) throws -> Expression {
        try nested { parser in
            allowsConditional ? try parser.parseConditional() : try parser.parseOperators(.or)
        }
    }

    private mutating func parseConditional() throws -> Expression {
        var value = try parseOperators(.or)
        while isAt(name: "if") {
            let line = token.line
            advance()
            let condition = try parseOperators(.or)
            let otherwise = take(name: "else") ? try nested { try $0.parseConditional() } : nil
            value = try expression(
                .conditional(condition: condition, then: value, otherwise: otherwise), line: line,
                around: [condition, value] + (otherwise.map { [$0] } ?? []))
        }
        return value
    }

    /// The levels of precedence, from the loosest on.
    private enum Level: Int {
        case or
        case and
        case not
        case comparison
        case sum
        case concatenation
        case product
        case power
        case unary

        /// The level whose operators bind more tightly.
        var tighter: Level { Level(rawValue: rawValue + 1) ?? .unary }

        func takes(_ kind: Token.Kind) -> BinaryOperator? {
            switch (self, kind) {
            case (.or, .name("or")), (.and, .name("and")), (.sum, .sign("+")), (.sum, .sign("-")),
                (.product, .sign("*")), (.product, .sign("/")), (.product, .sign("//")), (.product, .sign("%")),
                (.power, .sign("**")):
                break
            default: return nil
            }
            switch kind {
            case .name(let text), .sign(let text): return BinaryOperator(rawValue: text)
            default: return nil
            }
        }
    }

    /// Parses operators of a level and of all that bind more tightly; those of one level group from the left.
    private mutating func parseOperators(_ level: Level) throws -> Expression {
        switch level {
        case .not: return try parseNot()
        case .comparison: return try parseComparison()
        case .concatenation: return try parseConcatenation()
        case .unary: return try parseUnary(allowsFilters: true)
        default: break
        }
        var left = try parseOperators(level.tighter)
        while let binary = level.takes(token.kind) {
            let line = token.line
            advance()
            let right = try parseOperators(level.tighter)
            left = try expression(.binary(binary, left, right), line: line, around: [left, right])
        }
        return left
    }

    private mutating func parseNot() throws -> Expression {
        guard isAt(name: "not") else { return try parseOperators(.comparison) }
        let line = token.line
        advance()
        let operand = try nested { try $0.parseNot() }
        return try expression(.unary(.not, operand), line: line, around: [operand])
    }

    private mutating func parseComparison() throws -> Expression {
        let first = try parseOperators(.sum)
        let line = token.line
        var rest: [(sign: Comparison, operand: Expression)] = []
        while let comparison = takeComparison() {
            rest.append((comparison, try parseOperators(.sum)))
        }
        if rest.isEmpty { return first }
        return try expression(.comparison(first, rest), line: line, around: [first] + rest.map(\.operand))
    }

    private mutating func takeComparison() -> Comparison? {
        switch token.kind {
        case .sign(let sign):
            guard let comparison = Comparison(rawValue: sign) else { return nil }
            advance()
            return comparison
        case .name("in"):
            advance()
            return .contained
        case .name("not") where nextKind == .name("in"):
            advance()
            advance()
            return .notContained
        default: return nil
        }
    }

    private mutating func parseConcatenation() throws -> Expression {
        let line = token.line
        var parts = [try parseOperators(.product)]
        while take("~") { parts.append(try parseOperators(.product)) }
        return parts.count == 1 ? parts[0] : try expression(.concatenation(parts), line: line, around: parts)
    }

    private mutating func parseUnary(allowsFilters: Bool) throws -> Expression {
        let line = token.line
        var value: Expression
        if isAt("-") || isAt("+") {
            let sign: UnaryOperator = isAt("-") ? .minus : .plus
            advance()
            let operand = try nested { try $0.parseUnary(allowsFilters: false) }
            value = try expression(.unary(sign, operand), line: line, around: [operand])
        } else {
            value = try parsePrimary()
        }
        value = try parsePostfix(value)
        return allowsFilters ? try parseFiltersAndTests(value) : value
    }

    private mutating func parsePrimary() throws -> Expression {
        let line = token.line
        switch token.kind {
        case .name(let name):
            advance()
            return try parseName(name, line: line)
        case .string(var text):
            advance()
            while case .string(let more) = token.kind {
                text = text + more
                advance()
            }
            return try expression(.literal(.string(text)), line: line)
        case .integer(let value):
            advance()
            return try expression(.literal(.integer(value)), line: line)
        case .real(let value):
            advance()
            return try expression(.literal(.real(value)), line: line)
        case .sign("("):
            advance()
            let inner = try parseTuple(isInParentheses: true)
            try expect(")")
            return inner
        case .sign("["): return try parseList(line: line)
        case .sign("{"): return try parseMapping(line: line)
        default: throw failure("unexpected \(token.inWords)")
        }
    }

    private mutating func parseName(_ name: String, line: Int) throws -> Expression {
        switch name {
        case "true", "True": return try expression(.literal(.bool(true)), line: line)
        case "false", "False": return try expression(.literal(.bool(false)), line: line)
        case "none", "None": return try expression(.literal(.null), line: line)
        default:
            read(name)
            return try expression(.name(name), line: line)
        }
    }

    private mutating func parseList(line: Int) throws -> Expression {
        try expect("[")
        var elements: [Expression] = []
        while !isAt("]") {
            elements.append(try parseExpression())
            if !isAt("]") { try expect(",") }
        }
        try expect("]")
        return try expression(.list(elements), line: line, around: elements)
    }

    private mutating func parseMapping(line: Int) throws -> Expression {
        try expect("{")
        var members: [(key: Expression, value: Expression)] = []
        while !isAt("}") {
            let key = try parseExpression()
            try expect(":")
            members.append((key, try parseExpression()))
            if !isAt("}") { try expect(",") }
        }
        try expect("}")
        return try expression(.mapping(members), line: line, around: members.flatMap { [$0.key, $0.value] })
    }

    // MARK: What follows a value

    private mutating func parsePostfix(_ start: Expression) throws -> Expression {
        var value = start
        while true {
            let line = token.line
            if take(".") {
                value = try parseAttribute(of: value, line: line)
            } else if take("[") {
                value = try parseSubscript(of: value, line: line)
            } else if isAt("(") {
                value = try parseCall(of: value, line: line)
            } else {
                return value
            }
        }
    }

    private mutating func parseCall(of callee: Expression, line: Int) throws -> Expression {
        let arguments = try parseArguments()
        return try expression(.call(callee, arguments), line: line, around: [callee] + arguments.all)
    }

    private mutating func parseAttribute(of value: Expression, line: Int) throws -> Expression {
        if case .integer(let index) = token.kind {
            advance()
            let literal = try expression(.literal(.integer(index)), line: line)
            return try expression(.item(value, literal), line: line, around: [value])
        }
        let name = Text(try expectName())
        return try expression(.attribute(value, name), line: line, around: [value])
    }

    private mutating func parseSubscript(of value: Expression, line: Int) throws -> Expression {
        var bounds: [Expression?] = [isAt(":") ? nil : try parseExpression()]
        while bounds.count < 3, take(":") {
            bounds.append(isAt("]") || isAt(":") || isAt(",") ? nil : try parseExpression())
        }
        if isAt(",") { throw unsupported("several indices in one pair of brackets") }
        try expect("]")
        if bounds.count == 1, let index = bounds[0] {
            return try expression(.item(value, index), line: line, around: [value, index])
        }
        let step = bounds.count == 3 ? bounds[2] : nil
        return try expression(
            .slice(value, start: bounds[0], stop: bounds[1], step: step), line: line,
            around: [value] + bounds.compactMap { $0 })
    }

    private mutating func parseArguments() throws -> Arguments<Expression> {
        try expect("(")
        var arguments = Arguments<Expression>()
        while !isAt(")") {
            if isAt("*") || isAt("**") { throw unsupported("unpacked arguments") }
            if arguments.all.count >= Self.maximumArguments { throw tooManyArguments() }
            if case .name(let name) = token.kind, nextKind == .sign("=") {
                advance()
                advance()
                guard !arguments.named.contains(where: { $0.name == name }) else {
                    throw failure("the argument '\(name)' is there twice")
                }
                arguments.named.append((name, try parseExpression()))
            } else {
                guard arguments.named.isEmpty else { throw failure("an argument without name follows one with a name") }
                arguments.positional.append(try parseExpression())
            }
            if !isAt(")") { try expect(",") }
        }
        try expect(")")
        return arguments
    }

    private mutating func parseFiltersAndTests(_ start: Expression) throws -> Expression {
        var value = start
        while true {
            let line = token.line
            if take("|") {
                let filter = try parseFilter()
                value = try expression(.filter(value, filter), line: line, around: [value] + filter.arguments.all)
            } else if take(name: "is") {
                value = try parseTest(of: value, line: line)
            } else if isAt("(") {
                value = try parseCall(of: value, line: line)
            } else {
                return value
            }
        }
    }

    /// Parses the filters of a filter block or of a block that is assigned.
    mutating func parseFilters(startsInside: Bool) throws -> [FilterCall] {
        var filters = startsInside ? [try parseFilter()] : []
        while take("|") { filters.append(try parseFilter()) }
        return filters
    }

    private mutating func parseFilter() throws -> FilterCall {
        let line = token.line
        let name = try expectName()
        guard let filter = FilterName(rawValue: name), !isAt(".") else {
            throw unsupported("the filter '\(name)'", line: line)
        }
        return FilterCall(name: filter, arguments: isAt("(") ? try parseArguments() : Arguments(), line: line)
    }

    private mutating func parseTest(of value: Expression, line: Int) throws -> Expression {
        let isNegated = take(name: "not")
        let name = try expectName()
        guard let test = TestName(rawValue: name), !isAt(".") else {
            throw unsupported("the test '\(name)'", line: line)
        }
        var arguments = Arguments<Expression>()
        if isAt("(") {
            arguments = try parseArguments()
        } else if startsTestArgument {
            if isAt(name: "is") { throw failure("tests cannot be chained") }
            let primary = try nested { try $0.parsePrimary() }
            arguments.positional = [try parsePostfix(primary)]
        }
        let result = try expression(.test(value, test, arguments), line: line, around: [value] + arguments.all)
        return isNegated ? try expression(.unary(.not, result), line: line, around: [result]) : result
    }

    private var startsTestArgument: Bool {
        switch token.kind {
        case .name("else"), .name("or"), .name("and"): false
        case .name, .string, .integer, .real, .sign("["), .sign("{"): true
        default: false
        }
    }
}

extension Arguments {
    /// All arguments, in the order in which they are evaluated.
    var all: [Element] { positional + named.map(\.value) }
}

import RondoTensor

/// Builds the statements of a template from its tokens; everything it does not know is refused with its line.
struct Parser {
    /// How deep tags and brackets may be nested.
    private static let maximumNesting = 80
    /// How deep expressions may become, also by long chains such as `a + b + c`.
    private static let maximumDepth = 200

    static let maximumArguments = 255

    private let tokens: [Token]
    private let name: String
    private var position = 0
    private var nesting = 0
    /// Loops around the place at hand, and how many of them `break` can leave.
    private var loopNesting = 0
    private var loopsToLeave = 0
    /// Names that were read since the beginning of the innermost macro.
    private var namesRead: Set<String> = []

    init(_ source: String, name: String) throws {
        var lexer = Lexer(source, name: name)
        tokens = try lexer.tokenize()
        self.name = name
    }

    mutating func parse() throws -> [Statement] {
        let body = try parseBody(until: [])
        guard token.kind == .end else { throw failure("unexpected \(token.inWords)") }
        return body
    }

    // MARK: Tokens

    var token: Token { tokens[min(position, tokens.count - 1)] }

    var nextKind: Token.Kind { tokens[min(position + 1, tokens.count - 1)].kind }

    mutating func advance() { position = min(position + 1, tokens.count - 1) }

    func isAt(_ sign: String) -> Bool { token.kind == .sign(sign) }

    func isAt(name: String) -> Bool { token.kind == .name(name) }

    mutating func take(_ sign: String) -> Bool {
        guard isAt(sign) else { return false }
        advance()
        return true
    }

    mutating func take(name: String) -> Bool {
        guard isAt(name: name) else { return false }
        advance()
        return true
    }

    mutating func expect(_ sign: String) throws {
        guard take(sign) else { throw failure("'\(sign)' is needed, not \(token.inWords)") }
    }

    mutating func expect(_ kind: Token.Kind) throws {
        guard token.kind == kind else {
            let needed = Token(kind: kind, line: 0).inWords
            throw failure("\(needed) is needed, not \(token.inWords)")
        }
        advance()
    }

    mutating func expectName() throws -> String {
        guard case .name(let name) = token.kind else { throw failure("a name is needed, not \(token.inWords)") }
        advance()
        return name
    }

    func failure(_ reason: String, line: Int? = nil) -> RondoError {
        RondoError(.invalidArgument, "\(name), line \(line ?? token.line): \(reason)")
    }

    func unsupported(_ what: String, line: Int? = nil) -> RondoError {
        RondoError(.unavailable, "\(name): not supported: \(what) at line \(line ?? token.line)")
    }

    func tooManyArguments() -> RondoError { unsupported("more than \(Self.maximumArguments) arguments") }

    mutating func read(_ name: String) { namesRead.insert(name) }

    /// Runs a part of the parser one level deeper.
    mutating func nested<Result>(_ body: (inout Parser) throws -> Result) throws -> Result {
        guard nesting < Self.maximumNesting else {
            throw failure("nested more than \(Self.maximumNesting) levels deep")
        }
        nesting += 1
        defer { nesting -= 1 }
        return try body(&self)
    }

    /// An expression around others.
    func expression(_ kind: Expression.Kind, line: Int, around parts: [Expression] = []) throws -> Expression {
        let depth = 1 + parts.reduce(0) { max($0, $1.depth) }
        guard depth <= Self.maximumDepth else {
            throw failure("the expression is more than \(Self.maximumDepth) levels deep", line: line)
        }
        return Expression(kind: kind, line: line, depth: depth)
    }

    // MARK: Bodies

    /// Parses up to a tag with one of the names, and stops at that name.
    private mutating func parseBody(until ends: [String]) throws -> [Statement] {
        try nested { parser in
            var body: [Statement] = []
            while true {
                let line = parser.token.line
                switch parser.token.kind {
                case .data(let text):
                    parser.advance()
                    body.append(Statement(kind: .text(text), line: line))
                case .variableBegin:
                    parser.advance()
                    let value = try parser.parseTuple()
                    try parser.expect(.variableEnd)
                    body.append(Statement(kind: .output(value), line: line))
                case .blockBegin:
                    parser.advance()
                    if case .name(let tag) = parser.token.kind, ends.contains(tag) { return body }
                    body.append(try parser.parseStatement())
                    try parser.expect(.blockEnd)
                default:
                    guard ends.isEmpty else {
                        let wanted = ends.map { "'\($0)'" }.joined(separator: " or ")
                        throw parser.failure("the template ends where \(wanted) is needed")
                    }
                    return body
                }
            }
        }
    }

    /// Parses the rest of a tag, a body, and the name of the tag that ends it.
    private mutating func parseBlock(until ends: String...) throws -> (body: [Statement], end: String) {
        _ = take(":")
        try expect(.blockEnd)
        let body = try parseBody(until: ends)
        return (body, try expectName())
    }

    private mutating func parseStatement() throws -> Statement {
        let line = token.line
        let tag = try expectName()
        return Statement(kind: try parseTag(tag, line: line), line: line)
    }

    private mutating func parseTag(_ tag: String, line: Int) throws -> Statement.Kind {
        switch tag {
        case "set": return try parseSet()
        case "if": return try parseIf()
        case "for": return try parseFor()
        case "macro": return try parseMacro()
        case "call": return try parseCallBlock(line: line)
        case "filter":
            let filters = try parseFilters(startsInside: true)
            return .filter(filters, try parseBlock(until: "endfilter").body)
        case "with": return try parseWith()
        case "generation":
            return .generation(try outsideLoops { try $0.parseBlock(until: "endgeneration").body })
        case "break", "continue":
            guard loopsToLeave > 0 else { throw failure("'\(tag)' outside a loop", line: line) }
            return tag == "break" ? .breakLoop : .continueLoop
        case "autoescape", "block", "debug", "do", "extends", "from", "import", "include", "print", "trans":
            throw unsupported("the tag '\(tag)'", line: line)
        default: throw failure("unknown tag '\(tag)'", line: line)
        }
    }

    private mutating func outsideLoops<Result>(_ body: (inout Parser) throws -> Result) throws -> Result {
        let outer = loopsToLeave
        loopsToLeave = 0
        defer { loopsToLeave = outer }
        return try body(&self)
    }

    // MARK: Tags

    private mutating func parseSet() throws -> Statement.Kind {
        let target = try parseTarget(allowsAttributes: true)
        if take("=") { return .assign(target, try parseTuple()) }
        let filters = try parseFilters(startsInside: false)
        return .capture(target, filters, try parseBlock(until: "endset").body)
    }

    private mutating func parseIf() throws -> Statement.Kind {
        var branches: [(test: Expression, body: [Statement])] = []
        while true {
            let test = try parseTuple(allowsConditional: false)
            let (body, end) = try parseBlock(until: "elif", "else", "endif")
            branches.append((test, body))
            if end == "elif" { continue }
            let otherwise = end == "else" ? try parseBlock(until: "endif").body : []
            return .condition(branches: branches, otherwise: otherwise)
        }
    }

    private mutating func parseFor() throws -> Statement.Kind {
        loopNesting += 1
        defer { loopNesting -= 1 }
        let target = try parseTarget(end: "in")
        guard take(name: "in") else { throw failure("'in' is needed, not \(token.inWords)") }
        let source = try parseTuple(allowsConditional: false, end: "recursive")
        let test = take(name: "if") ? try parseExpression() : nil
        if isAt(name: "recursive") { throw unsupported("recursive loops") }
        loopsToLeave += 1
        let (body, end) = try parseBlock(until: "endfor", "else")
        loopsToLeave -= 1
        let otherwise = end == "else" ? try parseBlock(until: "endfor").body : []
        return .loop(ForLoop(target: target, source: source, test: test, body: body, otherwise: otherwise))
    }

    private mutating func parseWith() throws -> Statement.Kind {
        var assignments: [(target: Target, value: Expression)] = []
        while token.kind != .blockEnd {
            if !assignments.isEmpty { try expect(",") }
            let target = try parseTarget()
            try expect("=")
            assignments.append((target, try parseExpression()))
        }
        return .with(assignments, try parseBlock(until: "endwith").body)
    }

    private mutating func parseMacro() throws -> Statement.Kind {
        let name = try expectName()
        try checkAssignable(name)
        return .macro(
            try parseDefinition(name: name) { parser in
                let parameters = try parser.parseParameters()
                return (parameters, try parser.parseBlock(until: "endmacro").body)
            })
    }

    private mutating func parseCallBlock(line: Int) throws -> Statement.Kind {
        var call: Expression?
        let caller = try parseDefinition(name: "caller") { parser in
            let parameters = parser.isAt("(") ? try parser.parseParameters() : []
            call = try parser.parseExpression()
            return (parameters, try parser.parseBlock(until: "endcall").body)
        }
        guard let call, case .call(let callee, let arguments) = call.kind else {
            throw failure("a call is needed after 'call'", line: line)
        }
        return .call(callee, arguments, caller: caller)
    }

    private typealias Parameters = [(name: String, fallback: Expression?)]

    private mutating func parseDefinition(
        name: String, _ parse: (inout Parser) throws -> (Parameters, [Statement])
    ) throws -> MacroDefinition {
        let outer = namesRead
        namesRead = []
        defer { namesRead.formUnion(outer) }
        let (parameters, body) = try outsideLoops { try parse(&$0) }
        let implicit = namesRead.intersection(["caller", "varargs", "kwargs"]).subtracting(parameters.map(\.name))
        return MacroDefinition(name: name, parameters: parameters, body: body, implicit: implicit)
    }

    private mutating func parseParameters() throws -> Parameters {
        try expect("(")
        var parameters: Parameters = []
        while !isAt(")") {
            if !parameters.isEmpty { try expect(",") }
            let name = try expectName()
            try checkAssignable(name)
            if parameters.count >= Self.maximumArguments { throw tooManyArguments() }
            guard !parameters.contains(where: { $0.name == name }) else {
                throw failure("the parameter '\(name)' is there twice")
            }
            let fallback = take("=") ? try parseExpression() : nil
            if fallback == nil, parameters.last?.fallback != nil {
                throw failure("the parameter '\(name)' without a default follows one with a default")
            }
            parameters.append((name, fallback))
        }
        try expect(")")
        return parameters
    }

    // MARK: Targets

    private mutating func parseTarget(allowsAttributes: Bool = false, end: String? = nil) throws -> Target {
        var parts: [Target] = []
        var isTuple = false
        while true {
            if isTupleEnd(end) { break }
            parts.append(try parseTargetPart(allowsAttributes: allowsAttributes, end: end))
            guard take(",") else { break }
            isTuple = true
        }
        if isTuple { return .tuple(parts) }
        guard let target = parts.first else { throw failure("a name is needed, not \(token.inWords)") }
        return target
    }

    private mutating func parseTargetPart(allowsAttributes: Bool, end: String?) throws -> Target {
        if take("(") {
            let inner = try nested { try $0.parseTarget(end: end) }
            try expect(")")
            return inner
        }
        let name = try expectName()
        if allowsAttributes, take(".") { return .attribute(of: name, Text(try expectName())) }
        try checkAssignable(name)
        if name == "loop", loopNesting > 0 { throw failure("cannot assign to the special variable 'loop'") }
        return .name(name)
    }

    private func checkAssignable(_ name: String) throws {
        if ["true", "false", "none", "True", "False", "None"].contains(name) {
            throw failure("cannot assign to '\(name)'")
        }
    }

    func isTupleEnd(_ end: String?) -> Bool {
        if token.kind == .variableEnd || token.kind == .blockEnd || isAt(")") { return true }
        return end.map { isAt(name: $0) } ?? false
    }
}

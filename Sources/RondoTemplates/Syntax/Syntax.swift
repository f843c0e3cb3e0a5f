/// An expression, with the line for errors and its depth, which is limited.
struct Expression: Sendable {
    indirect enum Kind: Sendable {
        case literal(Literal)
        case name(String)
        case tuple([Expression])
        case list([Expression])
        case mapping([(key: Expression, value: Expression)])
        case unary(UnaryOperator, Expression)
        case binary(BinaryOperator, Expression, Expression)
        case concatenation([Expression])
        case comparison(Expression, [(sign: Comparison, operand: Expression)])
        case conditional(condition: Expression, then: Expression, otherwise: Expression?)
        case attribute(Expression, Text)
        case item(Expression, Expression)
        case slice(Expression, start: Expression?, stop: Expression?, step: Expression?)
        case call(Expression, Arguments<Expression>)
        case filter(Expression, FilterCall)
        case test(Expression, TestName, Arguments<Expression>)
    }

    let kind: Kind
    let line: Int
    let depth: Int
}

enum Literal: Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case real(Double)
    case string(Text)
}

enum UnaryOperator: Sendable {
    case not
    case minus
    case plus
}

enum BinaryOperator: String, Sendable {
    case or
    case and
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case modulo = "%"
    case power = "**"
}

enum Comparison: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case contained = "in"
    case notContained = "not in"
}

/// The arguments of a call, by position and by name.
struct Arguments<Element> {
    var positional: [Element] = []
    var named: [(name: String, value: Element)] = []
}

extension Arguments: Sendable where Element: Sendable {}

/// A filter and its arguments, without what it is applied to.
struct FilterCall: Sendable {
    let name: FilterName
    let arguments: Arguments<Expression>
    let line: Int
}

/// What a value is assigned to.
indirect enum Target: Sendable {
    case name(String)
    case attribute(of: String, Text)
    case tuple([Target])
}

struct Statement: Sendable {
    enum Kind: Sendable {
        case text(Text)
        case output(Expression)
        case assign(Target, Expression)
        case capture(Target, [FilterCall], [Statement])
        case condition(branches: [(test: Expression, body: [Statement])], otherwise: [Statement])
        case loop(ForLoop)
        case macro(MacroDefinition)
        case call(Expression, Arguments<Expression>, caller: MacroDefinition)
        case filter([FilterCall], [Statement])
        case with([(target: Target, value: Expression)], [Statement])
        /// The marks around what a model generated; they change only where variables live.
        case generation([Statement])
        case breakLoop
        case continueLoop
    }

    let kind: Kind
    let line: Int
}

/// `{% for target in source if test %}body{% else %}otherwise{% endfor %}`.
struct ForLoop: Sendable {
    let target: Target
    let source: Expression
    let test: Expression?
    let body: [Statement]
    let otherwise: [Statement]
}

/// A macro, or the body of a call block.
final class MacroDefinition: Sendable {
    let name: String
    let parameters: [(name: String, fallback: Expression?)]
    let body: [Statement]
    /// Which of `caller`, `varargs` and `kwargs` the body reads.
    let implicit: Set<String>

    init(
        name: String, parameters: [(name: String, fallback: Expression?)], body: [Statement], implicit: Set<String>
    ) {
        self.name = name
        self.parameters = parameters
        self.body = body
        self.implicit = implicit
    }
}

/// The filters that templates may use.
enum FilterName: String, Sendable {
    case abs, attr, batch, capitalize, center, count, d, `default`, dictsort, first, float, indent, int, items
    case join, last, length, list, lower, map, max, min, reject, rejectattr, replace, reverse, round, safe, select
    case selectattr, slice, sort, string, sum, title, tojson, trim, truncate, unique, upper, wordcount
}

/// The tests that templates may use after `is`.
enum TestName: String, Sendable {
    case boolean, callable, defined, divisibleby, eq, equalto, escaped, even, `false`, float, ge, greaterthan, gt
    case `in`, integer, iterable, le, lessthan, lower, lt, mapping, ne, none, number, odd, sameas, sequence, string
    case `true`, undefined, upper
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
}

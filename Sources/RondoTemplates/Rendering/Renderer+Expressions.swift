import RondoTensor

extension Renderer {
    func evaluate(_ expression: Expression, _ scope: Scope) throws -> Value {
        try charge(1)
        line = expression.line
        switch expression.kind {
        case .literal(let literal): return value(of: literal)
        case .name(let name): return try variable(name, scope)
        default: return try nested { try evaluateParts(expression, scope) }
        }
    }

    private func value(of literal: Literal) -> Value {
        switch literal {
        case .null: .null
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .real(let value): .real(value)
        case .string(let text): .string(text)
        }
    }

    private func variable(_ name: String, _ scope: Scope) throws -> Value {
        if let value = scope.value(name) { return value }
        if let function = BuiltinFunction(rawValue: name) { return .function(function) }
        if BuiltinFunction.refused.contains(name) { throw unsupported("the function '\(name)'") }
        return .undefined(.variable(name))
    }

    private func evaluateParts(_ expression: Expression, _ scope: Scope) throws -> Value {
        switch expression.kind {
        case .literal, .name: return try evaluate(expression, scope)
        case .tuple(let parts): return try newTuple(parts.map { try evaluate($0, scope) })
        case .list(let parts): return try newList(parts.map { try evaluate($0, scope) })
        case .mapping(let members):
            let pairs = try members.map { (try evaluate($0.key, scope), try evaluate($0.value, scope)) }
            return .mapping(try newMapping(pairs))
        case .unary(let sign, let operand): return try apply(sign, to: evaluate(operand, scope))
        case .binary(let binary, let left, let right): return try evaluate(binary, left, right, scope)
        case .concatenation(let parts):
            var text = Text()
            for part in parts {
                let piece = try string(of: evaluate(part, scope))
                try charge(piece.count)
                text.scalars += piece.scalars
            }
            return .string(text)
        case .comparison(let first, let rest): return try evaluateComparison(first, rest, scope)
        case .conditional(let condition, let then, let otherwise):
            if try evaluate(condition, scope).isTrue { return try evaluate(then, scope) }
            let absence = Absence.because("the condition on line \(expression.line) is false and there is no 'else'")
            return try otherwise.map { try evaluate($0, scope) } ?? .undefined(absence)
        case .attribute(let owner, let name): return try attribute(name, of: evaluate(owner, scope))
        case .item(let owner, let index): return try item(evaluate(index, scope), of: evaluate(owner, scope))
        case .slice(let owner, let start, let stop, let step):
            let owner = try evaluate(owner, scope)
            let bounds = try [start, stop, step].map { try $0.map { try evaluate($0, scope) } ?? .null }
            return try slice(owner, start: bounds[0], stop: bounds[1], step: bounds[2])
        case .call(let callee, let arguments):
            let callee = try evaluate(callee, scope)
            let values = try evaluate(arguments, scope)
            line = expression.line
            return try call(callee, values)
        case .filter(let input, let filter): return try apply(filter, to: evaluate(input, scope), scope)
        case .test(let input, let test, let arguments):
            let input = try evaluate(input, scope)
            return .bool(try passes(test, input, evaluate(arguments, scope)))
        }
    }

    func evaluate(_ arguments: Arguments<Expression>, _ scope: Scope) throws -> Arguments<Value> {
        Arguments(
            positional: try arguments.positional.map { try evaluate($0, scope) },
            named: try arguments.named.map { ($0.name, try evaluate($0.value, scope)) })
    }

    private func evaluate(
        _ binary: BinaryOperator, _ left: Expression, _ right: Expression, _ scope: Scope
    ) throws -> Value {
        let first = try evaluate(left, scope)
        switch binary {
        case .and: return first.isTrue ? try evaluate(right, scope) : first
        case .or: return first.isTrue ? first : try evaluate(right, scope)
        default:
            let second = try evaluate(right, scope)
            line = left.line
            return try arithmetic(binary, first, second)
        }
    }

    private func evaluateComparison(
        _ first: Expression, _ rest: [(sign: Comparison, operand: Expression)], _ scope: Scope
    ) throws -> Value {
        var left = try evaluate(first, scope)
        for (comparison, operand) in rest {
            let right = try evaluate(operand, scope)
            guard try holds(comparison, left, right) else { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    func apply(_ filter: FilterCall, to value: Value, _ scope: Scope) throws -> Value {
        let arguments = try evaluate(filter.arguments, scope)
        line = filter.line
        return try apply(filter.name, to: value, arguments)
    }

    // MARK: Parts of values

    /// `value.name`: methods come before members.
    func attribute(_ name: Text, of value: Value) throws -> Value {
        try requireDefined(value)
        if let found = try nativeAttribute(name, of: value) { return found }
        if case .mapping(let mapping) = value, let member = mapping[name] { return member }
        return .undefined(.attribute(owner: value.ownerName, name: name.string))
    }

    /// `value[index]`: members come before methods.
    func item(_ index: Value, of value: Value) throws -> Value {
        try requireDefined(value)
        if let found = try element(index, of: value) { return found }
        guard case .string(let name) = index else {
            return .undefined(.element(owner: value.ownerName, index: try representation(of: index).string))
        }
        if let found = try nativeAttribute(name, of: value) { return found }
        return .undefined(.attribute(owner: value.ownerName, name: name.string))
    }

    private func element(_ index: Value, of value: Value) throws -> Value? {
        switch value {
        case .mapping(let mapping): return WrittenKey(index).flatMap { mapping[$0.key] }
        case .list(let items), .tuple(let items):
            return place(of: index, count: items.elements.count).map { items.elements[$0] }
        case .string(let text): return place(of: index, count: text.count).map { .string(Text([text.scalars[$0]])) }
        case .range(let range): return place(of: index, count: range.count).map { .integer(range[$0]) }
        default: return nil
        }
    }

    private func place(of index: Value, count: Int) -> Int? {
        guard let index = index.asInteger else { return nil }
        let place = index < 0 ? index + count : index
        return (0..<count).contains(place) ? place : nil
    }

    func requireDefined(_ value: Value) throws {
        if case .undefined(let absence) = value { throw failure(absence.message) }
    }

    func slice(_ value: Value, start: Value, stop: Value, step: Value) throws -> Value {
        try requireDefined(value)
        let count: Int
        switch value {
        case .list(let items), .tuple(let items): count = items.elements.count
        case .string(let text): count = text.count
        case .range(let range): count = range.count
        default: throw failure("a value of type \(value.typeName) has no slices")
        }
        guard let start = bound(start), let stop = bound(stop), let step = bound(step) else {
            throw failure("the bounds of a slice are integers")
        }
        let bounds = try bounds(start: start, stop: stop, step: step, count: count)
        let places = bounds.places
        switch value {
        case .list(let items): return try newList(places.map { items.elements[$0] })
        case .tuple(let items): return try newTuple(places.map { items.elements[$0] })
        case .string(let text): return try newString(Text(places.map { text.scalars[$0] }))
        case .range(let range): return .range(range.slice(bounds))
        default: return .null
        }
    }

    /// A bound of a slice: `.some(nil)` if it is left out, `nil` if it is no integer.
    private func bound(_ value: Value) -> Int?? {
        if case .null = value { return .some(nil) }
        return value.asInteger.map { .some($0) }
    }

    private func bounds(start: Int?, stop: Int?, step: Int?, count: Int) throws -> SliceBounds {
        let step = step ?? 1
        guard step != 0 else { throw failure("the step of a slice cannot be 0") }
        let range = step > 0 ? 0...count : -1...(count - 1)
        func clamp(_ bound: Int?, default fallback: Int) -> Int {
            guard let bound else { return fallback }
            return min(max(bound < 0 ? bound + count : bound, range.lowerBound), range.upperBound)
        }
        let first = clamp(start, default: step > 0 ? 0 : count - 1)
        let end = clamp(stop, default: step > 0 ? count : -1)
        // A step beyond the ends is as good as one to an end, and cannot overflow.
        let bounds = SliceBounds(first: first, end: end, step: min(max(step, -count - 1), count + 1))
        try charge(abs(end - first) / abs(bounds.step))
        return bounds
    }
}

/// The places of a slice within a sequence: from `first` on, before `end`.
struct SliceBounds {
    let first: Int
    let end: Int
    let step: Int

    var places: [Int] { Array(stride(from: first, to: end, by: step)) }
}

extension Value {
    /// The value's type as messages about missing parts call it.
    var ownerName: String {
        if case .null = self { return "None" }
        return "\(typeName) object"
    }
}

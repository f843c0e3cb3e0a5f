import Glibc

extension Renderer {
    func apply(_ sign: UnaryOperator, to value: Value) throws -> Value {
        if case .not = sign { return .bool(!value.isTrue) }
        try requireDefined(value)
        if case .real(let number) = value { return .real(sign == .minus ? -number : number) }
        guard let number = value.asInteger else {
            throw failure("a sign in front of a value of type \(value.typeName)")
        }
        return sign == .minus ? try arithmetic(.subtract, .integer(0), .integer(number)) : .integer(number)
    }

    func arithmetic(_ binary: BinaryOperator, _ a: Value, _ b: Value) throws -> Value {
        if case .string = a, binary == .modulo { throw unsupported("formatting by '%'") }
        try requireDefined(a)
        try requireDefined(b)
        if let a = a.asInteger, let b = b.asInteger { return try integerArithmetic(binary, a, b) }
        if let a = a.asReal, let b = b.asReal { return try realArithmetic(binary, a, b) }
        switch (binary, a, b) {
        case (.add, .string(let first), .string(let second)): return try newString(first + second)
        case (.add, .list(let first), .list(let second)): return try newList(first.elements + second.elements)
        case (.add, .tuple(let first), .tuple(let second)): return try newTuple(first.elements + second.elements)
        case (.multiply, _, _):
            if let count = b.asInteger, let result = try repeated(a, count) { return result }
            if let count = a.asInteger, let result = try repeated(b, count) { return result }
        default: break
        }
        throw failure("'\(binary.rawValue)' between values of the types \(a.typeName) and \(b.typeName)")
    }

    private func repeated(_ value: Value, _ count: Int) throws -> Value? {
        func elements<Element>(_ elements: [Element]) throws -> [Element] {
            let (total, overflow) = elements.count.multipliedReportingOverflow(by: max(count, 0))
            try charge(elements: overflow ? .max : total)
            return Array([[Element]](repeating: elements, count: elements.isEmpty ? 0 : max(count, 0)).joined())
        }
        switch value {
        case .string(let text): return .string(Text(try elements(text.scalars)))
        case .list(let items): return try newList(elements(items.elements))
        case .tuple(let items): return try newTuple(elements(items.elements))
        default: return nil
        }
    }

    private func integerArithmetic(_ binary: BinaryOperator, _ a: Int, _ b: Int) throws -> Value {
        let result: (partialValue: Int, overflow: Bool)
        switch binary {
        case .add: result = a.addingReportingOverflow(b)
        case .subtract: result = a.subtractingReportingOverflow(b)
        case .multiply: result = a.multipliedReportingOverflow(by: b)
        case .power where b >= 0: result = power(a, b)
        case .floorDivide, .modulo:
            guard b != 0 else { throw failure("division by zero") }
            let (quotient, overflow) = a.dividedReportingOverflow(by: b)
            let remainder = overflow ? 0 : a % b
            let isRoundedUp = remainder != 0 && (remainder < 0) != (b < 0)
            if binary == .modulo { return .integer(isRoundedUp ? remainder + b : remainder) }
            result = (isRoundedUp ? quotient - 1 : quotient, overflow)
        default: return try realArithmetic(binary, Double(a), Double(b))
        }
        guard !result.overflow else { throw unsupported("integers of more than 64 bits") }
        return .integer(result.partialValue)
    }

    private func power(_ base: Int, _ exponent: Int) -> (partialValue: Int, overflow: Bool) {
        if exponent == 0 || base == 1 { return (1, false) }
        if base == 0 { return (0, false) }
        if base == -1 { return (exponent % 2 == 0 ? 1 : -1, false) }
        var result = (partialValue: 1, overflow: false)
        // Any other base is out of range after 63 steps.
        for _ in 0..<exponent where !result.overflow {
            result = result.partialValue.multipliedReportingOverflow(by: base)
        }
        return result
    }

    private func realArithmetic(_ binary: BinaryOperator, _ a: Double, _ b: Double) throws -> Value {
        switch binary {
        case .add: return .real(a + b)
        case .subtract: return .real(a - b)
        case .multiply: return .real(a * b)
        case .power:
            let result = pow(a, b)
            guard !(a == 0 && b < 0) else { throw failure("division by zero") }
            guard result.isFinite || !a.isFinite || !b.isFinite else {
                throw a < 0 && result.isNaN ? unsupported("complex numbers") : failure("the result is too large")
            }
            return .real(result)
        default: break
        }
        guard b != 0 else { throw failure("division by zero") }
        if binary == .divide { return .real(a / b) }
        var remainder = fmod(a, b)
        let quotient = (a - remainder) / b
        let isRoundedUp = remainder != 0 && (remainder < 0) != (b < 0)
        if binary == .modulo {
            if isRoundedUp { remainder += b }
            return .real(remainder == 0 ? (b < 0 ? -0.0 : 0) : remainder)
        }
        let floored = isRoundedUp ? quotient - 1 : quotient
        return .real(floored == 0 ? (a / b < 0 ? -0.0 : 0) : floored.rounded())
    }

    // MARK: Comparisons

    func holds(_ comparison: Comparison, _ a: Value, _ b: Value) throws -> Bool {
        switch comparison {
        case .equal: return try isEqual(a, b)
        case .notEqual: return try !isEqual(a, b)
        case .contained: return try contains(b, a)
        case .notContained: return try !contains(b, a)
        case .less, .lessOrEqual, .greater, .greaterOrEqual: break
        }
        try requireDefined(a)
        try requireDefined(b)
        try charge(1)
        switch (a, b) {
        case (.string(let a), .string(let b)):
            try charge(min(a.count, b.count))
            return Self.holds(comparison, a, b)
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
            for (first, second) in zip(a.elements, b.elements) where try !isEqual(first, second) {
                return try nested { try holds(comparison, first, second) }
            }
            return Self.holds(comparison, a.elements.count, b.elements.count)
        default:
            if let a = a.asInteger, let b = b.asInteger { return Self.holds(comparison, a, b) }
            if let a = a.asReal, let b = b.asReal { return Self.holds(comparison, a, b) }
            throw failure("'\(comparison.rawValue)' between values of the types \(a.typeName) and \(b.typeName)")
        }
    }

    private static func holds<Operand: Comparable>(_ comparison: Comparison, _ a: Operand, _ b: Operand) -> Bool {
        switch comparison {
        case .less: a < b
        case .lessOrEqual: a <= b
        case .greater: a > b
        case .greaterOrEqual: a >= b
        default: a == b
        }
    }

    func isEqual(_ a: Value, _ b: Value) throws -> Bool {
        try charge(1)
        switch (a, b) {
        case (.undefined, .undefined), (.null, .null): return true
        case (.string(let a), .string(let b)):
            try charge(min(a.count, b.count))
            return a == b
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)): return try isEqual(a.elements, b.elements)
        case (.mapping(let a), .mapping(let b)): return try isEqual(a, b)
        case (.range(let a), .range(let b)):
            return a.count == b.count && (a.count == 0 || a.start == b.start && (a.count == 1 || a.step == b.step))
        case (.namespace(let a), .namespace(let b)): return a === b
        case (.macro(let a), .macro(let b)): return a === b
        case (.iterator(let a), .iterator(let b)): return a === b
        case (.loop(let a), .loop(let b)): return a === b
        case (.function(let a), .function(let b)): return a == b
        case (.view, .view), (.method, .method):
            throw unsupported("comparing two values of type \(a.typeName)")
        default:
            if let a = a.asInteger, let b = b.asInteger { return a == b }
            return a.asReal.flatMap { first in b.asReal.map { first == $0 } } ?? false
        }
    }

    private func isEqual(_ a: [Value], _ b: [Value]) throws -> Bool {
        guard a.count == b.count else { return false }
        return try nested {
            for (first, second) in zip(a, b) where try !isEqual(first, second) { return false }
            return true
        }
    }

    private func isEqual(_ a: Mapping, _ b: Mapping) throws -> Bool {
        guard a.count == b.count else { return false }
        return try nested {
            for (key, value) in zip(a.keys, a.values) {
                guard let written = WrittenKey(key), let other = b[written.key], try isEqual(value, other) else {
                    return false
                }
            }
            return true
        }
    }

    func contains(_ container: Value, _ value: Value) throws -> Bool {
        switch container {
        case .string(let text):
            guard case .string(let part) = value else {
                throw failure("'in' a string needs a string, not a value of type \(value.typeName)")
            }
            try charge(text.count)
            return text.firstIndex(of: part) != nil
        case .mapping(let mapping):
            if value.isUndefined { return false }
            return mapping[try key(value).key] != nil
        default:
            let elements = try iterate(container)
            while let element = try elements.next(self) {
                if try isEqual(element, value) { return true }
            }
            return false
        }
    }

    // MARK: Elements

    func iterate(_ value: Value) throws -> ValueIterator {
        switch value {
        case .iterator(let iterator): return iterator
        case .range(let range):
            var position = 0
            return ValueIterator(depth: 1) { _ in
                defer { position += 1 }
                return position < range.count ? .integer(range[position]) : nil
            }
        case .string(let text):
            var position = 0
            return ValueIterator(depth: 1) { _ in
                defer { position += 1 }
                return position < text.count ? .string(Text([text.scalars[position]])) : nil
            }
        case .undefined: return ValueIterator([], depth: 1)
        case .list(let items), .tuple(let items): return ValueIterator(items.elements, depth: items.depth)
        case .mapping(let mapping): return ValueIterator(mapping.keys, depth: mapping.depth)
        case .view(let view): return ValueIterator(view.elements, depth: view.mapping.depth + 1)
        default: throw failure("a value of type \(value.typeName) has no elements")
        }
    }

    /// All elements; uses up an iterator.
    func elements(of value: Value) throws -> [Value] {
        if case .list(let items) = value { return items.elements }
        if case .tuple(let items) = value { return items.elements }
        let iterator = try iterate(value)
        var elements: [Value] = []
        while let element = try iterator.next(self) {
            try charge(elements: 1)
            elements.append(element)
        }
        return elements
    }

    /// The number of elements of what knows it.
    func length(of value: Value) -> Int? {
        switch value {
        case .undefined: 0
        case .string(let text): text.count
        case .list(let items), .tuple(let items): items.elements.count
        case .mapping(let mapping): mapping.count
        case .view(let view): view.mapping.count
        case .range(let range): range.count
        default: nil
        }
    }
}

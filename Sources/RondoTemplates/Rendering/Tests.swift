extension Renderer {
    /// Whether a value passes a test, as in `value is test(arguments)`.
    func passes(_ test: TestName, _ value: Value, _ arguments: Arguments<Value>) throws -> Bool {
        let call = Call(renderer: self, name: test.rawValue, arguments: arguments)
        switch test {
        case .divisibleby, .in, .sameas, .eq, .equal, .equalto, .ne, .notEqual, .lt, .less, .lessthan, .le,
            .lessOrEqual, .gt, .greater, .greaterthan, .ge, .greaterOrEqual:
            return try passes(test, value, call.bind(["other"], required: 1)[0] ?? .null)
        case .even, .odd:
            _ = try call.bind([])
            return try isEqual(arithmetic(.modulo, value, .integer(2)), .integer(test == .odd ? 1 : 0))
        case .lower, .upper:
            _ = try call.bind([])
            let text = try string(of: value)
            try charge(text.count)
            return text.isCased(upper: test == .upper)
        default:
            _ = try call.bind([])
            return value.passes(test)
        }
    }

    private func passes(_ test: TestName, _ value: Value, _ other: Value) throws -> Bool {
        switch test {
        case .divisibleby: try isEqual(arithmetic(.modulo, value, other), .integer(0))
        case .in: try contains(other, value)
        case .sameas: try isSame(value, other)
        case .ne, .notEqual: try !isEqual(value, other)
        case .lt, .less, .lessthan: try holds(.less, value, other)
        case .le, .lessOrEqual: try holds(.lessOrEqual, value, other)
        case .gt, .greater, .greaterthan: try holds(.greater, value, other)
        case .ge, .greaterOrEqual: try holds(.greaterOrEqual, value, other)
        default: try isEqual(value, other)
        }
    }

    /// Identity, where values have one.
    private func isSame(_ a: Value, _ b: Value) throws -> Bool {
        switch (a, b) {
        case (.null, .null): return true
        case (.bool(let a), .bool(let b)): return a == b
        case (.namespace(let a), .namespace(let b)): return a === b
        case (.macro(let a), .macro(let b)): return a === b
        default:
            guard a.typeName != b.typeName else { throw unsupported("'sameas' of two values of type \(a.typeName)") }
            return false
        }
    }
}

extension Value {
    fileprivate func passes(_ test: TestName) -> Bool {
        switch (test, self) {
        case (.defined, _): !isUndefined
        case (.undefined, .undefined), (.none, .null), (.string, .string), (.mapping, .mapping), (.float, .real),
            (.integer, .integer), (.boolean, .bool):
            true
        case (.true, .bool(let truth)): truth
        case (.false, .bool(let truth)): !truth
        case (.number, .integer), (.number, .real), (.number, .bool): true
        case (.callable, .macro), (.callable, .function), (.callable, .method), (.callable, .loop),
            (.callable, .undefined):
            true
        case (.sequence, .string), (.sequence, .list), (.sequence, .tuple), (.sequence, .mapping), (.sequence, .range),
            (.sequence, .undefined):
            true
        case (.iterable, .string), (.iterable, .list), (.iterable, .tuple), (.iterable, .mapping), (.iterable, .range),
            (.iterable, .undefined), (.iterable, .view), (.iterable, .iterator), (.iterable, .loop):
            true
        default: false
        }
    }
}

import RondoTensor

/// The arguments of one call of something that is built in.
struct Call {
    let renderer: Renderer
    let name: String
    let arguments: Arguments<Value>

    /// Sorts the arguments by parameters: one value or `nil` for each, of which the first `required` are needed.
    func bind(_ parameters: [String], required: Int = 0, byName: Bool = true) throws -> [Value?] {
        guard arguments.positional.count <= parameters.count else {
            throw renderer.failure("'\(name)' takes at most \(parameters.count) arguments")
        }
        var values: [Value?] = arguments.positional
        values += [Value?](repeating: nil, count: parameters.count - values.count)
        for (argument, value) in arguments.named {
            guard byName, let place = parameters.firstIndex(of: argument), values[place] == nil else {
                throw renderer.failure("'\(name)' cannot take the argument '\(argument)'")
            }
            values[place] = value
        }
        for place in 0..<required where values[place] == nil {
            throw renderer.failure("'\(name)' needs the argument '\(parameters[place])'")
        }
        return values
    }

    func text(_ value: Value?) throws -> Text? {
        guard let value else { return nil }
        guard case .string(let text) = value else {
            throw renderer.failure("'\(name)' needs a string, not a value of type \(value.typeName)")
        }
        return text
    }

    func integer(_ value: Value?) throws -> Int? {
        guard let value else { return nil }
        guard let number = value.asInteger else {
            try renderer.requireDefined(value)
            throw renderer.failure("'\(name)' needs an integer, not a value of type \(value.typeName)")
        }
        return number
    }
}

extension Value? {
    /// The value without the one that means that there is none.
    var unlessNull: Value? {
        if case .some(.null) = self { return nil }
        return self
    }
}

extension Renderer {
    func call(_ callee: Value, _ arguments: Arguments<Value>) throws -> Value {
        try charge(1)
        switch callee {
        case .macro(let macro): return try nested { try call(macro, arguments) }
        case .function(let function):
            return try call(function, Call(renderer: self, name: function.rawValue, arguments: arguments))
        case .method(let method):
            return try call(method, Call(renderer: self, name: method.name, arguments: arguments))
        case .loop: throw unsupported("recursive loops")
        default:
            try requireDefined(callee)
            throw failure("a value of type \(callee.typeName) cannot be called")
        }
    }

    private func call(_ macro: Macro, _ arguments: Arguments<Value>) throws -> Value {
        let definition = macro.definition
        let scope = Scope(parent: macro.scope)
        var named = arguments.named
        func takeNamed(_ name: String) -> Value? {
            named.firstIndex { $0.name == name }.map { named.remove(at: $0).value }
        }
        var missing: [(name: String, fallback: Expression?)] = []
        for (place, parameter) in definition.parameters.enumerated() {
            if place < arguments.positional.count {
                scope.variables[parameter.name] = arguments.positional[place]
            } else if let value = takeNamed(parameter.name) {
                scope.variables[parameter.name] = value
            } else {
                missing.append(parameter)
            }
        }
        if definition.implicit.contains("caller") {
            scope.variables["caller"] = takeNamed("caller") ?? .undefined(.because("No caller defined"))
        }
        let rest = Array(arguments.positional.dropFirst(definition.parameters.count))
        try setImplicit(definition, positional: rest, named: named, scope)
        for (name, fallback) in missing {
            let absence = Absence.because("parameter '\(name)' was not provided")
            scope.variables[name] = try fallback.map { try evaluate($0, scope) } ?? .undefined(absence)
        }
        return try newString(capture { try run(definition.body, scope) }.1)
    }

    /// Hands over the arguments without a parameter, if the macro reads them.
    private func setImplicit(
        _ definition: MacroDefinition, positional: [Value], named: [(name: String, value: Value)], _ scope: Scope
    ) throws {
        if definition.implicit.contains("varargs") {
            scope.variables["varargs"] = try newTuple(positional)
        } else if !positional.isEmpty {
            throw failure("'\(definition.name)' takes at most \(definition.parameters.count) arguments")
        }
        if definition.implicit.contains("kwargs") {
            scope.variables["kwargs"] = .mapping(try newMapping(named.map { (.text($0.name), $0.value) }))
        } else if let extra = named.first {
            throw failure("'\(definition.name)' cannot take the argument '\(extra.name)'")
        }
    }

    // MARK: Functions

    private func call(_ function: BuiltinFunction, _ call: Call) throws -> Value {
        switch function {
        case .range: return try range(call)
        case .dict: return .mapping(try newMapping(pairs(call)))
        case .namespace:
            let namespace = try newNamespace()
            for (key, value) in try pairs(call) {
                guard case .string(let name) = key else { throw failure("attributes of namespaces have names") }
                namespace.attributes[try checkedAttribute(name)] = value
            }
            return .namespace(namespace)
        case .raiseException:
            // The message is the template's own word to the user.
            let message = try string(of: call.bind(["message"], required: 1)[0] ?? .null)
            throw RondoError(.invalidArgument, message.string)
        case .strftimeNow:
            guard let format = try call.text(call.bind(["format"], required: 1)[0]) else { return .empty }
            return try newString(Text(now.formatted(format.string)))
        }
    }

    private func range(_ call: Call) throws -> Value {
        let bounds = try call.bind(["start", "stop", "step"], required: 1, byName: false).compactMap(call.integer)
        let step = bounds.count == 3 ? bounds[2] : 1
        guard step != 0 else { throw failure("the step of a range cannot be 0") }
        let (start, stop) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
        guard let range = RangeValue(start: start, stop: stop, step: step) else {
            throw failure("a range may have at most \(RangeValue.maximumCount) elements")
        }
        return .range(range)
    }

    /// The members that `dict` and `namespace` are given: a mapping or pairs, then arguments with names.
    private func pairs(_ call: Call) throws -> [(Value, Value)] {
        let named = call.arguments.named.map { (Value.text($0.name), $0.value) }
        guard let source = call.arguments.positional.first else { return named }
        guard call.arguments.positional.count == 1 else { throw failure("'\(call.name)' takes at most one argument") }
        if case .mapping(let mapping) = source { return Array(zip(mapping.keys, mapping.values)) + named }
        let pairs = try elements(of: source).map { pair -> (Value, Value) in
            let parts = try elements(of: pair)
            guard parts.count == 2 else { throw failure("'\(call.name)' needs pairs") }
            return (parts[0], parts[1])
        }
        return pairs + named
    }

    // MARK: Attributes

    /// What the type of a value gives it: methods, attributes of namespaces and loops.
    func nativeAttribute(_ name: Text, of value: Value) throws -> Value? {
        switch value {
        case .namespace(let namespace): return namespace.attributes[name]
        case .loop(let loop): return try loop.attribute(name.string, self)
        default: break
        }
        if name.scalars.starts(with: ["_", "_"]) { return .undefined(.because("'\(name.string)' is internal")) }
        let methods = NativeMethods.of(value)
        let name = name.string
        if methods.supported.contains(name) { return try newMethod(value, name) }
        if methods.mutating.contains(name) {
            return .undefined(.because("'\(name)' would change a value; templates cannot change values"))
        }
        if methods.refused.contains(name) { throw unsupported("'\(name)' of values of type \(value.typeName)") }
        return nil
    }

    private func call(_ method: BoundMethod, _ call: Call) throws -> Value {
        switch method.receiver {
        case .string(let text): return try callStringMethod(call, of: text)
        case .mapping(let mapping): return try callMappingMethod(call, of: mapping)
        case .list(let items), .tuple(let items):
            if call.name == "copy" {
                _ = try call.bind([])
                return method.receiver
            }
            return try callSequenceMethod(call, of: items.elements)
        case .loop(let loop):
            guard call.arguments.named.isEmpty else { throw failure("'\(call.name)' takes no arguments with names") }
            let values = call.arguments.positional
            if call.name == "changed" { return .bool(try loop.changed(newTuple(values), self)) }
            guard !values.isEmpty else { throw failure("'cycle' needs an argument") }
            return values[loop.index0 % values.count]
        default: throw unsupported("'\(call.name)' of values of type \(method.receiver.typeName)")
        }
    }

    private func callMappingMethod(_ call: Call, of mapping: Mapping) throws -> Value {
        guard call.name == "get" else {
            _ = try call.bind([])
            if call.name == "copy" { return .mapping(mapping) }
            return MappingView.Part(rawValue: call.name).map { .view(MappingView(part: $0, mapping: mapping)) } ?? .null
        }
        let arguments = try call.bind(["key", "default"], required: 1, byName: false)
        guard let key = arguments[0] else { return .null }
        return (key.isUndefined ? nil : mapping[try self.key(key).key]) ?? arguments[1] ?? .null
    }

    private func callSequenceMethod(_ call: Call, of elements: [Value]) throws -> Value {
        guard let wanted = try call.bind(["value"], required: 1, byName: false)[0] else { return .null }
        var found = 0
        for (place, element) in elements.enumerated() where try isEqual(element, wanted) {
            if call.name == "index" { return .integer(place) }
            found += 1
        }
        if call.name == "index" { throw failure("the value is not in the list") }
        return .integer(found)
    }
}

/// The names that hide members of mappings, because the types of the language that the templates come from have them.
private struct NativeMethods {
    var supported: Set<String> = []
    var mutating: Set<String> = []
    var refused: Set<String> = []

    static func of(_ value: Value) -> NativeMethods {
        switch value {
        case .string: string
        case .mapping: mapping
        case .list: list
        case .tuple: tuple
        case .bool, .integer: integer
        case .real: real
        case .view: view
        case .range: range
        case .iterator: iterator
        case .macro: macro
        default: NativeMethods()
        }
    }

    static let string = NativeMethods(
        supported: StringMethod.names,
        refused: [
            "encode", "expandtabs", "format", "format_map", "isidentifier", "isprintable", "istitle", "maketrans",
            "translate",
        ])
    static let mapping = NativeMethods(
        supported: ["copy", "get", "items", "keys", "values"],
        mutating: ["clear", "pop", "popitem", "setdefault", "update"], refused: ["fromkeys"])
    static let list = NativeMethods(
        supported: ["copy", "count", "index"],
        mutating: ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"])
    static let tuple = NativeMethods(supported: ["count", "index"])
    static let integer = NativeMethods(refused: [
        "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag", "numerator",
        "real", "to_bytes",
    ])
    static let real = NativeMethods(refused: [
        "as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real",
    ])
    static let view = NativeMethods(refused: ["isdisjoint", "mapping"])
    static let range = NativeMethods(refused: ["count", "index", "start", "step", "stop"])
    static let iterator = NativeMethods(refused: [
        "close", "gi_running", "gi_suspended", "gi_yieldfrom", "send", "throw",
    ])
    static let macro = NativeMethods(refused: [
        "arguments", "caller", "catch_kwargs", "catch_varargs", "explicit_caller", "name",
    ])
}

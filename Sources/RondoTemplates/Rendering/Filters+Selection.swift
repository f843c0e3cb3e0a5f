/// The parts of an attribute such as `"function.name"`; none means the value itself.
struct AttributePath {
    private var parts: [Value]

    init(_ attribute: Value) {
        switch attribute {
        case .null: parts = []
        case .string(let text): parts = Self.parts(text)
        default: parts = [attribute]
        }
    }

    /// Several attributes with commas between them.
    static func several(_ attribute: Value) -> [AttributePath] {
        guard case .string(let text) = attribute else { return [AttributePath(attribute)] }
        return text.split(by: ",", limit: nil).map { AttributePath(.string($0)) }
    }

    private static func parts(_ text: Text) -> [Value] {
        text.split(by: ".", limit: nil).map { part in
            let isIndex = !part.isEmpty && part.scalars.allSatisfy { ("0"..."9").contains($0) }
            return (isIndex ? Int(part.string) : nil).map(Value.integer) ?? .string(part)
        }
    }

    func value(of value: Value, _ renderer: Renderer, default fallback: Value? = nil) throws -> Value {
        try parts.reduce(value) { value, part in
            let found = try renderer.item(part, of: value)
            return found.isUndefined ? fallback ?? found : found
        }
    }
}

extension Renderer {
    func applySelection(_ filter: FilterName, _ value: Value, _ call: Call) throws -> Value {
        try newIterator(
            over: value,
            from: { renderer in
                guard value.isTrue else { return ValueIterator([], depth: 1) }
                return try renderer.selection(filter, renderer.iterate(value), call)
            })
    }

    private func selection(_ filter: FilterName, _ elements: ValueIterator, _ call: Call) throws -> ValueIterator {
        if filter == .map {
            let transform = try mapping(call)
            return ValueIterator(depth: elements.depth) { renderer in
                try elements.next(renderer).map { try transform(renderer, $0) }
            }
        }
        let test = try selection(call, byAttribute: filter == .selectattr || filter == .rejectattr)
        let keeps = filter == .select || filter == .selectattr
        return ValueIterator(depth: elements.depth) { renderer in
            while let element = try elements.next(renderer) {
                if try test(renderer, element) == keeps { return element }
            }
            return nil
        }
    }

    private func mapping(_ call: Call) throws -> (Renderer, Value) throws -> Value {
        var arguments = call.arguments
        guard !arguments.positional.isEmpty else {
            guard arguments.named.contains(where: { $0.name == "attribute" }) else {
                throw failure("'map' needs a filter or an attribute")
            }
            let bound = try call.bind(["attribute", "default"])
            let path = AttributePath(bound[0] ?? .null)
            return { try path.value(of: $1, $0, default: bound[1].unlessNull) }
        }
        let name = arguments.positional.removeFirst()
        return { [arguments] renderer, element in
            guard case .string(let name) = name, let filter = FilterName(rawValue: name.string) else {
                throw renderer.unsupported("the filter '\(try renderer.string(of: name).string)'")
            }
            return try renderer.apply(filter, to: element, arguments)
        }
    }

    private func selection(_ call: Call, byAttribute: Bool) throws -> (Renderer, Value) throws -> Bool {
        var arguments = call.arguments
        var path = AttributePath(.null)
        if byAttribute {
            guard !arguments.positional.isEmpty else { throw failure("'\(call.name)' needs an attribute") }
            path = AttributePath(arguments.positional.removeFirst())
        }
        guard !arguments.positional.isEmpty else { return { [path] in try path.value(of: $1, $0).isTrue } }
        let name = arguments.positional.removeFirst()
        return { [path, arguments] renderer, element in
            guard case .string(let name) = name, let test = TestName(rawValue: name.string) else {
                throw renderer.unsupported("the test '\(try renderer.string(of: name).string)'")
            }
            return try renderer.passes(test, path.value(of: element, renderer), arguments)
        }
    }

    // MARK: Order

    func applyOrder(_ filter: FilterName, _ value: Value, _ call: Call) throws -> Value {
        switch filter {
        case .dictsort: return try sortMapping(value, call)
        case .sort:
            let arguments = try call.bind(["reverse", "case_sensitive", "attribute"])
            let paths = AttributePath.several(arguments[2] ?? .null)
            let isExact = arguments[1]?.isTrue ?? false
            return try sorted(elements(of: value), descending: arguments[0]?.isTrue ?? false) { element in
                try newList(paths.map { try folded($0.value(of: element, self), isExact) })
            }
        default: break
        }
        let arguments = try call.bind(["case_sensitive", "attribute"])
        let path = AttributePath(arguments[1] ?? .null)
        let isExact = arguments[0]?.isTrue ?? false
        if filter == .unique {
            return try newIterator(over: value) { try $0.unique($0.elements(of: value), path, isExact) }
        }
        let elements = try elements(of: value)
        let keys = try elements.map { try folded(path.value(of: $0, self), isExact) }
        guard !elements.isEmpty else { return .undefined(.because("the sequence has no element")) }
        var best = 0
        for place in keys.indices.dropFirst()
        where try holds(filter == .min ? .less : .greater, keys[place], keys[best]) { best = place }
        return elements[best]
    }

    private func sortMapping(_ value: Value, _ call: Call) throws -> Value {
        let arguments = try call.bind(["case_sensitive", "by", "reverse"])
        let by = try call.text(arguments[1]) ?? "key"
        try requireDefined(value)
        guard case .mapping(let mapping) = value else { throw failure("'dictsort' needs a mapping") }
        guard by == "key" || by == "value" else { throw failure("'dictsort' sorts by 'key' or 'value'") }
        let isExact = arguments[0]?.isTrue ?? false
        return try sorted(mapping.pairs, descending: arguments[2]?.isTrue ?? false) { pair in
            try folded(elements(of: pair)[by == "key" ? 0 : 1], isExact)
        }
    }

    /// Strings in lower case, unless case matters.
    private func folded(_ value: Value, _ isExact: Bool) throws -> Value {
        guard case .string(let text) = value, !isExact else { return value }
        return try newString(text.lowercased)
    }

    /// Sorts by keys; equal ones stay in their order, also if the order is descending.
    private func sorted(_ elements: [Value], descending: Bool, _ key: (Value) throws -> Value) throws -> Value {
        let keyed = try elements.map { ($0, try key($0)) }
        let places = try keyed.indices.sorted { a, b in
            let (first, second) = descending ? (keyed[b].1, keyed[a].1) : (keyed[a].1, keyed[b].1)
            if try holds(.less, first, second) { return true }
            return try a < b && !holds(.less, second, first)
        }
        return try newList(places.map { keyed[$0].0 })
    }

    private func unique(_ elements: [Value], _ path: AttributePath, _ isExact: Bool) throws -> [Value] {
        var seen: Set<Key> = []
        var hasSeenUndefined = false
        return try elements.filter { element in
            let key = try folded(path.value(of: element, self), isExact)
            if key.isUndefined {
                defer { hasSeenUndefined = true }
                return !hasSeenUndefined
            }
            return seen.insert(try self.key(key).key).inserted
        }
    }
}

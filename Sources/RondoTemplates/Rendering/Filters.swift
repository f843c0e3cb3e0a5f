extension Renderer {
    func apply(_ filter: FilterName, to value: Value, _ arguments: Arguments<Value>) throws -> Value {
        let call = Call(renderer: self, name: filter.rawValue, arguments: arguments)
        switch filter {
        case .capitalize, .lower, .safe, .string, .title, .upper, .wordcount:
            _ = try call.bind([])
            return try applyToText(filter, string(of: value))
        case .center, .indent, .replace, .trim, .truncate: return try applyTextFilter(filter, value, call)
        case .abs, .float, .int, .round: return try applyNumberFilter(filter, value, call)
        case .map, .reject, .rejectattr, .select, .selectattr: return try applySelection(filter, value, call)
        case .dictsort, .max, .min, .sort, .unique: return try applyOrder(filter, value, call)
        case .attr:
            try requireDefined(value)
            guard let name = try call.text(call.bind(["name"], required: 1)[0]) else { return .null }
            let absence = Absence.attribute(owner: value.ownerName, name: name.string)
            return try nativeAttribute(name, of: value) ?? .undefined(absence)
        case .d, .default:
            let arguments = try call.bind(["default_value", "boolean"])
            let isReplaced = value.isUndefined || (arguments[1]?.isTrue ?? false && !value.isTrue)
            return isReplaced ? arguments[0] ?? .empty : value
        case .join: return try join(value, call)
        case .sum: return try sum(value, call)
        case .tojson: return try newString(json(value, call))
        case .batch, .slice: return try group(filter, value, call)
        case .count, .first, .items, .last, .length, .list, .reverse:
            _ = try call.bind([])
            return try applyToElements(filter, value)
        }
    }

    // MARK: Strings

    private func applyToText(_ filter: FilterName, _ text: Text) throws -> Value {
        try charge(text.count)
        switch filter {
        case .capitalize: return try newString(text.capitalized)
        case .lower: return try newString(text.lowercased)
        case .title: return try newString(text.titlecasedAfterMarks)
        case .upper: return try newString(text.uppercased)
        case .wordcount:
            let isWordPart = text.scalars.map { $0.isAlphanumeric || $0 == "_" }
            let starts = isWordPart.indices.filter { isWordPart[$0] && ($0 == 0 || !isWordPart[$0 - 1]) }
            return .integer(starts.count)
        default: return .string(text)
        }
    }

    private func applyTextFilter(_ filter: FilterName, _ value: Value, _ call: Call) throws -> Value {
        switch filter {
        case .trim:
            let text = try string(of: value)
            try charge(text.count)
            return try newString(text.trimmed(of: call.text(call.bind(["chars"])[0].unlessNull)))
        case .replace:
            let arguments = try call.bind(["old", "new", "count"], required: 2)
            let parts = try arguments[..<2].map { try string(of: $0 ?? .null) }
            let text = try string(of: value)
            try charge(text.count)
            return try replace(text, parts[0], parts[1], limit: call.integer(arguments[2].unlessNull))
        case .center:
            let width = try call.integer(call.bind(["width"])[0]) ?? 80
            return try pad(string(of: value), to: width, with: " ", .center)
        case .indent: return try indent(value, call)
        default: return try truncate(value, call)
        }
    }

    private func indent(_ value: Value, _ call: Call) throws -> Value {
        let arguments = try call.bind(["width", "first", "blank"])
        try requireDefined(value)
        guard let text = try call.text(value) else { return .null }
        var indentation: Text
        if case .string(let given)? = arguments[0] {
            indentation = given
        } else {
            let width = try call.integer(arguments[0]) ?? 4
            try charge(width)
            indentation = Text([Unicode.Scalar](repeating: " ", count: max(width, 0)))
        }
        let indentsBlankLines = arguments[2]?.isTrue ?? false
        let lines = (text + "\n").lines()
        try charge(text.count + lines.count * indentation.count)
        let indented = lines.enumerated().map { place, line in
            let isIndented = place == 0 ? arguments[1]?.isTrue ?? false : indentsBlankLines || !line.isEmpty
            return isIndented ? indentation + line : line
        }
        return .string(Text.joined(indented, by: "\n"))
    }

    private func truncate(_ value: Value, _ call: Call) throws -> Value {
        let arguments = try call.bind(["length", "killwords", "end", "leeway"])
        let length = try call.integer(arguments[0]) ?? 255
        let end = try call.text(arguments[2]) ?? "..."
        let leeway = try call.integer(arguments[3].unlessNull) ?? 5
        guard length >= end.count, leeway >= 0 else { throw failure("'truncate' to less than its end") }
        if let count = self.length(of: value), count <= length || count - length <= leeway { return value }
        guard let text = try call.text(value) else { return .null }
        let kept = Text(text.scalars[..<(length - end.count)])
        if arguments[1]?.isTrue ?? false { return try newString(kept + end) }
        let cut = kept.scalars.lastIndex(of: " ").map { Text(kept.scalars[..<$0]) } ?? kept
        return try newString(cut + end)
    }

    // MARK: Elements

    private func applyToElements(_ filter: FilterName, _ value: Value) throws -> Value {
        switch filter {
        case .count, .length:
            if case .loop = value { throw unsupported("the length of 'loop'; use 'loop.length'") }
            guard let count = length(of: value) else {
                throw failure("a value of type \(value.typeName) has no length")
            }
            return .integer(count)
        case .first:
            let absence = Absence.because("there is no first element; the sequence is empty")
            return try iterate(value).next(self) ?? .undefined(absence)
        case .last:
            if case .iterator = value { throw failure("an iterator has no last element; make it a list first") }
            let absence = Absence.because("there is no last element; the sequence is empty")
            return try elements(of: value).last ?? .undefined(absence)
        case .list: return try newList(elements(of: value))
        case .items:
            return try newIterator(over: value) { renderer in
                if value.isUndefined { return [] }
                guard case .mapping(let mapping) = value else { throw renderer.failure("'items' needs a mapping") }
                return mapping.pairs
            }
        default: return try reverse(value)
        }
    }

    private func reverse(_ value: Value) throws -> Value {
        switch value {
        case .string(let text): return try newString(text.reversed)
        case .iterator: return try newList(elements(of: value).reversed())
        default:
            let reversed = try Array(elements(of: value).reversed())
            return try newIterator(over: value) { _ in reversed }
        }
    }

    private func join(_ value: Value, _ call: Call) throws -> Value {
        let arguments = try call.bind(["d", "attribute"])
        let path = AttributePath(arguments[1] ?? .null)
        let separator = try string(of: arguments[0] ?? .empty)
        return try join(elements(of: value).map { try string(of: path.value(of: $0, self)) }, by: separator)
    }

    private func sum(_ value: Value, _ call: Call) throws -> Value {
        let arguments = try call.bind(["attribute", "start"])
        let path = AttributePath(arguments[0] ?? .null)
        let start = arguments[1] ?? .integer(0)
        if case .string = start { throw failure("'sum' cannot add strings; use 'join'") }
        return try elements(of: value).reduce(start) { try arithmetic(.add, $0, path.value(of: $1, self)) }
    }

    /// Cuts elements into groups of a size (`batch`), or into a number of groups (`slice`).
    private func group(_ filter: FilterName, _ value: Value, _ call: Call) throws -> Value {
        let arguments = try call.bind([filter == .batch ? "linecount" : "slices", "fill_with"], required: 1)
        let fill = arguments[1].unlessNull
        return try newIterator(over: value) { renderer in
            let count = try call.integer(arguments[0]) ?? 1
            let all = try renderer.elements(of: value)
            try renderer.charge(elements: max(count, 0))
            let groups = try filter == .batch ? renderer.batches(all, count, fill) : renderer.slices(all, count, fill)
            return try groups.map { try renderer.newList($0) }
        }
    }

    private func batches(_ all: [Value], _ count: Int, _ fill: Value?) throws -> [[Value]] {
        guard count > 0 else { throw unsupported("'batch' of no elements") }
        var groups = stride(from: 0, to: all.count, by: count).map { Array(all[$0..<min($0 + count, all.count)]) }
        if let fill, let last = groups.popLast() {
            groups.append(last + [Value](repeating: fill, count: count - last.count))
        }
        return groups
    }

    private func slices(_ all: [Value], _ count: Int, _ fill: Value?) throws -> [[Value]] {
        guard count != 0 else { throw failure("division by zero") }
        var start = 0
        return (0..<max(count, 0)).map { place in
            let isLong = place < all.count % count
            let end = start + all.count / count + (isLong ? 1 : 0)
            defer { start = end }
            return all[start..<end] + (isLong ? [] : fill.map { [$0] } ?? [])
        }
    }
}

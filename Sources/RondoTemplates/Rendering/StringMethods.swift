/// The methods of strings that templates may call.
enum StringMethod: String, CaseIterable {
    case capitalize, casefold, center, count, endswith, find, index, isalnum, isalpha, isascii, isdecimal, isdigit
    case islower, isnumeric, isspace, isupper, join, ljust, lower, lstrip, partition, removeprefix, removesuffix
    case replace, rfind, rindex, rjust, rpartition, rsplit, rstrip, split, splitlines, startswith, strip, swapcase
    case title, upper, zfill

    static let names = Set(allCases.map(\.rawValue))
}

extension Renderer {
    func callStringMethod(_ call: Call, of text: Text) throws -> Value {
        guard let method = StringMethod(rawValue: call.name) else { return .null }
        try charge(text.count)
        switch method {
        case .strip, .lstrip, .rstrip:
            let set = try call.text(call.bind(["chars"], byName: false)[0].unlessNull)
            return try newString(text.trimmed(of: set, leading: method != .rstrip, trailing: method != .lstrip))
        case .split, .rsplit: return try split(call, text, fromEnd: method == .rsplit)
        case .splitlines:
            let keepsEnds = try call.bind(["keepends"])[0]?.isTrue ?? false
            return try newList(text.lines(keepingEnds: keepsEnds).map(Value.string))
        case .startswith, .endswith: return .bool(try hasAffix(call, text, atEnd: method == .endswith))
        case .removeprefix, .removesuffix: return try removeAffix(call, text, atEnd: method == .removesuffix)
        case .replace: return try replace(call, text)
        case .join:
            let parts = try elements(of: call.bind(["iterable"], required: 1, byName: false)[0] ?? .null)
            return try join(parts.map { try call.text($0) ?? Text() }, by: text)
        case .find, .rfind, .index, .rindex, .count: return try search(call, text, method)
        case .partition, .rpartition: return try partition(call, text, fromEnd: method == .rpartition)
        case .center, .ljust, .rjust, .zfill: return try pad(call, text, method)
        default:
            _ = try call.bind([])
            return try mapped(text, method)
        }
    }

    func join(_ parts: [Text], by separator: Text) throws -> Value {
        try charge(parts.reduce(0) { $0 + $1.count } + separator.count * max(parts.count - 1, 0))
        return .string(Text.joined(parts, by: separator))
    }

    private func mapped(_ text: Text, _ method: StringMethod) throws -> Value {
        switch method {
        case .upper: try newString(text.uppercased)
        case .lower: try newString(text.lowercased)
        case .title: try newString(text.titlecased)
        case .capitalize: try newString(text.capitalized)
        case .swapcase: try newString(text.caseSwapped)
        case .casefold where text.scalars.allSatisfy(\.isASCII): try newString(text.lowercased)
        case .casefold: throw unsupported("'casefold' of letters that are not ASCII")
        case .isupper: .bool(text.isCased(upper: true))
        case .islower: .bool(text.isCased(upper: false))
        case .isascii: .bool(text.scalars.allSatisfy(\.isASCII))
        default: .bool(!text.isEmpty && text.scalars.allSatisfy { $0.has(method) })
        }
    }

    private func split(_ call: Call, _ text: Text, fromEnd: Bool) throws -> Value {
        let arguments = try call.bind(["sep", "maxsplit"])
        let limit = try call.integer(arguments[1]).flatMap { $0 < 0 ? nil : $0 }
        let separator = try call.text(arguments[0].unlessNull)
        if separator?.isEmpty == true { throw failure("'\(call.name)' needs a separator that is not empty") }
        func pieces(_ text: Text, _ separator: Text?) -> [Text] {
            separator.map { text.split(by: $0, limit: limit) } ?? text.words(limit: limit)
        }
        guard fromEnd else { return try newStrings(pieces(text, separator)) }
        return try newStrings(pieces(text.reversed, separator?.reversed).reversed().map(\.reversed))
    }

    private func newStrings(_ texts: [Text]) throws -> Value { try newList(texts.map(Value.string)) }

    private func hasAffix(_ call: Call, _ text: Text, atEnd: Bool) throws -> Bool {
        let arguments = try call.bind(["affix", "start", "end"], required: 1, byName: false)
        if arguments[1].unlessNull != nil || arguments[2].unlessNull != nil {
            throw unsupported("'\(call.name)' of a part of a string")
        }
        func has(_ affix: Text) -> Bool { text.has(affix, at: atEnd ? text.count - affix.count : 0) }
        if case .tuple(let affixes)? = arguments[0] {
            return try affixes.elements.contains { try call.text($0).map(has) ?? false }
        }
        return try call.text(arguments[0]).map(has) ?? false
    }

    private func removeAffix(_ call: Call, _ text: Text, atEnd: Bool) throws -> Value {
        let affix = try call.text(call.bind(["affix"], required: 1, byName: false)[0]) ?? Text()
        guard text.has(affix, at: atEnd ? text.count - affix.count : 0) else { return .string(text) }
        return .string(Text(atEnd ? text.scalars.dropLast(affix.count) : text.scalars.dropFirst(affix.count)))
    }

    private func replace(_ call: Call, _ text: Text) throws -> Value {
        let arguments = try call.bind(["old", "new", "count"], required: 2, byName: false)
        return try replace(
            text, try call.text(arguments[0]) ?? Text(), try call.text(arguments[1]) ?? Text(),
            limit: call.integer(arguments[2]))
    }

    func replace(_ text: Text, _ old: Text, _ new: Text, limit: Int?) throws -> Value {
        let limit = limit.flatMap { $0 < 0 ? nil : $0 }
        let count = min(text.occurrences(of: old), limit ?? .max)
        let (growth, overflow) = count.multipliedReportingOverflow(by: new.count)
        try charge(overflow ? .max : growth)
        return try newString(text.replacing(old, with: new, limit: limit))
    }

    private func search(_ call: Call, _ text: Text, _ method: StringMethod) throws -> Value {
        let arguments = try call.bind(["sub", "start", "end"], required: 1, byName: false)
        guard let part = try call.text(arguments[0]) else { return .null }
        func clamp(_ bound: Int?, default fallback: Int) -> Int {
            guard let bound else { return fallback }
            return min(max(bound < 0 ? bound + text.count : bound, 0), text.count)
        }
        let rawStart = try call.integer(arguments[1].unlessNull)
        let start = clamp(rawStart, default: 0)
        let end = clamp(try call.integer(arguments[2].unlessNull), default: text.count)
        let window = Text(text.scalars[min(start, end)..<end])
        // Beyond the end not even the empty string is found.
        let isOutside = start > end || (rawStart ?? 0) > text.count
        if method == .count { return .integer(isOutside ? 0 : window.occurrences(of: part)) }
        let isFromEnd = method == .rfind || method == .rindex
        let place = isOutside ? nil : isFromEnd ? window.lastIndex(of: part) : window.firstIndex(of: part)
        if let place { return .integer(place + start) }
        guard method == .find || method == .rfind else { throw failure("the string does not contain the other one") }
        return .integer(-1)
    }

    private func partition(_ call: Call, _ text: Text, fromEnd: Bool) throws -> Value {
        guard let separator = try call.text(call.bind(["sep"], required: 1, byName: false)[0]), !separator.isEmpty
        else { throw failure("'\(call.name)' needs a separator that is not empty") }
        guard let place = fromEnd ? text.lastIndex(of: separator) : text.firstIndex(of: separator) else {
            return try newTuple(fromEnd ? [.empty, .empty, .string(text)] : [.string(text), .empty, .empty])
        }
        let after = Text(text.scalars[(place + separator.count)...])
        return try newTuple([.string(Text(text.scalars[..<place])), .string(separator), .string(after)])
    }

    private func pad(_ call: Call, _ text: Text, _ method: StringMethod) throws -> Value {
        let parameters = method == .zfill ? ["width"] : ["width", "fill"]
        let arguments = try call.bind(parameters, required: 1, byName: false)
        let width = try call.integer(arguments[0]) ?? 0
        let fill = method == .zfill ? Text("0") : try call.text(arguments[1]) ?? Text(" ")
        guard fill.count == 1 else { throw failure("'\(call.name)' needs one character to fill with") }
        return try pad(text, to: width, with: fill.scalars[0], method)
    }

    func pad(_ text: Text, to width: Int, with fill: Unicode.Scalar, _ method: StringMethod) throws -> Value {
        guard width > text.count else { return .string(text) }
        try charge(width)
        let missing = width - text.count
        // Of an odd number the left gets more only if the width is odd too.
        let left =
            switch method {
            case .ljust: 0
            case .center: missing / 2 + (missing & width & 1)
            default: missing
            }
        let padding = [Unicode.Scalar](repeating: fill, count: left)
        if method == .zfill, let sign = text.scalars.first, sign == "-" || sign == "+" {
            return .string(Text([sign] + padding + text.scalars.dropFirst()))
        }
        return .string(Text(padding + text.scalars + [Unicode.Scalar](repeating: fill, count: missing - left)))
    }
}

extension Unicode.Scalar {
    /// Whether a test of whole strings holds for this part of one.
    fileprivate func has(_ method: StringMethod) -> Bool {
        switch method {
        case .isspace: Text.isSpace(self)
        case .isalpha: isLetter
        case .isalnum: isAlphanumeric
        case .isdecimal: properties.numericType == .decimal
        case .isdigit: properties.numericType == .decimal || properties.numericType == .digit
        default: properties.numericType != nil
        }
    }

    var isLetter: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    var isAlphanumeric: Bool { isLetter || properties.numericType != nil }
}

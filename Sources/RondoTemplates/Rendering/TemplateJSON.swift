extension Renderer {
    /// The value as the filter `tojson` of chat templates writes it: like JSON of other programs, but not for HTML.
    func json(_ value: Value, _ call: Call) throws -> Text {
        let arguments = try call.bind(["ensure_ascii", "indent", "separators", "sort_keys"])
        var writer = TemplateJSON(renderer: self)
        writer.escapesNonASCII = arguments[0]?.isTrue ?? false
        writer.sortsKeys = arguments[3]?.isTrue ?? false
        switch arguments[1].unlessNull {
        case nil: break
        case .string(let text)?: writer.indentation = text
        case let width?:
            let count = max(try call.integer(width) ?? 0, 0)
            try charge(count)
            writer.indentation = Text([Unicode.Scalar](repeating: " ", count: count))
        }
        if let separators = arguments[2].unlessNull {
            let pair = try elements(of: separators)
            guard pair.count == 2, let comma = try call.text(pair[0]), let colon = try call.text(pair[1]) else {
                throw failure("'tojson' needs two separators")
            }
            (writer.comma, writer.colon) = (comma, colon)
        } else if writer.indentation != nil {
            writer.comma = ","
        }
        try writer.write(value, level: 0)
        return writer.text
    }
}

private struct TemplateJSON {
    let renderer: Renderer
    var escapesNonASCII = false
    var sortsKeys = false
    var indentation: Text?
    var comma: Text = ", "
    var colon: Text = ": "
    private(set) var text = Text()

    init(renderer: Renderer) { self.renderer = renderer }

    mutating func write(_ value: Value, level: Int) throws {
        try renderer.charge(1)
        switch value {
        case .null: append("null")
        case .bool(let truth): append(truth ? "true" : "false")
        case .integer(let number): append(String(number))
        case .real(let number): append(number.jsonDescription)
        case .string(let string): try writeQuoted(string)
        case .list(let items), .tuple(let items):
            try writeList(items.elements, "[", "]", level: level) { try $0.write($1, level: level + 1) }
        case .mapping(let mapping):
            let members = try self.members(mapping)
            try writeList(members, "{", "}", level: level) { writer, member in
                try writer.writeQuoted(writer.key(member.key))
                writer.text.scalars += writer.colon.scalars
                try writer.write(member.value, level: level + 1)
            }
        default:
            try renderer.requireDefined(value)
            throw renderer.failure("a value of type \(value.typeName) cannot be written as JSON")
        }
    }

    private func members(_ mapping: Mapping) throws -> [(key: Value, value: Value)] {
        let members = Array(zip(mapping.keys, mapping.values)).map { (key: $0, value: $1) }
        guard sortsKeys else { return members }
        return try members.sorted { try renderer.holds(.less, $0.key, $1.key) }
    }

    private func key(_ value: Value) throws -> Text {
        switch value {
        case .string(let text): text
        case .null: "null"
        case .bool(let truth): truth ? "true" : "false"
        case .real(let number): Text(number.jsonDescription)
        default: try renderer.string(of: value)
        }
    }

    private mutating func append(_ string: String) { text.scalars += string.unicodeScalars }

    private mutating func writeList<Element>(
        _ elements: [Element], _ open: String, _ close: String, level: Int,
        _ write: (inout TemplateJSON, Element) throws -> Void
    ) throws {
        append(open)
        for (place, element) in elements.enumerated() {
            if place > 0 { text.scalars += comma.scalars }
            try startLine(level + 1)
            try write(&self, element)
        }
        if !elements.isEmpty { try startLine(level) }
        append(close)
    }

    private mutating func startLine(_ level: Int) throws {
        guard let indentation else { return }
        try renderer.charge(level * indentation.count)
        append("\n")
        for _ in 0..<level { text.scalars += indentation.scalars }
    }

    private mutating func writeQuoted(_ string: Text) throws {
        try renderer.charge(string.count)
        append("\"")
        for scalar in string.scalars {
            switch scalar {
            case "\"": append("\\\"")
            case "\\": append("\\\\")
            case "\n": append("\\n")
            case "\r": append("\\r")
            case "\t": append("\\t")
            case "\u{8}": append("\\b")
            case "\u{C}": append("\\f")
            case _ where scalar.value < 0x20 || (escapesNonASCII && !(0x20...0x7E).contains(scalar.value)):
                for unit in String(scalar).utf16 { writeEscape(unit) }
            default: text.scalars.append(scalar)
            }
        }
        append("\"")
    }

    private mutating func writeEscape(_ unit: UInt16) {
        let digits = String(unit, radix: 16)
        append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
    }
}

extension Double {
    fileprivate var jsonDescription: String {
        if isFinite { return templateDescription }
        return isNaN ? "NaN" : self < 0 ? "-Infinity" : "Infinity"
    }
}

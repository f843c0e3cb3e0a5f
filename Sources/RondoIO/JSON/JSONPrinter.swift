extension JSONValue {
    /// How a document is laid out as text.
    public enum Layout: Sendable {
        /// On one line, without spaces.
        case compact
        /// Indented by two spaces, one member per line, lists of plain values on one line.
        case pretty
    }

    /// Renders the document as JSON text, without a final newline.
    ///
    /// - Parameters:
    ///   - layout: Compact or pretty.
    ///   - sortedKeys: Whether keys are sorted by name rather than in their own order.
    /// - Returns: The text.
    public func text(_ layout: Layout = .compact, sortedKeys: Bool = false) -> String {
        var printer = JSONPrinter(isPretty: layout == .pretty, sortsKeys: sortedKeys)
        printer.write(self, indent: 0)
        return printer.text
    }
}

private struct JSONPrinter {
    let isPretty: Bool
    let sortsKeys: Bool
    private(set) var text = ""

    init(isPretty: Bool, sortsKeys: Bool) {
        self.isPretty = isPretty
        self.sortsKeys = sortsKeys
    }

    mutating func write(_ value: JSONValue, indent: Int) {
        switch value {
        case .null: text += "null"
        case .bool(let truth): text += truth ? "true" : "false"
        case .number(let literal): text += literal
        case .string(let string): writeQuoted(string)
        case .array(let elements):
            let onOneLine = elements.allSatisfy { $0.arrayValue == nil && $0.objectValue == nil }
            writeList(elements, open: "[", close: "]", indent: indent, onOneLine: onOneLine) {
                printer, element, depth in
                printer.write(element, indent: depth)
            }
        case .object(let object):
            let members = sortsKeys ? object.members.sorted { $0.key < $1.key } : object.members
            writeList(members, open: "{", close: "}", indent: indent, onOneLine: false) { printer, member, depth in
                printer.writeQuoted(member.key)
                printer.text += printer.isPretty ? ": " : ":"
                printer.write(member.value, indent: depth)
            }
        }
    }

    private mutating func writeList<Item>(
        _ items: [Item], open: String, close: String, indent: Int, onOneLine: Bool,
        writeItem: (inout JSONPrinter, Item, Int) -> Void
    ) {
        text += open
        for (position, item) in items.enumerated() {
            if position > 0 { text += isPretty && onOneLine ? ", " : "," }
            if isPretty && !onOneLine { startLine(indent + 1) }
            writeItem(&self, item, indent + 1)
        }
        if isPretty && !onOneLine && !items.isEmpty { startLine(indent) }
        text += close
    }

    private mutating func startLine(_ indent: Int) {
        text += "\n" + String(repeating: "  ", count: indent)
    }

    private mutating func writeQuoted(_ string: String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

import Glibc

extension Renderer {
    /// The value as printed: strings as they are, everything else as the language of the templates writes it.
    func string(of value: Value) throws -> Text {
        switch value {
        case .string(let text): return text
        case .undefined: return Text()
        default: return try representation(of: value)
        }
    }

    /// The value as it is written inside of lists: strings with quotes.
    func representation(of value: Value) throws -> Text {
        var printer = Printer(renderer: self)
        try printer.write(value)
        return printer.text
    }
}

private struct Printer {
    let renderer: Renderer
    var text = Text()

    mutating func write(_ value: Value) throws {
        try renderer.charge(1)
        switch value {
        case .undefined: append("Undefined")
        case .null: append("None")
        case .bool(let truth): append(truth ? "True" : "False")
        case .integer(let number): append(String(number))
        case .real(let number): append(number.templateDescription)
        case .string(let string): try writeQuoted(string)
        case .list(let items): try writeList(items.elements, "[", "]")
        case .tuple(let items): try writeList(items.elements, "(", items.elements.count == 1 ? ",)" : ")")
        case .mapping(let mapping): try writeMapping(mapping)
        case .view(let view):
            append("dict_\(view.part)(")
            try writeList(view.elements, "[", "]")
            append(")")
        case .range(let range): try writeRange(range)
        case .iterator, .namespace, .macro, .loop, .method, .function:
            throw renderer.unsupported("printing a value of type \(value.typeName)")
        }
    }

    private mutating func append(_ string: String) { text.scalars += string.unicodeScalars }

    private mutating func writeList(_ elements: [Value], _ open: String, _ close: String) throws {
        append(open)
        for (position, element) in elements.enumerated() {
            if position > 0 { append(", ") }
            try write(element)
        }
        append(close)
    }

    private mutating func writeMapping(_ mapping: Mapping) throws {
        append("{")
        for position in 0..<mapping.count {
            if position > 0 { append(", ") }
            try write(mapping.keys[position])
            append(": ")
            try write(mapping.values[position])
        }
        append("}")
    }

    private mutating func writeRange(_ range: RangeValue) throws {
        append("range(\(range.start), \(range.stop)\(range.step == 1 ? "" : ", \(range.step)"))")
    }

    private mutating func writeQuoted(_ string: Text) throws {
        try renderer.charge(string.count)
        let quote: Unicode.Scalar = string.scalars.contains("'") && !string.scalars.contains("\"") ? "\"" : "'"
        text.scalars.append(quote)
        for scalar in string.scalars {
            switch scalar {
            case quote, "\\": text.scalars += ["\\", scalar]
            case "\n": append("\\n")
            case "\r": append("\\r")
            case "\t": append("\\t")
            case _ where scalar.isPrintable: text.scalars.append(scalar)
            default: append(scalar.hexEscape)
            }
        }
        text.scalars.append(quote)
    }
}

extension Unicode.Scalar {
    fileprivate var isPrintable: Bool {
        if isASCII { return (0x20...0x7E).contains(value) }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    fileprivate var hexEscape: String {
        let digits = String(value, radix: 16)
        let (mark, length) = value < 0x100 ? ("x", 2) : value < 0x10000 ? ("u", 4) : ("U", 8)
        return "\\" + mark + String(repeating: "0", count: length - digits.count) + digits
    }
}

extension Double {
    /// The shortest digits that mean this number, with an exponent below 1e-4 and from 1e16 on.
    var templateDescription: String {
        guard isFinite else { return isNaN ? "nan" : self < 0 ? "-inf" : "inf" }
        let written = magnitude.description.split(separator: "e")
        let mantissa = written[0].split(separator: ".")
        let fraction = mantissa.count > 1 && mantissa[1] != "0" ? String(mantissa[1]) : ""
        let all = String(mantissa[0]) + fraction
        let leadingZeros = all.prefix { $0 == "0" }.count
        let sign = self.sign == .minus ? "-" : ""
        guard leadingZeros < all.count else { return sign + "0.0" }
        // The value is 0.d₁d₂… times ten to the power of `point`.
        let shift = written.count > 1 ? Int(written[1]) ?? 0 : 0
        let point = mantissa[0].count - leadingZeros + shift
        var digits = String(all.dropFirst(leadingZeros))
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        return sign + Self.layOut(digits, point: point)
    }

    private static func layOut(_ digits: String, point: Int) -> String {
        guard (-3...16).contains(point) else {
            let exponent = abs(point - 1)
            let tail = digits.count > 1 ? "." + digits.dropFirst() : ""
            let mark = point - 1 < 0 ? "e-" : "e+"
            return digits.prefix(1) + tail + mark + (exponent < 10 ? "0" : "") + String(exponent)
        }
        if point <= 0 { return "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point { return digits + String(repeating: "0", count: point - digits.count) + ".0" }
        return digits.prefix(point) + "." + digits.dropFirst(point)
    }

    /// Rounded to decimal places as its exact value demands, ties to even.
    func rounded(toPlaces places: Int) -> Double {
        guard isFinite, places < 320 else { return self }
        var buffer = [CChar](repeating: 0, count: 720)
        let count = withVaList([CInt(places), self]) { vsnprintf(&buffer, buffer.count, "%.*f", $0) }
        let digits = buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }
        return Double(String(decoding: digits, as: UTF8.self)) ?? self
    }
}

import Glibc

extension Renderer {
    func applyNumberFilter(_ filter: FilterName, _ value: Value, _ call: Call) throws -> Value {
        switch filter {
        case .abs:
            _ = try call.bind([])
            if case .real(let number) = value { return .real(number.magnitude) }
            guard let number = value.asInteger else { throw noNumber(value, call) }
            return number < 0 ? try arithmetic(.subtract, .integer(0), .integer(number)) : .integer(number)
        case .float:
            let fallback = try call.bind(["default"])[0] ?? .real(0)
            try requireDefined(value)
            return try real(value).map(Value.real) ?? fallback
        case .int: return try integer(value, call)
        default: return try round(value, call)
        }
    }

    private func noNumber(_ value: Value, _ call: Call) -> any Error {
        failure("'\(call.name)' needs a number, not a value of type \(value.typeName)")
    }

    private func real(_ value: Value) throws -> Double? {
        guard case .string(let text) = value else { return value.asReal }
        try charge(text.count)
        return Double(templateNumber: text.trimmed().withASCIIDigits)
    }

    private func integer(_ value: Value, _ call: Call) throws -> Value {
        let arguments = try call.bind(["default", "base"])
        guard try call.integer(arguments[1]) ?? 10 == 10 else { throw unsupported("'int' with another base than 10") }
        try requireDefined(value)
        if let number = value.asInteger { return .integer(number) }
        if case .string(let text) = value, let digits = text.trimmed().withASCIIDigits.templateDigits {
            guard let number = Int(digits) else { throw unsupported("integers of more than 64 bits") }
            return .integer(number)
        }
        guard let number = try real(value) else { return arguments[0] ?? .integer(0) }
        if number.isInfinite, case .real = value { throw failure("an infinite number is no integer") }
        guard number.isFinite else { return arguments[0] ?? .integer(0) }
        guard let whole = Int(exactly: number.rounded(.towardZero)) else {
            throw unsupported("integers of more than 64 bits")
        }
        return .integer(whole)
    }

    private func round(_ value: Value, _ call: Call) throws -> Value {
        let arguments = try call.bind(["precision", "method"])
        let places = try call.integer(arguments[0]) ?? 0
        let method = try call.text(arguments[1]) ?? "common"
        guard let number = value.asReal else { throw noNumber(value, call) }
        guard places >= 0, places <= 300 else { throw unsupported("'round' to other than 0 to 300 places") }
        switch method {
        case "common":
            if let whole = value.asInteger { return .integer(whole) }
            return .real(number.rounded(toPlaces: places))
        case "ceil", "floor":
            let scale = pow(10, Double(places))
            let scaled = number * scale
            guard scaled.isFinite else { throw failure("'round' of a number that is too large") }
            // The whole number loses its sign of zero on its way.
            return .real((method == "ceil" ? ceil(scaled) : floor(scaled)) / scale + 0)
        default: throw failure("'round' has the methods 'common', 'ceil' and 'floor'")
        }
    }
}

extension Text {
    /// With the digits of all scripts in those of ASCII.
    fileprivate var withASCIIDigits: String {
        let digits = scalars.map { scalar -> Unicode.Scalar in
            guard !scalar.isASCII, scalar.properties.numericType == .decimal,
                let value = scalar.properties.numericValue.flatMap(UInt8.init(exactly:))
            else { return scalar }
            return Unicode.Scalar(0x30 + value)
        }
        return Text(digits).string
    }
}

extension String {
    /// The digits and sign, if this is an integer as the template language writes it.
    fileprivate var templateDigits: String? {
        let sign = hasPrefix("-") || hasPrefix("+") ? 1 : 0
        let digits = dropFirst(sign)
        guard digits.hasDigitsWithGaps else { return nil }
        return prefix(sign) + digits.filter { $0 != "_" }
    }
}

extension Substring {
    /// Whether these are digits with at most one underscore between two of them.
    fileprivate var hasDigitsWithGaps: Bool {
        !isEmpty
            && split(separator: "_", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) }
            }
    }
}

extension Double {
    /// Reads a decimal number as the template language does; Swift would also take hexadecimal ones.
    fileprivate init?(templateNumber text: String) {
        let sign = text.hasPrefix("-") || text.hasPrefix("+") ? 1 : 0
        let body = text.dropFirst(sign).lowercased()
        let magnitude: Double?
        switch body {
        case "inf", "infinity": magnitude = .infinity
        case "nan": magnitude = .nan
        default:
            let parts = body.split(separator: "e", maxSplits: 1, omittingEmptySubsequences: false)
            guard let mantissa = parts.first, mantissa.isDecimal, parts.count == 1 || parts[1].isExponent else {
                return nil
            }
            let plain = body.filter { $0 != "_" }
            let padded = (plain.hasPrefix(".") ? "0" : "") + plain.replacing(".e", with: ".0e")
            magnitude = Double(padded.hasSuffix(".") ? padded + "0" : padded)
        }
        guard let magnitude else { return nil }
        self = text.hasPrefix("-") ? -magnitude : magnitude
    }
}

extension Substring {
    fileprivate var isDecimal: Bool {
        let parts = split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.allSatisfy { $0.isEmpty || $0.hasDigitsWithGaps } && parts.contains { !$0.isEmpty }
    }

    fileprivate var isExponent: Bool {
        (hasPrefix("-") || hasPrefix("+") ? dropFirst() : self).hasDigitsWithGaps
    }
}

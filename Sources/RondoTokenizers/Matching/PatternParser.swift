import RondoTensor

/// Reads patterns in the syntax of Oniguruma, as far as tokenizers use it, and refuses the rest by name.
struct PatternParser {
    private static let maximumDepth = 100
    /// The largest number of repetitions that is written out.
    private static let maximumRepetition = 1000

    private let pattern: [Unicode.Scalar]
    private let text: String
    private var index = 0
    private var depth = 0
    private var ignoresCase = false

    /// Parses a pattern.
    ///
    /// - Throws: `RondoError` with code `unavailable` for syntax that is not supported, `corruptFile` for what is no
    ///   pattern.
    static func parse(_ pattern: String) throws -> PatternNode {
        var parser = PatternParser(pattern)
        let node = try parser.parseAlternatives()
        guard parser.peek == nil else { throw parser.failure("')' without '('") }
        return node
    }

    private init(_ pattern: String) {
        text = pattern
        self.pattern = Array(pattern.unicodeScalars)
    }

    // MARK: Structure

    private mutating func parseAlternatives() throws -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.maximumDepth else { throw failure("groups are nested too deep") }
        var alternatives = [try parseSequence()]
        while take("|") { alternatives.append(try parseSequence()) }
        return alternatives.count == 1 ? alternatives[0] : .alternatives(alternatives)
    }

    private mutating func parseSequence() throws -> PatternNode {
        var nodes: [PatternNode] = []
        while let next = peek, next != "|", next != ")" {
            if let group = try parseOptionsForRest() {
                nodes.append(group)
                continue
            }
            nodes.append(try parseQuantifiers(of: parseAtom()))
        }
        return nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .sequence(nodes)
    }

    /// `(?i)` without a colon holds to the end of the enclosing group.
    private mutating func parseOptionsForRest() throws -> PatternNode? {
        for (spelling, value) in [("(?i)", true), ("(?-i)", false)] where take(all: spelling) {
            let saved = ignoresCase
            ignoresCase = value
            defer { ignoresCase = saved }
            return try parseAlternatives()
        }
        return nil
    }

    private mutating func parseAtom() throws -> PatternNode {
        let start = index
        guard let scalar = next() else { return .empty }
        switch scalar {
        case "(": return try parseGroup()
        case "[": return .set(try parseClass())
        case ".": return .set(ScalarSet([.range(0x0A...0x0A)], isNegated: true))
        case "^": return .place(.lineStart)
        case "$": return .place(.lineEnd)
        case "\\": return try parseEscape()
        case "*", "+", "?": throw failure("'\(scalar)' repeats nothing", at: start)
        default: return literal(scalar.value)
        }
    }

    private func literal(_ value: UInt32) -> PatternNode {
        .set(ScalarSet([.range(value...value)], ignoresCase: ignoresCase))
    }

    private mutating func parseGroup() throws -> PatternNode {
        let start = index - 1
        guard take("?") else {
            // What a group captures is never asked for.
            return try closed(parseAlternatives())
        }
        for (spelling, ahead, negative) in [
            ("=", true, false), ("!", true, true), ("<=", false, false), ("<!", false, true),
        ] where take(all: spelling) {
            let inner = try closed(parseAlternatives())
            guard ahead || inner.fixedLength != nil else {
                throw unsupported("a look-behind of varying length", at: start)
            }
            return .look(inner, isAhead: ahead, isNegative: negative)
        }
        if take(":") { return try closed(parseAlternatives()) }
        if take(">") { return .atomic(try closed(parseAlternatives())) }
        let saved = ignoresCase
        defer { ignoresCase = saved }
        if take(all: "i:") {
            ignoresCase = true
        } else if take(all: "-i:") {
            ignoresCase = false
        } else {
            let spelling = String(String.UnicodeScalarView(pattern[start..<min(start + 4, pattern.count)]))
            throw unsupported("the group '\(spelling)'", at: start)
        }
        return try closed(parseAlternatives())
    }

    private mutating func closed(_ node: PatternNode) throws -> PatternNode {
        guard take(")") else { throw failure("'(' without ')'") }
        return node
    }

    // MARK: Repetition

    private mutating func parseQuantifiers(of atom: PatternNode) throws -> PatternNode {
        var node = atom
        while let bounds = try parseBounds() {
            if case .place = node { throw unsupported("a repeated anchor") }
            if case .look = node { throw unsupported("a repeated look-around") }
            guard !(bounds.maximum == .max && node.isNullable) else {
                throw unsupported("the unlimited repetition of what can match nothing")
            }
            var greed = PatternNode.Greed.greedy
            if take("?") {
                greed = .lazy
            } else if !bounds.isInterval, take("+") {
                // After {n,m}, a '+' is a repetition of its own in Oniguruma.
                greed = .possessive
            }
            node = .repetition(node, minimum: bounds.minimum, maximum: bounds.maximum, greed)
        }
        return node
    }

    private mutating func parseBounds() throws -> (minimum: Int, maximum: Int, isInterval: Bool)? {
        if take("*") { return (0, .max, false) }
        if take("+") { return (1, .max, false) }
        if take("?") { return (0, 1, false) }
        let start = index
        guard take("{") else { return nil }
        let minimum = parseNumber()
        var maximum = minimum
        if take(",") {
            maximum = parseNumber() ?? (minimum == nil ? nil : .max)
        }
        guard take("}"), let maximum else {
            // Not an interval: the brace stands for itself.
            index = start
            return nil
        }
        let least = minimum ?? 0
        guard least <= maximum else { throw unsupported("an interval that counts down", at: start) }
        let largest = maximum == .max ? least : maximum
        guard largest <= Self.maximumRepetition else {
            throw unsupported("more than \(Self.maximumRepetition) repetitions", at: start)
        }
        return (least, maximum, true)
    }

    private mutating func parseNumber() -> Int? {
        var value: Int?
        while let digit = peek.flatMap({ Self.digit($0, radix: 10) }) {
            value = min(100_000, (value ?? 0) * 10 + digit)
            index += 1
        }
        return value
    }

    // MARK: Characters

    private mutating func parseEscape() throws -> PatternNode {
        let start = index - 1
        guard let scalar = peek else { throw failure("the pattern ends after '\\'") }
        let places: [Unicode.Scalar: PatternNode.Place] = [
            "A": .textStart, "z": .textEnd, "Z": .textEndOrFinalNewline, "b": .wordBoundary, "B": .noWordBoundary,
        ]
        if let place = places[scalar] {
            index += 1
            return .place(place)
        }
        switch try parseClassMember(escapedAt: start) {
        case .range(let range) where range.count == 1: return literal(range.lowerBound)
        case let member: return .set(ScalarSet([member], ignoresCase: ignoresCase))
        }
    }

    /// What an escape stands for that may also be in a class; the backslash has been taken.
    private mutating func parseClassMember(escapedAt start: Int) throws -> ScalarSet.Member {
        guard let scalar = next() else { throw failure("the pattern ends after '\\'") }
        switch scalar {
        case "s": return .whitespace
        case "S": return .set(ScalarSet([.whitespace], isNegated: true))
        case "w": return .word
        case "W": return .set(ScalarSet([.word], isNegated: true))
        case "d", "D":
            guard let digits = ScalarSet.property("Nd") else { throw failure("no digits") }
            return .set(scalar == "d" ? digits : ScalarSet([.set(digits)], isNegated: true))
        case "h", "H":
            return .set(
                ScalarSet([.range(0x30...0x39), .range(0x41...0x46), .range(0x61...0x66)], isNegated: scalar == "H"))
        case "p", "P": return .set(try parseProperty(isNegated: scalar == "P", at: start))
        default: return .range(try single(escape: scalar, at: start))
        }
    }

    private mutating func single(escape scalar: Unicode.Scalar, at start: Int) throws -> ClosedRange<UInt32> {
        let controls: [Unicode.Scalar: UInt32] = ["n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "a": 7, "e": 27]
        if let value = controls[scalar] { return value...value }
        if scalar == "x" || scalar == "u" { return try parseHexadecimal(isShort: scalar == "x", at: start) }
        guard !scalar.properties.isAlphabetic, Self.digit(scalar, radix: 10) == nil else {
            throw unsupported("'\\\(scalar)'", at: start)
        }
        return scalar.value...scalar.value
    }

    private mutating func parseHexadecimal(isShort: Bool, at start: Int) throws -> ClosedRange<UInt32> {
        let isBraced = isShort && take("{")
        var value: UInt32 = 0
        var count = 0
        while count < (isBraced ? 8 : isShort ? 2 : 4), let digit = peek.flatMap({ Self.digit($0, radix: 16) }) {
            value = value << 4 | UInt32(digit)
            count += 1
            index += 1
        }
        guard count > 0, !isBraced || take("}"), Unicode.Scalar(value) != nil else {
            throw failure("no character has this number", at: start)
        }
        return value...value
    }

    private mutating func parseProperty(isNegated: Bool, at start: Int) throws -> ScalarSet {
        guard take("{") else { throw unsupported("'\\p' without braces", at: start) }
        let isInverse = take("^") != isNegated
        var name = ""
        while let scalar = next(), scalar != "}" { name.unicodeScalars.append(scalar) }
        guard let set = ScalarSet.property(name) else { throw unsupported("the property '\(name)'", at: start) }
        return isInverse ? ScalarSet([.set(set)], isNegated: true) : set
    }

    /// A class; the bracket has been taken.
    private mutating func parseClass() throws -> ScalarSet {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.maximumDepth else { throw failure("classes are nested too deep") }
        let isNegated = take("^")
        var sets: [[ScalarSet.Member]] = [[]]
        var isFirst = true
        while true {
            let start = index
            if !isFirst, take("]") { break }
            if take(all: "&&") {
                sets.append([])
                continue
            }
            isFirst = false
            guard let scalar = next() else { throw failure("'[' without ']'") }
            guard !(scalar == "[" && peek == ":") else { throw unsupported("a POSIX class", at: start) }
            sets[sets.count - 1].append(try parseMember(scalar, at: start))
        }
        let intersections = sets.dropFirst().map { ScalarSet($0, ignoresCase: ignoresCase) }
        return ScalarSet(sets[0], intersections: Array(intersections), isNegated: isNegated, ignoresCase: ignoresCase)
    }

    private mutating func parseMember(_ scalar: Unicode.Scalar, at start: Int) throws -> ScalarSet.Member {
        if scalar == "[" { return .set(try parseClass()) }
        let member =
            scalar == "\\" ? try parseClassMember(escapedAt: start) : .range(scalar.value...scalar.value)
        guard case .range(let first) = member, peek == "-", index + 1 < pattern.count, pattern[index + 1] != "]" else {
            return member
        }
        index += 1
        guard var upper = next() else { throw failure("'[' without ']'") }
        if upper == "\\" {
            let escape = index - 1
            guard let escaped = next() else { throw failure("the pattern ends after '\\'") }
            let range = try single(escape: escaped, at: escape)
            guard let value = Unicode.Scalar(range.lowerBound) else { throw failure("no character", at: escape) }
            upper = value
        }
        guard first.lowerBound <= upper.value else { throw failure("a range that counts down", at: start) }
        return .range(first.lowerBound...upper.value)
    }

    // MARK: Reading

    private var peek: Unicode.Scalar? { index < pattern.count ? pattern[index] : nil }

    private mutating func next() -> Unicode.Scalar? {
        guard index < pattern.count else { return nil }
        defer { index += 1 }
        return pattern[index]
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        index += 1
        return true
    }

    private mutating func take(all spelling: String) -> Bool {
        guard pattern[index...].starts(with: spelling.unicodeScalars) else { return false }
        index += spelling.unicodeScalars.count
        return true
    }

    private static func digit(_ scalar: Unicode.Scalar, radix: Int) -> Int? {
        scalar.isASCII ? Character(scalar).hexDigitValue.flatMap { $0 < radix ? $0 : nil } : nil
    }

    private func failure(_ reason: String, at position: Int? = nil) -> RondoError {
        RondoError(.corruptFile, "pattern '\(text)', character \((position ?? index) + 1): \(reason)")
    }

    private func unsupported(_ what: String, at position: Int? = nil) -> RondoError {
        RondoError(
            .unavailable, "pattern '\(text)', character \((position ?? index) + 1): \(what) is not supported")
    }
}

import RondoTensor

/// Runs one template once.
///
/// Work is counted in units of about one visited node, scalar or element, so that no template can run or grow without
/// end; see ``ChatTemplate/Limits``.
final class Renderer {
    enum Flow {
        case next
        case breakLoop
        case continueLoop
    }

    /// How deep macros, blocks and expressions may call each other; fits a stack of one megabyte.
    private static let maximumDepth = 250
    /// The work that an element of a list counts for; it takes more memory than a character.
    private static let elementCost = 16
    /// How deep containers may be nested.
    static let maximumValueDepth = 100

    let name: String
    let now: WallClock
    /// The line of the statement or expression at work.
    var line = 1
    private let limits: ChatTemplate.Limits
    private var workLeft: Int
    private var depth = 0
    private var output: [Unicode.Scalar] = []
    /// What can refer to itself, kept to be taken apart at the end.
    private var macros: [Macro] = []
    private var namespaces: [Namespace] = []

    init(name: String, limits: ChatTemplate.Limits, now: WallClock) {
        self.name = name
        self.limits = limits
        self.now = now
        workLeft = limits.work
    }

    func render(_ body: [Statement], variables: [String: Value]) throws -> Text {
        defer { release() }
        let scope = Scope(parent: nil)
        scope.variables = variables
        _ = try run(body, scope)
        return Text(output)
    }

    private func release() {
        for macro in macros { macro.scope = nil }
        for namespace in namespaces { namespace.attributes = [:] }
    }

    // MARK: Limits and errors

    func charge(_ amount: Int) throws {
        let (left, overflow) = workLeft.subtractingReportingOverflow(max(amount, 0))
        guard !overflow, left >= 0 else {
            throw RondoError(
                .outOfRange,
                "\(name), line \(line): the template needs more than \(limits.work) units of work; "
                    + "it may run without end, or the limit is too low for this conversation")
        }
        workLeft = left
    }

    func charge(elements count: Int) throws {
        let (amount, overflow) = count.multipliedReportingOverflow(by: Self.elementCost)
        try charge(overflow ? .max : amount)
    }

    /// Runs a part one level deeper.
    func nested<Result>(_ body: () throws -> Result) throws -> Result {
        guard depth < Self.maximumDepth else { throw tooDeep() }
        depth += 1
        defer { depth -= 1 }
        return try body()
    }

    private func tooDeep() -> RondoError {
        RondoError(
            .outOfRange, "\(name), line \(line): calls and blocks are nested more than \(Self.maximumDepth) deep")
    }

    func failure(_ reason: String) -> RondoError {
        RondoError(.invalidArgument, "\(name), line \(line): \(reason)")
    }

    func unsupported(_ what: String) -> RondoError {
        RondoError(.unavailable, "\(name): not supported: \(what) at line \(line)")
    }

    // MARK: New values

    func newString(_ text: Text) throws -> Value {
        try charge(text.count)
        return .string(text)
    }

    func newList(_ elements: [Value]) throws -> Value { .list(try newItems(elements)) }

    func newTuple(_ elements: [Value]) throws -> Value { .tuple(try newItems(elements)) }

    /// Elements cost more than scalars because they take more memory.
    private func newItems(_ elements: [Value]) throws -> Items {
        try charge(elements: elements.count)
        let items = Items(elements)
        try check(depth: items.depth)
        return items
    }

    func newMapping(_ pairs: [(Value, Value)]) throws -> Mapping {
        try charge(elements: 2 * pairs.count)
        let mapping = Mapping()
        for (key, value) in pairs { mapping.set(try self.key(key), value) }
        try check(depth: mapping.depth)
        return mapping
    }

    /// An iterator over what is made from a value; made when the first element is asked for, as errors are then too.
    func newIterator(
        over value: Value, from source: @escaping (Renderer) throws -> ValueIterator
    ) throws -> Value {
        try charge(elements: 1)
        var elements: ValueIterator?
        let iterator = ValueIterator(depth: value.depth + 1) { renderer in
            let current = try elements ?? source(renderer)
            elements = current
            return try renderer.nested { try current.next(renderer) }
        }
        try check(depth: iterator.depth)
        return .iterator(iterator)
    }

    func newIterator(over value: Value, _ elements: @escaping (Renderer) throws -> [Value]) throws -> Value {
        try newIterator(over: value, from: { ValueIterator(try elements($0), depth: value.depth) })
    }

    func newMethod(_ receiver: Value, _ name: String) throws -> Value {
        let method = BoundMethod(receiver, name)
        try check(depth: method.depth)
        return .method(method)
    }

    func newNamespace() throws -> Namespace {
        try charge(elements: 1)
        let namespace = Namespace()
        namespaces.append(namespace)
        return namespace
    }

    private func check(depth: Int) throws {
        guard depth <= Self.maximumValueDepth else {
            throw failure("values are nested more than \(Self.maximumValueDepth) deep")
        }
    }

    func key(_ value: Value) throws -> WrittenKey {
        guard let key = WrittenKey(value) else { throw unsupported("keys of type \(value.typeName)") }
        return key
    }

    // MARK: Statements

    /// What a part of the template writes, rather than to the output.
    func capture(_ body: () throws -> Flow) throws -> (Flow, Text) {
        let outer = output
        output = []
        defer { output = outer }
        let flow = try body()
        return (flow, Text(output))
    }

    private func write(_ text: Text) throws {
        try charge(text.count)
        output += text.scalars
        guard output.count <= limits.output else {
            throw RondoError(
                .outOfRange, "\(name), line \(line): the text has more than \(limits.output) characters")
        }
    }

    /// Writes what a filter or call block gives; Jinja takes nothing but strings there.
    private func writeString(_ value: Value) throws {
        guard case .string(let text) = value else {
            throw failure("the block gives a value of type \(value.typeName), not a string")
        }
        try write(text)
    }

    func run(_ body: [Statement], _ scope: Scope) throws -> Flow {
        for statement in body {
            let flow = try run(statement, scope)
            if flow != .next { return flow }
        }
        return .next
    }

    private func run(_ statement: Statement, _ scope: Scope) throws -> Flow {
        try charge(1)
        line = statement.line
        switch statement.kind {
        case .text(let text): try write(text)
        case .output(let expression): try write(string(of: evaluate(expression, scope)))
        case .assign(let target, let expression): try assign(evaluate(expression, scope), to: target, scope)
        case .macro(let definition): scope.variables[definition.name] = try newMacro(definition, scope)
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        default: return try nested { try runBlock(statement, scope) }
        }
        return .next
    }

    private func runBlock(_ statement: Statement, _ scope: Scope) throws -> Flow {
        switch statement.kind {
        case .condition(let branches, let otherwise):
            for (test, body) in branches where try evaluate(test, scope).isTrue { return try run(body, scope) }
            return try run(otherwise, scope)
        case .loop(let loop): return try run(loop, scope)
        case .capture(let target, let filters, let body):
            let inner = Scope(parent: scope)
            let (flow, text) = try capture { try run(body, inner) }
            guard flow == .next else { return flow }
            try assign(try apply(filters, to: newString(text), inner), to: target, scope)
        case .filter(let filters, let body):
            let inner = Scope(parent: scope)
            let (flow, text) = try capture { try run(body, inner) }
            guard flow == .next else { return flow }
            try writeString(apply(filters, to: newString(text), inner))
        case .with(let assignments, let body):
            let inner = Scope(parent: scope)
            let values = try assignments.map { try evaluate($0.value, scope) }
            for (assignment, value) in zip(assignments, values) { try assign(value, to: assignment.target, inner) }
            return try run(body, inner)
        case .generation(let body): return try run(body, Scope(parent: scope))
        case .call(let callee, let arguments, let caller):
            var values = try evaluate(arguments, scope)
            values.named.append(("caller", try newMacro(caller, scope)))
            try writeString(call(evaluate(callee, scope), values))
        default: break
        }
        return .next
    }

    private func newMacro(_ definition: MacroDefinition, _ scope: Scope) throws -> Value {
        try charge(elements: 1)
        let macro = Macro(definition, scope: scope)
        macros.append(macro)
        return .macro(macro)
    }

    func apply(_ filters: [FilterCall], to value: Value, _ scope: Scope) throws -> Value {
        try filters.reduce(value) { try apply($1, to: $0, scope) }
    }

    // MARK: Loops

    private func run(_ statement: ForLoop, _ scope: Scope) throws -> Flow {
        let source = try evaluate(statement.source, scope)
        var elements = try iterate(source)
        if let test = statement.test {
            let all = elements
            elements = ValueIterator(depth: all.depth + 1) { renderer in
                while let element = try all.next(renderer) {
                    let inner = Scope(parent: scope)
                    try renderer.assign(element, to: statement.target, inner)
                    if try renderer.evaluate(test, inner).isTrue { return element }
                }
                return nil
            }
        }
        let loop = Loop(elements, length: statement.test == nil ? length(of: source) : nil)
        try check(depth: loop.depth)
        // As in Jinja, a pass that `break` or `continue` cuts short does not count for `else`.
        var hasPassed = false
        while try loop.advance(self), let element = loop.current {
            let inner = Scope(parent: scope)
            inner.variables["loop"] = .loop(loop)
            try assign(element, to: statement.target, inner)
            let flow = try run(statement.body, inner)
            if flow == .breakLoop { break }
            if flow == .next { hasPassed = true }
        }
        return hasPassed ? .next : try run(statement.otherwise, Scope(parent: scope))
    }

    func assign(_ value: Value, to target: Target, _ scope: Scope) throws {
        switch target {
        case .name(let name): scope.variables[name] = value
        case .attribute(let owner, let name):
            guard case .namespace(let namespace)? = scope.value(owner) else {
                throw failure("only attributes of namespaces can be set; '\(owner)' is none")
            }
            namespace.attributes[try checkedAttribute(name)] = value
        case .tuple(let targets):
            let values = try elements(of: value)
            guard values.count == targets.count else {
                throw failure("\(values.count) values for \(targets.count) names")
            }
            for (target, value) in zip(targets, values) { try assign(value, to: target, scope) }
        }
    }

    func checkedAttribute(_ name: Text) throws -> Text {
        if name.scalars.first == "_" { throw failure("attributes of namespaces must not begin with '_'") }
        return name
    }
}

/// The state of a loop: what templates read as `loop`.
final class Loop {
    private(set) var index0 = -1
    private(set) var current: Value?
    private(set) var previous: Value?
    private var upcoming: Value?
    private var elements: ValueIterator
    private var length: Int?
    private var lastChecked: Value?
    let depth: Int

    init(_ elements: ValueIterator, length: Int?) {
        self.elements = elements
        self.length = length
        depth = elements.depth + 1
    }

    func advance(_ renderer: Renderer) throws -> Bool {
        let next = try peek(renderer)
        upcoming = nil
        guard let next else { return false }
        index0 += 1
        previous = current
        current = next
        return true
    }

    private func peek(_ renderer: Renderer) throws -> Value? {
        if upcoming == nil { upcoming = try elements.next(renderer) }
        return upcoming
    }

    /// The number of elements; reads on to the end if it must.
    private func length(_ renderer: Renderer) throws -> Int {
        if let length { return length }
        var rest: [Value] = []
        while let element = try elements.next(renderer) { rest.append(element) }
        try renderer.charge(elements: rest.count)
        let total = rest.count + index0 + 1 + (upcoming == nil ? 0 : 1)
        elements = ValueIterator(rest, depth: elements.depth)
        length = total
        return total
    }

    /// The attribute with this name, or `nil`.
    func attribute(_ name: String, _ renderer: Renderer) throws -> Value? {
        switch name {
        case "index0": .integer(index0)
        case "index": .integer(index0 + 1)
        case "first": .bool(index0 == 0)
        case "last": .bool(try peek(renderer) == nil)
        case "length": .integer(try length(renderer))
        case "revindex": .integer(try length(renderer) - index0)
        case "revindex0": .integer(try length(renderer) - index0 - 1)
        case "depth": .integer(1)
        case "depth0": .integer(0)
        case "previtem": (index0 > 0 ? previous : nil) ?? .undefined(.because("there is no previous item"))
        case "nextitem": try peek(renderer) ?? .undefined(.because("there is no next item"))
        case "cycle", "changed": try renderer.newMethod(.loop(self), name)
        default: nil
        }
    }

    /// Whether the values differ from those of the call before.
    func changed(_ values: Value, _ renderer: Renderer) throws -> Bool {
        if let lastChecked, try renderer.isEqual(lastChecked, values) { return false }
        lastChecked = values
        return true
    }
}

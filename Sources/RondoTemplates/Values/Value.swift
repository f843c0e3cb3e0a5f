import RondoIO

/// A value of the template language.
enum Value {
    indirect case undefined(Absence)
    case null
    case bool(Bool)
    case integer(Int)
    case real(Double)
    case string(Text)
    case list(Items)
    case tuple(Items)
    case mapping(Mapping)
    case view(MappingView)
    indirect case range(RangeValue)
    case iterator(ValueIterator)
    case namespace(Namespace)
    case macro(Macro)
    case loop(Loop)
    case method(BoundMethod)
    case function(BuiltinFunction)

    static func text(_ string: String) -> Value { .string(Text(string)) }
    static var empty: Value { .string(Text()) }

    /// How deep containers are nested in this one; limited, because values are printed and freed recursively.
    var depth: Int {
        switch self {
        case .list(let items), .tuple(let items): items.depth
        case .mapping(let mapping): mapping.depth
        case .view(let view): view.mapping.depth + 1
        case .iterator(let iterator): iterator.depth
        case .loop(let loop): loop.depth
        case .method(let method): method.depth
        default: 0
        }
    }

    /// The type's name in error messages, as in the language that the templates come from.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .null: "NoneType"
        case .bool: "bool"
        case .integer: "int"
        case .real: "float"
        case .string: "str"
        case .list: "list"
        case .tuple: "tuple"
        case .mapping: "dict"
        case .view(let view): "dict_\(view.part)"
        case .range: "range"
        case .iterator: "generator"
        case .namespace: "Namespace"
        case .macro: "Macro"
        case .loop: "LoopContext"
        case .method, .function: "function"
        }
    }

    var isUndefined: Bool {
        if case .undefined = self { return true }
        return false
    }

    /// The integer, also of a truth value, which counts as 0 or 1.
    var asInteger: Int? {
        switch self {
        case .integer(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    var asReal: Double? {
        if case .real(let value) = self { return value }
        return asInteger.map(Double.init)
    }

    var isTrue: Bool {
        switch self {
        case .undefined, .null: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .real(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let items), .tuple(let items): !items.elements.isEmpty
        case .mapping(let mapping): mapping.count > 0
        case .view(let view): view.mapping.count > 0
        case .range(let range): range.count > 0
        case .iterator, .namespace, .macro, .loop, .method, .function: true
        }
    }
}

/// Why there is no value; said when someone uses it.
enum Absence {
    case variable(String)
    case attribute(owner: String, name: String)
    case element(owner: String, index: String)
    case because(String)

    var message: String {
        switch self {
        case .variable(let name): "'\(name)' is undefined"
        case .attribute(let owner, let name): "'\(owner)' has no attribute '\(name)'"
        case .element(let owner, let index): "\(owner) has no element \(index)"
        case .because(let reason): reason
        }
    }
}

/// The elements of a list or tuple.
struct Items {
    let elements: [Value]
    let depth: Int

    init(_ elements: [Value]) {
        self.elements = elements
        depth = 1 + elements.reduce(0) { max($0, $1.depth) }
    }
}

/// What can be a key of a mapping; numbers and truth values that are equal are the same key.
enum Key: Hashable {
    case null
    case integer(Int)
    case real(Double)
    case string(Text)
}

/// A key as it was written: `True` stays `True`, although it finds the same member as `1`.
struct WrittenKey {
    let key: Key
    let value: Value

    /// Wraps a value, or gives `nil` if it cannot be a key here.
    init?(_ value: Value) {
        self.value = value
        switch value {
        case .null: key = .null
        case .string(let text): key = .string(text)
        case .bool, .integer: key = .integer(value.asInteger ?? 0)
        case .real(let number): key = Int(exactly: number).map(Key.integer) ?? .real(number)
        default: return nil
        }
    }
}

/// An immutable mapping in the order of insertion.
final class Mapping {
    private(set) var keys: [Value] = []
    private(set) var values: [Value] = []
    private(set) var depth = 1
    private var index: [Key: Int] = [:]

    var count: Int { keys.count }

    init() {}

    init(_ object: JSONObject, convert: (JSONValue) throws -> Value) rethrows {
        for (key, value) in object.members {
            let text = Text(key)
            set(.string(text), .string(text), try convert(value))
        }
    }

    /// Adds or replaces a member while the mapping is made.
    func set(_ written: WrittenKey, _ value: Value) { set(written.key, written.value, value) }

    private func set(_ key: Key, _ written: Value, _ value: Value) {
        depth = max(depth, value.depth + 1)
        if let place = index[key] {
            values[place] = value
        } else {
            index[key] = keys.count
            keys.append(written)
            values.append(value)
        }
    }

    subscript(key: Key) -> Value? { index[key].map { values[$0] } }

    subscript(name: Text) -> Value? { self[.string(name)] }

    var pairs: [Value] { zip(keys, values).map { .tuple(Items([$0, $1])) } }
}

/// What `keys()`, `values()` and `items()` of a mapping give.
struct MappingView {
    enum Part: String { case keys, values, items }

    let part: Part
    let mapping: Mapping

    var elements: [Value] {
        switch part {
        case .keys: mapping.keys
        case .values: mapping.values
        case .items: mapping.pairs
        }
    }
}

/// An arithmetic progression.
struct RangeValue {
    /// The longest one that templates may make.
    static let maximumCount = 100_000

    let start: Int
    let stop: Int
    let step: Int
    let count: Int

    /// Counts from `start` towards `stop` by a step that is not 0; `nil` if that takes too many steps.
    init?(start: Int, stop: Int, step: Int) {
        let (distance, overflow) =
            step > 0
            ? stop.subtractingReportingOverflow(start)
            : start.subtractingReportingOverflow(stop)
        let isEmpty = step > 0 ? stop <= start : stop >= start
        let count = isEmpty ? 0 : overflow ? UInt.max : (UInt(distance) - 1) / step.magnitude + 1
        guard count <= Self.maximumCount else { return nil }
        self.start = start
        self.stop = stop
        self.step = step
        self.count = Int(count)
    }

    private init(start: Int, stop: Int, step: Int, count: Int) {
        self.start = start
        self.stop = stop
        self.step = step
        self.count = count
    }

    /// Wraps around beyond the ends, where only the bounds of slices lie.
    subscript(index: Int) -> Int { start &+ index &* step }

    /// The elements at the places of a slice.
    func slice(_ bounds: SliceBounds) -> RangeValue {
        RangeValue(
            start: self[bounds.first], stop: self[bounds.end], step: step &* bounds.step, count: bounds.places.count)
    }
}

/// Gives elements once, one after the other.
final class ValueIterator {
    typealias Source = (Renderer) throws -> Value?

    let depth: Int
    private let source: Source

    init(depth: Int, source: @escaping Source) {
        self.depth = depth
        self.source = source
    }

    convenience init(_ elements: [Value], depth: Int) {
        var position = 0
        self.init(depth: depth) { _ in
            guard position < elements.count else { return nil }
            position += 1
            return elements[position - 1]
        }
    }

    func next(_ renderer: Renderer) throws -> Value? {
        try renderer.charge(1)
        return try source(renderer)
    }
}

/// The one kind of value that templates can change.
final class Namespace {
    var attributes: [Text: Value] = [:]
}

/// A macro together with the variables around its definition.
final class Macro {
    let definition: MacroDefinition
    var scope: Scope?

    init(_ definition: MacroDefinition, scope: Scope) {
        self.definition = definition
        self.scope = scope
    }
}

/// A method and the value that it belongs to.
final class BoundMethod {
    let receiver: Value
    let name: String
    let depth: Int

    init(_ receiver: Value, _ name: String) {
        self.receiver = receiver
        self.name = name
        depth = receiver.depth + 1
    }
}

/// The functions that every template can call.
enum BuiltinFunction: String {
    case range
    case dict
    case namespace
    case raiseException = "raise_exception"
    case strftimeNow = "strftime_now"

    /// What Jinja has besides.
    static let refused: Set<String> = ["lipsum", "cycler", "joiner"]
}

/// The variables of one block, in the blocks around it.
final class Scope {
    var variables: [String: Value] = [:]
    let parent: Scope?

    init(parent: Scope?) { self.parent = parent }

    func value(_ name: String) -> Value? {
        var scope: Scope? = self
        while let current = scope {
            if let value = current.variables[name] { return value }
            scope = current.parent
        }
        return nil
    }
}

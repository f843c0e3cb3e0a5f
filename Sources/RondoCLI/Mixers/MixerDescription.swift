import RondoIO
import RondoMixers
import RondoNN
import RondoTensor

/// Everything that can be said about a mixer: its card, and what a mixer of its default configuration looks like.
struct MixerDescription {
    /// One tensor of the state.
    struct Leaf: Sendable {
        var name: String
        /// The shape for one row, without the axis of rows; `nil` stands for the number of positions read.
        var shape: [Int?]
        var dtype: DType

        /// "[4, 16]", or "[time, 64]".
        var shapeText: String { "[\(shape.map { $0.map(String.init) ?? "time" }.joined(separator: ", "))]" }
    }

    /// The width that descriptions are made for unless another is asked for.
    static let defaultWidth = 64

    var card: MixerCard
    var dModel: Int
    /// All options and their defaults.
    var configuration: JSONValue
    var state: [Leaf]
    /// Bytes of one row's state at its beginning.
    var stateBytes: Int
    /// Bytes that each position adds to one row's state.
    var bytesPerPosition: Int
    var parameterCount: Int
}

extension MixerDescription {
    /// Makes a mixer of the default configuration and looks at it.
    init<Mixer: SequenceMixer>(_ type: Mixer.Type, dModel: Int = defaultWidth) throws {
        var generator = Generator(seed: 0)
        let mixer = try Mixer.make(options: nil, dModel: dModel, using: &generator)
        let beginning = try mixer.initialState(batch: 1)
        var after = beginning
        if Mixer.card.stateGrowth == .linear {
            _ = try mixer.chunk(Tensor.zeros([1, 1, dModel]), state: &after)
        }
        card = Mixer.card
        self.dModel = dModel
        configuration = try StrictJSON.tree(of: Mixer.Configuration(), absentAsNull: true)
        state = zip(beginning.names, zip(beginning.named.tensors, after.named.tensors)).map { name, tensors in
            let extents = zip(tensors.0.shape, tensors.1.shape).map { $0 == $1 ? $0 : nil }
            return Leaf(name: name, shape: Array(extents.dropFirst()), dtype: tensors.0.dtype)
        }
        stateBytes = beginning.byteCount
        bytesPerPosition = after.byteCount - beginning.byteCount
        parameterCount = mixer.parameterCount
    }

    /// The descriptions of all mixers, by family and then in the order of the registry.
    static func all(dModel: Int = defaultWidth) throws -> [MixerDescription] {
        let descriptions = try MixerRegistry.all.map { try MixerDescription($0, dModel: dModel) }
        return MixerCard.Family.allCases.flatMap { family in descriptions.filter { $0.card.family == family } }
    }

    /// "512 B", "256 B a position", or both.
    var stateSizeText: String {
        let fixed = stateBytes > 0 || bytesPerPosition == 0 ? [Format.bytes(stateBytes)] : []
        let growing = bytesPerPosition > 0 ? ["\(Format.bytes(bytesPerPosition)) a position"] : []
        return (fixed + growing).joined(separator: " + ")
    }

    /// Whatever depends on neither form nor reader: names of facts and their text.
    var facts: [(name: String, text: String)] {
        [
            ("family", card.family.title), ("cost", card.complexity),
            ("state", "\(stateSizeText) for one row at a width of \(dModel)"), ("growth", card.growthText),
            ("parameters", "\(parameterCount) at a width of \(dModel)"), ("source", card.source),
        ]
    }
}

// MARK: - JSON

extension MixerDescription {
    /// Card and shape in one object.
    func json() throws -> JSONValue {
        guard case .object(var object) = try StrictJSON.tree(of: card) else { return .null }
        object["d_model"] = .integer(dModel)
        object["configuration"] = configuration
        object["state"] = .array(
            state.map { leaf in
                var entry = JSONObject()
                entry["name"] = .string(leaf.name)
                entry["shape"] = .array(leaf.shape.map { $0.map { .integer($0) } ?? .null })
                entry["dtype"] = .string(leaf.dtype.rawValue)
                return .object(entry)
            })
        object["state_bytes"] = .integer(stateBytes)
        object["state_bytes_per_position"] = .integer(bytesPerPosition)
        object["parameter_count"] = .integer(parameterCount)
        return .object(object)
    }
}

// MARK: - Text

extension MixerDescription {
    /// The description for a terminal.
    var text: String {
        var sections = ["\(card.title) (\(card.name))\n\(card.summary)"]
        sections.append(Self.section("Equations", lines(card.equations)))
        let options = (configuration.objectValue?.members ?? []).map { ($0.key, $0.value.text()) }
        sections.append(Self.section("Configuration and defaults", options.isEmpty ? ["none"] : Self.aligned(options)))
        let leaves = state.map { ($0.name, "\($0.shapeText) \($0.dtype.rawValue)") }
        sections.append(Self.section("State of one row", leaves.isEmpty ? ["none"] : Self.aligned(leaves)))
        sections.append(Self.section("Facts", Self.aligned(facts.map { ($0.name, $0.text) })))
        if !card.notes.isEmpty { sections.append(Self.section("Notes", lines(card.notes))) }
        return sections.joined(separator: "\n\n")
    }

    private func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private static func section(_ title: String, _ lines: [String]) -> String {
        ([title] + lines.map { $0.isEmpty ? "" : "  " + $0 }).joined(separator: "\n")
    }

    private static func aligned(_ pairs: [(String, String)]) -> [String] {
        let width = pairs.map(\.0.count).max() ?? 0
        return pairs.map { $0 + String(repeating: " ", count: width - $0.count + 2) + $1 }
    }
}

extension MixerCard {
    /// How the state grows, in words.
    var growthText: String {
        switch stateGrowth {
        case .constant: "the state stays as large as it is"
        case .linear: "the state grows with every position"
        }
    }
}

extension MixerCard.Family {
    /// The heading of the family.
    var title: String {
        switch self {
        case .nonlinear: "Nonlinear recurrences"
        case .vectorState: "Linear recurrences with a vector as state"
        case .matrixState: "Linear recurrences with matrices as state"
        case .attention: "Attention"
        }
    }
}

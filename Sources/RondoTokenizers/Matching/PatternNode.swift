/// The syntax tree of a pattern.
indirect enum PatternNode: Sendable {
    /// How much a repetition takes, and whether it gives any of it back.
    enum Greed: Sendable {
        case greedy
        case lazy
        case possessive
    }

    /// A place between characters.
    enum Place: Sendable {
        case lineStart
        case lineEnd
        case textStart
        case textEnd
        case textEndOrFinalNewline
        case wordBoundary
        case noWordBoundary
    }

    case empty
    case set(ScalarSet)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    case repetition(PatternNode, minimum: Int, maximum: Int, Greed)
    case place(Place)
    case look(PatternNode, isAhead: Bool, isNegative: Bool)
    case atomic(PatternNode)

    /// Whether the node can match nothing.
    var isNullable: Bool {
        switch self {
        case .empty, .place, .look: true
        case .set: false
        case .sequence(let nodes): nodes.allSatisfy(\.isNullable)
        case .alternatives(let nodes): nodes.contains(where: \.isNullable)
        case .repetition(let node, let minimum, _, _): minimum == 0 || node.isNullable
        case .atomic(let node): node.isNullable
        }
    }

    /// The number of characters of every match, if it is always the same.
    var fixedLength: Int? {
        switch self {
        case .empty, .place, .look: return 0
        case .set: return 1
        case .sequence(let nodes):
            return nodes.reduce(0 as Int?) { sum, node in sum.flatMap { sum in node.fixedLength.map { sum + $0 } } }
        case .alternatives(let nodes):
            let lengths = Set(nodes.map(\.fixedLength))
            return lengths.count == 1 ? lengths.first.flatMap(\.self) : nil
        case .repetition(let node, let minimum, let maximum, _):
            return minimum == maximum ? node.fixedLength.map { $0 * minimum } : nil
        case .atomic(let node): return node.fixedLength
        }
    }
}

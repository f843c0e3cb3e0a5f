import RondoTensor

/// A pattern as instructions for a backtracking matcher.
struct PatternProgram: Sendable {
    enum Instruction: Sendable {
        /// One character of a set.
        case set(Int)
        /// As many characters of a set as there are, within bounds.
        case run(set: Int, minimum: Int, maximum: Int, PatternNode.Greed)
        /// Goes on at the first place; if that fails, at the second.
        case fork(Int, Int)
        case jump(Int)
        case place(PatternNode.Place)
        /// The program that follows, up to `end`, must match or not, after or before this position.
        case look(end: Int, behind: Int?, isNegative: Bool)
        /// The program that follows, up to `end`, matches once and for all.
        case atomic(end: Int)
        case accept
    }

    /// The largest program, which patterns such as `(a{1000}){1000}` would exceed.
    private static let maximumSize = 20_000

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [ScalarSet] = []

    /// Compiles a pattern.
    ///
    /// - Throws: `RondoError` if the pattern is not supported.
    init(_ pattern: String) throws {
        try emit(PatternParser.parse(pattern))
        instructions.append(.accept)
        guard instructions.count < Self.maximumSize else {
            throw RondoError(.unavailable, "pattern '\(pattern.prefix(80))': too many repetitions")
        }
    }

    private mutating func emit(_ node: PatternNode) throws {
        guard instructions.count < Self.maximumSize else { return }
        switch node {
        case .empty: break
        case .set(let set): instructions.append(.set(number(of: set)))
        case .sequence(let nodes): for node in nodes { try emit(node) }
        case .alternatives(let nodes): try emitAlternatives(nodes[...])
        case .place(let place): instructions.append(.place(place))
        case .look(let node, let isAhead, let isNegative):
            let behind = isAhead ? nil : node.fixedLength
            try emitSubprogram(node) { .look(end: $0, behind: behind, isNegative: isNegative) }
        case .atomic(let node): try emitSubprogram(node) { .atomic(end: $0) }
        case .repetition(let node, let minimum, let maximum, let greed):
            if case .set(let set) = node {
                instructions.append(.run(set: number(of: set), minimum: minimum, maximum: maximum, greed))
            } else if greed == .possessive {
                let greedy = PatternNode.repetition(node, minimum: minimum, maximum: maximum, .greedy)
                try emitSubprogram(greedy) { .atomic(end: $0) }
            } else {
                try emitRepetition(node, minimum, maximum, isLazy: greed == .lazy)
            }
        }
    }

    private mutating func number(of set: ScalarSet) -> Int {
        if let known = sets.firstIndex(of: set) { return known }
        sets.append(set)
        return sets.count - 1
    }

    private mutating func emitAlternatives(_ nodes: ArraySlice<PatternNode>) throws {
        var ends: [Int] = []
        for (position, node) in nodes.enumerated() {
            guard position < nodes.count - 1 else {
                try emit(node)
                break
            }
            let fork = instructions.count
            instructions.append(.accept)
            try emit(node)
            ends.append(instructions.count)
            instructions.append(.accept)
            instructions[fork] = .fork(fork + 1, instructions.count)
        }
        for end in ends { instructions[end] = .jump(instructions.count) }
    }

    private mutating func emitSubprogram(_ node: PatternNode, _ head: (Int) -> Instruction) throws {
        let start = instructions.count
        instructions.append(.accept)
        try emit(node)
        instructions.append(.accept)
        instructions[start] = head(instructions.count)
    }

    private mutating func emitRepetition(
        _ node: PatternNode, _ minimum: Int, _ maximum: Int, isLazy: Bool
    ) throws {
        for _ in 0..<minimum { try emit(node) }
        if maximum == .max {
            let fork = instructions.count
            instructions.append(.accept)
            try emit(node)
            instructions.append(.jump(fork))
            instructions[fork] = Self.fork(into: fork + 1, past: instructions.count, isLazy)
        } else {
            var forks: [Int] = []
            for _ in minimum..<maximum {
                forks.append(instructions.count)
                instructions.append(.accept)
                try emit(node)
            }
            for fork in forks { instructions[fork] = Self.fork(into: fork + 1, past: instructions.count, isLazy) }
        }
    }

    private static func fork(into body: Int, past end: Int, _ isLazy: Bool) -> Instruction {
        isLazy ? .fork(end, body) : .fork(body, end)
    }
}

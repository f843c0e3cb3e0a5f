/// A unigram language model: the pieces whose scores have the largest sum.
struct UnigramModel: Sendable {
    /// How much worse than the worst token a character without a token is.
    private static let unknownPenalty = 10.0

    /// The best way to a position.
    struct Path {
        var token: Int32 = 0
        var score = 0.0
        var start = -1
    }

    private let trie: TokenTrie
    private let tokens: TokenTable
    private let scores: [Double]
    private let unknown: Int32
    private let unknownScore: Double
    private let fallback: [Int32]?

    /// Creates a model from tokens in order with their scores; `fallback` names the tokens of bytes.
    init(_ vocabulary: [(bytes: [UInt8], score: Double)], unknown: Int32, fallback: [Int32]?) {
        let numbered = vocabulary.enumerated().map { (bytes: $0.element.bytes, id: Int32($0.offset)) }
        trie = TokenTrie(numbered)
        tokens = TokenTable(numbered)
        scores = vocabulary.map(\.score)
        self.unknown = unknown
        unknownScore = (scores.min() ?? 0) - Self.unknownPenalty
        self.fallback = fallback
    }

    /// Appends the tokens of a word.
    func encode(
        _ word: UnsafePointer<UInt8>, _ count: Int, _ scratch: EncodingScratch, to output: inout [Int32]
    ) {
        findPaths(word, count, &scratch.paths)
        // From the end to the beginning; unknown neighbours are one piece.
        var pieces: [(start: Int, end: Int)] = []
        var end = count
        var wasUnknown = false
        while end > 0 {
            let path = scratch.paths[end]
            let isUnknown = path.token == unknown
            if isUnknown, wasUnknown {
                pieces[pieces.count - 1].start = path.start
            } else {
                pieces.append((path.start, end))
            }
            wasUnknown = isUnknown
            end = path.start
        }
        for piece in pieces.reversed() { append(word + piece.start, piece.end - piece.start, to: &output) }
    }

    private func findPaths(_ word: UnsafePointer<UInt8>, _ count: Int, _ paths: inout [Path]) {
        paths.removeAll(keepingCapacity: true)
        paths.append(contentsOf: repeatElement(Path(), count: count + 1))
        var start = 0
        while start < count {
            let score = paths[start].score
            let length = UTF8Text.scalar(word, at: start, end: count).length
            var hasSingle = false
            var node = TokenTrie.root
            var end = start
            while end < count {
                node = trie.child(of: node, word[end])
                if node < 0 { break }
                end += 1
                let token = trie.id(at: node)
                guard token >= 0 else { continue }
                Self.improve(&paths[end], token, score + scores[Int(token)], start)
                if end - start == length { hasSingle = true }
            }
            if !hasSingle { Self.improve(&paths[start + length], unknown, score + unknownScore, start) }
            start += length
        }
    }

    @inline(__always)
    private static func improve(_ path: inout Path, _ token: Int32, _ score: Double, _ start: Int) {
        if path.start < 0 || score > path.score { path = Path(token: token, score: score, start: start) }
    }

    private func append(_ piece: UnsafePointer<UInt8>, _ count: Int, to output: inout [Int32]) {
        let id = tokens.id(piece, count)
        if id >= 0 {
            output.append(id)
        } else if let fallback {
            let ids = (0..<count).map { fallback[Int(piece[$0])] }
            if ids.contains(-1) { output.append(unknown) } else { output += ids }
        } else {
            output.append(unknown)
        }
    }
}

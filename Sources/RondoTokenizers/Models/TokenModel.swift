/// Turns one word after the other into tokens.
enum TokenModel: Sendable {
    case bytePair(BytePairModel)
    case unigram(UnigramModel)
    case wordPiece(WordPieceModel)
    case wordLevel(WordLevelModel)

    /// Appends the tokens of a word, which is not empty.
    @inline(__always)
    func encode(_ word: UnsafePointer<UInt8>, _ count: Int, _ scratch: EncodingScratch, to output: inout [Int32]) {
        guard count <= WordCache.longestWord else {
            if case .bytePair(let model) = self {
                model.encodeLong(word, count, scratch, to: &output)
            } else {
                encodeAnew(word, count, scratch, to: &output)
            }
            return
        }
        scratch.cache.appendTokens(of: word, count, to: &output) { encodeAnew(word, count, scratch, to: &$0) }
    }

    @inline(never)
    private func encodeAnew(
        _ word: UnsafePointer<UInt8>, _ count: Int, _ scratch: EncodingScratch, to output: inout [Int32]
    ) {
        switch self {
        case .bytePair(let model): model.encode(word, count, scratch, to: &output)
        case .unigram(let model): model.encode(word, count, scratch, to: &output)
        case .wordPiece(let model): model.encode(word, count, to: &output)
        case .wordLevel(let model): model.encode(word, count, to: &output)
        }
    }
}

/// Memory that an encoding needs and the next can use again.
final class EncodingScratch {
    let cache = WordCache()
    /// Symbols of a word that is being merged.
    var symbols: [Int32] = []
    /// What each neighbouring pair would become: rank and token.
    var merges: [UInt64] = []
    /// The positions before and after each symbol, and merges by rank, for long words.
    var previous: [Int32] = []
    var next: [Int32] = []
    var heap = MinimumHeap()
    /// The best paths through a word.
    var paths: [UnigramModel.Path] = []
}

/// A binary heap of numbers, the smallest on top.
struct MinimumHeap {
    private var elements: [UInt64] = []

    var isEmpty: Bool { elements.isEmpty }

    mutating func removeAll() { elements.removeAll(keepingCapacity: true) }

    mutating func insert(_ element: UInt64) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard elements[child] < elements[parent] else { break }
            elements.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popMinimum() -> UInt64? {
        guard let last = elements.popLast() else { return nil }
        guard let top = elements.first else { return last }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < elements.count else { break }
            if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
            guard elements[child] < last else { break }
            elements[parent] = elements[child]
            parent = child
        }
        elements[parent] = last
        return top
    }
}

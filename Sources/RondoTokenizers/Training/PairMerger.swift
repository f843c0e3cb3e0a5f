/// The words of a training text as symbols, and how often each pair of symbols stands side by side.
struct PairMerger {
    /// Two neighbouring symbols.
    struct Pair: Hashable {
        var first: Int32
        var second: Int32
    }

    /// A pair that may be the next to be merged.
    private struct Candidate {
        var pair: Pair
        var count: Int

        /// The more frequent first, of equals the one with the lower numbers, so that the result is always the same.
        func precedes(_ other: Candidate) -> Bool {
            if count != other.count { return count > other.count }
            return (pair.first, pair.second) < (other.pair.first, other.pair.second)
        }
    }

    private var symbols: [Int32] = []
    private var words: [(start: Int, length: Int, count: Int)] = []
    private var counts: [Pair: Int] = [:]
    /// The words that a pair has been seen in; some of them may have lost it since.
    private var places: [Pair: [Int32]] = [:]
    private var heap: [Candidate] = []

    /// Counts the pairs of all words.
    init(_ counter: WordCounter, symbol: (UInt8) -> Int32) {
        for index in 0..<counter.count {
            let start = symbols.count
            for byte in counter.word(index) { symbols.append(symbol(byte)) }
            words.append((start, symbols.count - start, counter.counts[index]))
            for position in start..<max(start, symbols.count - 1) {
                let pair = Pair(first: symbols[position], second: symbols[position + 1])
                counts[pair, default: 0] += counter.counts[index]
                note(pair, in: index)
            }
        }
        for (pair, count) in counts { push(Candidate(pair: pair, count: count)) }
    }

    private mutating func note(_ pair: Pair, in word: Int) {
        places[pair, default: []].append(Int32(word))
    }

    /// The most frequent pair and how often it occurs.
    mutating func best() -> (pair: Pair, count: Int)? {
        while let top = pop() {
            let count = counts[top.pair] ?? 0
            if count == top.count { return (top.pair, count) }
            // It has become rarer since it was put there.
            if count > 0 { push(Candidate(pair: top.pair, count: count)) }
        }
        return nil
    }

    /// Replaces a pair by one symbol in all words.
    mutating func merge(_ pair: Pair, into symbol: Int32) {
        var gained: Set<Pair> = []
        var lastWord: Int32 = -1
        for word in (places.removeValue(forKey: pair) ?? []).sorted() where word != lastWord {
            lastWord = word
            merge(pair, into: symbol, inWord: Int(word), &gained)
        }
        counts[pair] = nil
        for pair in gained {
            if let count = counts[pair], count > 0 { push(Candidate(pair: pair, count: count)) }
        }
    }

    private mutating func merge(_ pair: Pair, into symbol: Int32, inWord index: Int, _ gained: inout Set<Pair>) {
        let (start, length, count) = words[index]
        var read = start
        var write = start
        while read < start + length {
            guard symbols[read] == pair.first, read + 1 < start + length, symbols[read + 1] == pair.second else {
                symbols[write] = symbols[read]
                write += 1
                read += 1
                continue
            }
            if write > start {
                change(Pair(first: symbols[write - 1], second: pair.first), by: -count)
                gain(Pair(first: symbols[write - 1], second: symbol), count, index, &gained)
            }
            read += 2
            if read < start + length {
                change(Pair(first: pair.second, second: symbols[read]), by: -count)
                gain(Pair(first: symbol, second: symbols[read]), count, index, &gained)
            }
            symbols[write] = symbol
            write += 1
        }
        words[index].length = write - start
    }

    private mutating func gain(_ pair: Pair, _ count: Int, _ word: Int, _ gained: inout Set<Pair>) {
        change(pair, by: count)
        note(pair, in: word)
        gained.insert(pair)
    }

    private mutating func change(_ pair: Pair, by amount: Int) { counts[pair, default: 0] += amount }

    // MARK: Heap

    private mutating func push(_ candidate: Candidate) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func pop() -> Candidate? {
        guard let last = heap.popLast() else { return nil }
        guard let top = heap.first else { return last }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(last) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return top
    }
}

/// WordPiece: the longest token that fits, again and again; a word that cannot be spelled is unknown as a whole.
struct WordPieceModel: Sendable {
    private let trie: TokenTrie
    private let unknown: Int32
    private let longestWord: Int
    /// Where the search for a continuation begins: behind the prefix, or nowhere (-1) if no token has it.
    private let continuation: Int

    /// Creates a model; words of more than `longestWord` characters are unknown.
    init(_ tokens: [(bytes: [UInt8], id: Int32)], unknown: Int32, prefix: [UInt8], longestWord: Int) {
        let trie = TokenTrie(tokens)
        self.trie = trie
        self.unknown = unknown
        self.longestWord = longestWord
        continuation = prefix.reduce(TokenTrie.root) { $0 < 0 ? $0 : trie.child(of: $0, $1) }
    }

    /// Appends the tokens of a word.
    func encode(_ word: UnsafePointer<UInt8>, _ count: Int, to output: inout [Int32]) {
        guard characterCount(word, count) <= longestWord else { return output.append(unknown) }
        let first = output.count
        var start = 0
        while start < count {
            var node = start == 0 ? TokenTrie.root : continuation
            var best: (id: Int32, end: Int)?
            var end = start
            while node >= 0, end < count {
                node = trie.child(of: node, word[end])
                end += 1
                if node >= 0, trie.id(at: node) >= 0 { best = (trie.id(at: node), end) }
            }
            guard let best else { break }
            output.append(best.id)
            start = best.end
        }
        guard start < count else { return }
        output.removeLast(output.count - first)
        output.append(unknown)
    }

    private func characterCount(_ word: UnsafePointer<UInt8>, _ count: Int) -> Int {
        guard count > longestWord else { return count }
        return (0..<count).count { word[$0] & 0xC0 != 0x80 }
    }
}

/// Whole words are tokens.
struct WordLevelModel: Sendable {
    private let tokens: TokenTable
    private let unknown: Int32

    init(_ tokens: [(bytes: [UInt8], id: Int32)], unknown: Int32) {
        self.tokens = TokenTable(tokens)
        self.unknown = unknown
    }

    /// Appends the token of a word.
    func encode(_ word: UnsafePointer<UInt8>, _ count: Int, to output: inout [Int32]) {
        let id = tokens.id(word, count)
        output.append(id < 0 ? unknown : id)
    }
}

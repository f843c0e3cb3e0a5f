/// A trie over bytes, to find all tokens that begin at a position; immutable once built.
final class TokenTrie: Sendable {
    /// The root's number.
    static let root = 0

    private let children: PairTable
    private let ids: [Int32]

    /// Builds the trie; of equal byte strings the last one counts.
    init(_ tokens: [(bytes: [UInt8], id: Int32)]) {
        var edges: [UInt64: Int] = [:]
        var ids: [Int32] = [-1]
        for token in tokens {
            var node = Self.root
            for byte in token.bytes {
                let key = Self.key(node, byte)
                if let child = edges[key] {
                    node = child
                } else {
                    edges[key] = ids.count
                    node = ids.count
                    ids.append(-1)
                }
            }
            ids[node] = token.id
        }
        children = PairTable(edges.map { ($0.key, UInt64($0.value)) })
        self.ids = ids
    }

    @inline(__always)
    private static func key(_ node: Int, _ byte: UInt8) -> UInt64 {
        UInt64(truncatingIfNeeded: node) << 8 | UInt64(byte)
    }

    /// The node that a byte leads to, or -1.
    @inline(__always)
    func child(of node: Int, _ byte: UInt8) -> Int {
        let value = children.value(Self.key(node, byte))
        return value == PairTable.missing ? -1 : Int(truncatingIfNeeded: value)
    }

    /// The token that ends at a node, or -1.
    @inline(__always)
    func id(at node: Int) -> Int32 { ids[node] }

    /// The longest token that begins at `start`.
    func longestMatch(
        _ bytes: UnsafePointer<UInt8>, from start: Int, end: Int
    ) -> (id: Int32, end: Int)? {
        var node = Self.root
        var best: (id: Int32, end: Int)?
        var index = start
        while index < end {
            node = child(of: node, bytes[index])
            if node < 0 { break }
            index += 1
            if ids[node] >= 0 { best = (ids[node], index) }
        }
        return best
    }
}

import RondoIO
import RondoTensor

/// The tokens of a file, collected and checked before anything is built from them.
struct VocabularyReader {
    /// The tokens of the model in the order of the file.
    private(set) var tokens: [(bytes: [UInt8], id: Int32)] = []
    private var ids: [[UInt8]: Int32] = [:]
    private var taken: Set<Int32> = []

    /// The number of a token.
    func id(of bytes: [UInt8]) -> Int32? { ids[bytes] }

    /// Whether some token has this number.
    func isTaken(_ id: Int32) -> Bool { taken.contains(id) }

    /// Reads `{"token": number}`.
    mutating func readMap(_ node: FileNode) throws {
        for (text, value) in try node.members() {
            let id = try FileNode.tokenID(value) {
                FileNode(value: value, source: node.source, path: "\(node.path)['\(text.prefix(40))']")
            }
            try add(Array(text.utf8), id, in: node)
        }
        guard !tokens.isEmpty else { throw node.failure("the vocabulary is empty") }
    }

    /// Reads `[["token", score]]`, whose numbers are their positions.
    mutating func readList(_ node: FileNode) throws -> [Double] {
        guard let entries = node.value.arrayValue, !entries.isEmpty else {
            throw node.failure("must be a list of tokens and scores")
        }
        guard entries.count <= FileNode.maximumTokenCount else { throw node.failure("too many tokens") }
        return try entries.enumerated().map { index, entry in
            guard let pair = entry.arrayValue, pair.count == 2, let text = pair[0].stringValue,
                let score = pair[1].doubleValue, score.isFinite
            else { throw node.failure("element \(index) must be a token and its score") }
            // Some files list a token twice; as in the tokenizers library, the last one is found.
            append(Array(text.utf8), Int32(index))
            return score
        }
    }

    private mutating func add(_ bytes: [UInt8], _ id: Int32, in node: FileNode) throws {
        guard !taken.contains(id) else { throw node.failure("two tokens have the number \(id)") }
        append(bytes, id)
    }

    private mutating func append(_ bytes: [UInt8], _ id: Int32) {
        taken.insert(id)
        ids[bytes] = id
        tokens.append((bytes, id))
    }

    /// The tokens `<0x00>` to `<0xFF>`, -1 for those that do not exist.
    func fallbackTokens() -> [Int32] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return ids[Array("<0x\(byte < 16 ? "0" : "")\(digits)>".utf8)] ?? -1
        }
    }

    /// The number of a token that must exist.
    func requiredID(_ node: FileNode) throws -> Int32 {
        guard let id = ids[try node.bytes()] else {
            throw node.failure("the token '\(node.value.stringValue ?? "")' is not in the vocabulary")
        }
        return id
    }
}

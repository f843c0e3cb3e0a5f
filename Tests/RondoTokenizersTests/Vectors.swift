import Foundation
import RondoIO
import RondoTokenizers
import Testing

/// What the tokenizers library makes of texts, written by Tests/Parity/tokenizers/make_vectors.py.
struct Vectors {
    static let folder = Bundle.module.resourceURL?.appendingPathComponent("Vectors").path ?? ""

    private static let document = Result { try JSONValue(contentsOf: folder + "/vectors.json") }

    /// The names of all pipelines.
    static let names: [String] = {
        let keys = (try? document.get())?.objectValue?.keys ?? []
        return keys.filter { $0 != "texts" }
    }()

    let tokenizer: PipelineTokenizer
    let texts: [String]
    private let vector: JSONValue

    init(_ name: String) throws {
        tokenizer = try Self.tokenizer(name)
        let document = try Self.document.get()
        texts = try #require(document["texts"]?.arrayValue).compactMap(\.stringValue)
        vector = try #require(document[name])
    }

    static func path(_ name: String) -> String { "\(folder)/\(name).json" }

    static func tokenizer(_ name: String) throws -> PipelineTokenizer {
        try PipelineTokenizer(contentsOf: path(name))
    }

    func tokenLists(_ key: String) throws -> [[Int32]] {
        try #require(vector[key]?.arrayValue).map { list in
            try #require(list.arrayValue).compactMap { $0.intValue.map(Int32.init) }
        }
    }

    func strings(_ key: String) throws -> [String] {
        try #require(vector[key]?.arrayValue).compactMap(\.stringValue)
    }
}

extension String {
    /// Whether two texts are the same bytes; `==` is content with the same characters.
    func isIdentical(to other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

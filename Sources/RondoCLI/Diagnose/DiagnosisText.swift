import RondoData
import RondoIO
import RondoTensor
import RondoTokenizers

/// What a model is diagnosed on: a text of the user, the end of the text of its run, or random tokens.
struct DiagnosisText {
    /// What to call it.
    let name: String
    /// The window that the model was trained with, if its run says so.
    let trainingLength: Int?
    private let tokens: TokenText?
    private let range: Range<Int>
    private let vocabSize: Int
    private let seed: UInt64

    /// Tokens in all; `nil` if there is no end.
    var longest: Int? { tokens.map { _ in range.count } }

    /// Finds and reads the text.
    ///
    /// - Parameters:
    ///   - folder: The folder with the weights.
    ///   - text: Files that the user named.
    ///   - isRandom: Whether to read random tokens.
    ///   - vocabSize: How many tokens the model has.
    ///   - seed: Draws random tokens.
    /// - Throws: `RondoError` if a file or the tokenizer cannot be read.
    init(folder: String, text: [String], isRandom: Bool, vocabSize: Int, seed: UInt64) throws {
        let run = Self.run(of: folder)
        trainingLength = run?["window_length"]?.intValue
        self.vocabSize = vocabSize
        self.seed = seed
        let own = (run?["data"]?["text"]?.arrayValue ?? []).compactMap(\.stringValue)
            .filter { FileSystem.kind(of: $0) != nil }
        guard !isRandom, !text.isEmpty || !own.isEmpty else {
            (name, tokens, range) = ("random tokens", nil, 0..<0)
            return
        }
        let paths = text.isEmpty ? own : text
        let tokenizer = try ModelText(folder: folder, vocabSize: vocabSize).encoder
        let fraction = text.isEmpty ? run?["data"]?["validation_fraction"]?.doubleValue ?? 0 : 0
        let corpus = try TokenizedCorpus(Corpus.load(paths), tokenizer: tokenizer, validationFraction: fraction)
        tokens = corpus.text
        range = fraction > 0 ? corpus.split.validation : 0..<corpus.text.count
        name = paths.joined(separator: ", ") + (fraction > 0 ? " (the part kept for validation)" : "")
    }

    /// The configuration of the run that a checkpoint belongs to.
    private static func run(of folder: String) -> JSONValue? {
        let path = FileSystem.join(FileSystem.join(FileSystem.join(folder, ".."), ".."), "config.json")
        guard FileSystem.kind(of: path) == .file, let value = try? JSONValue(contentsOf: path), value["data"] != nil
        else { return nil }
        return value
    }

    /// Rows at even distances.
    ///
    /// - Parameters:
    ///   - count: How many.
    ///   - length: The tokens of each.
    /// - Returns: The tokens.
    /// - Throws: `RondoError` if the text is shorter than one row.
    func rows(_ count: Int, length: Int) throws -> [[Int32]] {
        guard let tokens else {
            var generator = Generator(seed: seed, stream: 3)
            return (0..<count).map { _ in
                (0..<length).map { _ in Int32.random(in: 0..<Int32(vocabSize), using: &generator) }
            }
        }
        guard range.count >= length else {
            throw RondoError(
                .invalidArgument,
                "\(name) has \(range.count) tokens, a row needs \(length); give a longer --text or a smaller --length")
        }
        return (0..<count).map { row in
            let start = range.lowerBound + (range.count - length) * row / max(1, count - 1)
            return (start..<start + length).map { tokens[$0] }
        }
    }
}

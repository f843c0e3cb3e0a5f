public import RondoIO
import RondoTensor

/// Learns a byte-level byte-pair encoding from texts.
///
/// Texts are added one after the other, then ``train(progress:)`` makes the document of a `tokenizer.json`, which
/// ``PipelineTokenizer`` and the `tokenizers` library read. The result depends on the texts and the options only; for the
/// same texts it is that of the library's `BpeTrainer` with the byte alphabet.
public struct BytePairTrainer {
    /// How texts are cut into words, across which nothing is merged.
    public enum Splitting: String, Sendable, CaseIterable {
        /// As GPT-2 does.
        case gpt2
        /// As Llama 3 does: numbers of up to three digits, contractions in any case, line breaks after punctuation.
        case llama3
    }

    /// What a vocabulary should be like.
    public struct Options: Sendable {
        /// The number of tokens, special ones and bytes included.
        public var vocabularySize: Int
        /// How often a pair must occur to be merged.
        public var minimumFrequency: Int
        /// The special tokens, which get the first numbers.
        public var specialTokens: [String]
        /// How texts are cut.
        public var splitting: Splitting

        /// Creates options.
        ///
        /// - Parameters:
        ///   - vocabularySize: The number of tokens, special ones and bytes included.
        ///   - minimumFrequency: How often a pair must occur to be merged.
        ///   - specialTokens: The special tokens, which get the first numbers.
        ///   - splitting: How texts are cut.
        public init(
            vocabularySize: Int, minimumFrequency: Int = 2, specialTokens: [String] = ["<|endoftext|>"],
            splitting: Splitting = .gpt2
        ) {
            self.vocabularySize = vocabularySize
            self.minimumFrequency = minimumFrequency
            self.specialTokens = specialTokens
            self.splitting = splitting
        }
    }

    /// How far a training is.
    public struct Progress: Sendable, Equatable {
        /// The tokens so far.
        public var tokens: Int
        /// The tokens wanted.
        public var vocabularySize: Int
        /// How often the last pair occurred.
        public var frequency: Int
    }

    /// Words are counted in parts of so many bytes, so that a text without spaces does not take forever.
    private static let longestWord = 4096

    /// The options.
    public let options: Options
    private var counter = WordCounter()

    /// Creates a trainer that has seen nothing.
    ///
    /// - Parameter options: What the vocabulary should be like.
    /// - Throws: `RondoError` with code `invalidArgument` if the options contradict each other.
    public init(_ options: Options) throws {
        let least = 256 + options.specialTokens.count
        guard (least...FileNode.maximumTokenCount).contains(options.vocabularySize) else {
            throw RondoError(
                .invalidArgument,
                "a vocabulary of \(options.vocabularySize): it must hold 256 bytes and "
                    + "\(options.specialTokens.count) special tokens, and at most \(FileNode.maximumTokenCount)")
        }
        guard options.minimumFrequency >= 1 else {
            throw RondoError(
                .invalidArgument, "a minimum frequency of \(options.minimumFrequency): it must be at least 1")
        }
        let contents = Set(options.specialTokens.map { Array($0.utf8) })
        let clash = contents.first { $0.isEmpty || ByteAlphabet.encoded.contains($0) }
        guard contents.count == options.specialTokens.count, clash == nil else {
            throw RondoError(
                .invalidArgument, "special tokens must differ from each other and be longer than a character")
        }
        self.options = options
    }

    /// Adds a text.
    ///
    /// - Parameter bytes: The text; words do not go on from one text to the next.
    public mutating func add(_ bytes: some Sequence<UInt8>) {
        let scanner: WordScanner = options.splitting == .gpt2 ? .gpt2 : .llama3
        var counter = WordCounter()
        swap(&counter, &self.counter)
        Array(bytes).withUnsafeBufferPointer { buffer in
            guard let text = buffer.baseAddress else { return }
            scanner.forEachWord(text, 0..<buffer.count) { start, end in
                var start = start
                while start < end {
                    let part = min(end - start, Self.longestWord)
                    counter.add(text + start, part)
                    start += part
                }
            }
        }
        swap(&counter, &self.counter)
    }

    /// Learns the vocabulary.
    ///
    /// - Parameter progress: Is told after each merge how far the training is; what it throws ends the training.
    /// - Returns: The document of a `tokenizer.json`. It has fewer tokens than wanted if the texts have no more.
    /// - Throws: What `progress` throws.
    public func train(progress: (Progress) throws -> Void = { _ in }) throws -> JSONValue {
        let alphabet = ByteAlphabet.scalars
        let bytesByCharacter = alphabet.indices.sorted { alphabet[$0] < alphabet[$1] }
        var tokens = options.specialTokens.map { Array($0.utf8) }
        var ids: [[UInt8]: Int32] = [:]
        var symbols = [Int32](repeating: 0, count: 256)
        for byte in bytesByCharacter {
            symbols[byte] = Int32(tokens.count)
            tokens.append(ByteAlphabet.encoded[byte])
        }
        for (id, token) in tokens.enumerated() { ids[token] = Int32(id) }
        var merger = PairMerger(counter) { symbols[Int($0)] }
        var merges: [(first: [UInt8], second: [UInt8])] = []
        while tokens.count < options.vocabularySize, let best = merger.best(),
            best.count >= options.minimumFrequency
        {
            let first = tokens[Int(best.pair.first)]
            let second = tokens[Int(best.pair.second)]
            let merged = first + second
            let id = ids[merged] ?? Int32(tokens.count)
            if ids.updateValue(id, forKey: merged) == nil { tokens.append(merged) }
            merges.append((first, second))
            merger.merge(best.pair, into: id)
            try progress(
                Progress(tokens: tokens.count, vocabularySize: options.vocabularySize, frequency: best.count))
        }
        return document(tokens, merges)
    }

    private func document(_ tokens: [[UInt8]], _ merges: [(first: [UInt8], second: [UInt8])]) -> JSONValue {
        func text(_ bytes: [UInt8]) -> JSONValue { .string(String(decoding: bytes, as: UTF8.self)) }
        var vocabulary = JSONObject()
        for (id, token) in tokens.enumerated() {
            vocabulary[String(decoding: token, as: UTF8.self)] = .integer(id)
        }
        let specials = options.specialTokens.enumerated().map { id, token -> JSONValue in
            [
                "id": .integer(id), "content": .string(token), "single_word": .bool(false), "lstrip": .bool(false),
                "rstrip": .bool(false), "normalized": .bool(false), "special": .bool(true),
            ]
        }
        return [
            "version": .string("1.0"), "truncation": .null, "padding": .null, "added_tokens": .array(specials),
            "normalizer": .null, "pre_tokenizer": preTokenizer, "post_processor": .null,
            "decoder": Self.byteLevel(splits: true),
            "model": [
                "type": .string("BPE"), "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
                "end_of_word_suffix": .null, "fuse_unk": .bool(false), "byte_fallback": .bool(false),
                "ignore_merges": .bool(false), "vocab": .object(vocabulary),
                "merges": .array(merges.map { .array([text($0.first), text($0.second)]) }),
            ],
        ]
    }

    private var preTokenizer: JSONValue {
        guard options.splitting == .llama3 else { return Self.byteLevel(splits: true) }
        let split: JSONValue = [
            "type": .string("Split"), "pattern": ["Regex": .string(WordScanner.llama3Pattern)],
            "behavior": .string("Isolated"), "invert": .bool(false),
        ]
        return ["type": .string("Sequence"), "pretokenizers": .array([split, Self.byteLevel(splits: false)])]
    }

    private static func byteLevel(splits: Bool) -> JSONValue {
        [
            "type": .string("ByteLevel"), "add_prefix_space": .bool(false), "trim_offsets": .bool(true),
            "use_regex": .bool(splits),
        ]
    }
}

import RondoIO
import RondoTensor
import RondoTestSupport
import RondoTokenizers
import Testing

@Suite struct BytePairTrainerTests {
    private static let text = String(
        repeating: "low lower lowest new newer newest wide wider widest. It's 2024, isn't it? Größe 12345\n", count: 20)

    private func train(_ options: BytePairTrainer.Options, _ texts: [String] = [text]) throws -> JSONValue {
        var trainer = try BytePairTrainer(options)
        for text in texts { trainer.add(text.utf8) }
        return try trainer.train()
    }

    private func merges(_ document: JSONValue) -> [String] {
        document["model"]?["merges"]?.arrayValue?.compactMap { pair in
            pair.arrayValue?.compactMap(\.stringValue).joined(separator: " ")
        } ?? []
    }

    /// Worked by hand: "ab" three times, "abc" twice; then nothing occurs twice.
    @Test func mergesTheMostFrequentPair() throws {
        let options = BytePairTrainer.Options(vocabularySize: 300, specialTokens: [])
        #expect(merges(try train(options, ["ab", "abc", "abc"])) == ["a b", "ab c"])
        // Of equally frequent pairs the one with the lower numbers comes first.
        #expect(merges(try train(options, ["xy", "xy", "cd", "cd"])) == ["c d", "x y"])
        // Overlapping pairs are merged from the left.
        #expect(merges(try train(options, ["aaa", "aaa"])) == ["a a", "aa a"])
        #expect(merges(try train(options, [])) == [])
    }

    @Test(arguments: BytePairTrainer.Splitting.allCases) func whatItWritesCanBeUsed(
        splitting: BytePairTrainer.Splitting
    ) throws {
        let options = BytePairTrainer.Options(
            vocabularySize: 290, specialTokens: ["<|endoftext|>", "<pad>"], splitting: splitting)
        let document = try train(options)
        let tokenizer = try PipelineTokenizer(document, source: "trained")
        #expect(tokenizer.vocabularySize == 290)
        #expect(tokenizer.id(of: "<|endoftext|>") == 0 && tokenizer.id(of: "<pad>") == 1)
        let tokens = tokenizer.encode(Self.text)
        #expect(tokens.count < Self.text.utf8.count / 2)
        #expect(try tokenizer.decode(tokens, skippingSpecials: false) == Self.text)
        #expect(tokenizer.encode("<pad>") == [1])
        // The same texts in other pieces and another order give the same file.
        let lines = Self.text.split(separator: "\n").reversed().map { String($0) + "\n" }
        #expect(try train(options, lines) == document)
    }

    @Test func tellsItsProgress() throws {
        var trainer = try BytePairTrainer(.init(vocabularySize: 270))
        trainer.add(Self.text.utf8)
        var steps: [BytePairTrainer.Progress] = []
        _ = try trainer.train { steps.append($0) }
        #expect(steps.map(\.tokens) == Array(258...270))
        #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.frequency >= $1.frequency })
        struct Stop: Error {}
        #expect(throws: Stop.self) { try trainer.train { _ in throw Stop() } }
    }

    @Test func stopsAtRarePairs() throws {
        let options = BytePairTrainer.Options(vocabularySize: 1000, minimumFrequency: 3, specialTokens: [])
        #expect(merges(try train(options, ["ab", "ab", "cd", "cd", "cd"])) == ["c d"])
    }

    @Test func takesBytesThatAreNotText() throws {
        var trainer = try BytePairTrainer(.init(vocabularySize: 300))
        trainer.add([UInt8](repeating: 0xFF, count: 10_000))
        let tokenizer = try PipelineTokenizer(trainer.train(), source: "trained")
        let bytes: [UInt8] = [0xFF, 0xFF, 0x41, 0xFE]
        #expect(try tokenizer.decode(tokenizer.encode(bytes)) == bytes)
    }

    @Test(
        arguments: [
            .init(vocabularySize: 256), .init(vocabularySize: 300, minimumFrequency: 0),
            .init(vocabularySize: 300, specialTokens: ["a"]), .init(vocabularySize: 300, specialTokens: [""]),
            .init(vocabularySize: 300, specialTokens: ["<s>", "<s>"]), .init(vocabularySize: 1 << 30),
        ] as [BytePairTrainer.Options])
    func refusesImpossibleOptions(options: BytePairTrainer.Options) {
        let error = #expect(throws: RondoError.self) { try BytePairTrainer(options) }
        #expect(error?.code == .invalidArgument)
    }
}

@Suite struct TextTokenizerTests {
    @Test func readsAFolder() throws {
        let folder = try TemporaryFolder()
        try AtomicFile.write(FileSystem.readBytes(Vectors.path("llama3")), to: folder.file("tokenizer.json"))
        try AtomicFile.write(
            #"{"bos_token": {"content": "<|begin_of_text|>", "lstrip": false}, "eos_token": "wrong"}"#,
            to: folder.file("special_tokens_map.json"))
        try AtomicFile.write(
            """
            {"eos_token": "<|eot_id|>", "pad_token": null, "add_bos_token": true, "model_max_length": 131072,
             "chat_template": [{"name": "tool", "template": "t"}, {"name": "default", "template": "{{ x }}"}], "other": 1}
            """, to: folder.file("tokenizer_config.json"))
        let tokenizer = try TextTokenizer(folder: folder.path)
        #expect(tokenizer.beginToken == tokenizer.tokenizer.id(of: "<|begin_of_text|>"))
        #expect(tokenizer.endToken == tokenizer.tokenizer.id(of: "<|eot_id|>"))
        #expect(tokenizer.paddingToken == nil && tokenizer.unknownToken == nil)
        #expect(tokenizer.configuration.addsBeginToken == true && tokenizer.configuration.addsEndToken == nil)
        #expect(tokenizer.configuration.maximumLength == 131_072)
        #expect(tokenizer.configuration.chatTemplate == "{{ x }}")
        #expect(try tokenizer.decode(tokenizer.encode("the end")) == Array("the end".utf8))
    }

    @Test func needsOnlyTheTokenizer() throws {
        let folder = try TemporaryFolder()
        #expect(throws: RondoError.self) { try TextTokenizer(folder: folder.path) }
        try AtomicFile.write(FileSystem.readBytes(Vectors.path("bert")), to: folder.file("tokenizer.json"))
        #expect(try TextTokenizer(folder: folder.path).configuration == TokenizerConfiguration())
    }

    @Test(arguments: [
        #"{"eos_token": "nope"}"#, #"{"eos_token": 3}"#, #"{"bos_token": {}}"#, "[]", #"{"chat_template": 1}"#,
    ])
    func refusesWhatCannotBe(text: String) throws {
        let folder = try TemporaryFolder()
        try AtomicFile.write(FileSystem.readBytes(Vectors.path("gpt2")), to: folder.file("tokenizer.json"))
        try AtomicFile.write(text, to: folder.file("tokenizer_config.json"))
        let error = #expect(throws: RondoError.self) { try TextTokenizer(folder: folder.path) }
        #expect(error?.code == .corruptFile)
    }
}

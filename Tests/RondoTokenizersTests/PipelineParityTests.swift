import Foundation
import RondoIO
import RondoTensor
import RondoTokenizers
import Testing

/// Every kind of tokenizer against the tokenizers library.
@Suite struct PipelineParityTests {
    @Test func thereAreVectors() { #expect(Vectors.names.count >= 25) }

    @Test(arguments: Vectors.names) func encodes(name: String) throws {
        let vectors = try Vectors(name)
        let expected = try vectors.tokenLists("encoded")
        #expect(expected.count == vectors.texts.count)
        for (text, tokens) in zip(vectors.texts, expected) {
            #expect(vectors.tokenizer.encode(text) == tokens, "\(name): \(text.debugDescription)")
        }
        for (text, tokens) in zip(vectors.texts, try vectors.tokenLists("surrounded")) {
            let options = EncodingOptions(addsSpecialTokens: true)
            #expect(vectors.tokenizer.encode(text, options: options) == tokens, "\(name): \(text.debugDescription)")
        }
    }

    @Test(arguments: Vectors.names) func decodes(name: String) throws {
        let vectors = try Vectors(name)
        let lists = try vectors.tokenLists("tokens")
        for (tokens, text) in zip(lists, try vectors.strings("decoded")) {
            let own = try vectors.tokenizer.decode(tokens, skippingSpecials: false)
            #expect(own.isIdentical(to: text), "\(name): \(tokens)")
        }
        for (tokens, text) in zip(lists, try vectors.strings("skipped")) {
            let own = try vectors.tokenizer.decode(tokens, skippingSpecials: true)
            #expect(own.isIdentical(to: text), "\(name): \(tokens)")
        }
    }

    /// Piece by piece, through a saved state at every step, the text is the same and no character is cut.
    @Test(arguments: Vectors.names) func streams(name: String) throws {
        let vectors = try Vectors(name)
        let lists = try vectors.tokenLists("tokens") + vectors.tokenLists("encoded")
        for tokens in lists {
            var detokenizer = StreamingDetokenizer(vectors.tokenizer)
            var pieces: [UInt8] = []
            for token in tokens {
                let piece = try detokenizer.append(token)
                #expect(String(validating: piece, as: UTF8.self) != nil, "\(name): \(tokens)")
                pieces += piece
                let saved = try JSONEncoder().encode(detokenizer.state)
                detokenizer = StreamingDetokenizer(vectors.tokenizer)
                detokenizer.state = try JSONDecoder().decode(DecoderState.self, from: saved)
            }
            pieces += detokenizer.finish()
            let whole = try vectors.tokenizer.decode(tokens, skippingSpecials: false)
            #expect(pieces.elementsEqual(whole.utf8), "\(name): \(tokens)")
        }
    }

    /// What a cache has learnt does not change what comes after.
    @Test(arguments: Vectors.names) func remembersNothing(name: String) throws {
        let vectors = try Vectors(name)
        let expected = try vectors.tokenLists("encoded")
        for (text, tokens) in zip(vectors.texts, expected).reversed() {
            #expect(vectors.tokenizer.encode(text) == tokens)
        }
    }
}

@Suite struct PipelineTests {
    @Test func bytesThatAreNotTextSurviveAByteLevelTokenizer() throws {
        let tokenizer = try Vectors.tokenizer("gpt2")
        var generator = SystemRandomNumberGenerator()
        let bytes = [UInt8](0...255) + (0..<2000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        #expect(try tokenizer.decode(tokenizer.encode(bytes)) == bytes)
    }

    @Test(arguments: ["qwen2", "gemma", "bert", "t5"]) func otherTokenizersSeeReplacements(name: String) throws {
        let tokenizer = try Vectors.tokenizer(name)
        let bytes: [UInt8] = Array("the ".utf8) + [0xFF, 0xE2, 0x82] + Array(" end".utf8)
        #expect(tokenizer.encode(bytes) == tokenizer.encode("the \u{FFFD}\u{FFFD} end"))
    }

    @Test func specialTokensCanBeText() throws {
        let tokenizer = try Vectors.tokenizer("gpt2")
        let end = try #require(tokenizer.id(of: "<|endoftext|>"))
        #expect(tokenizer.specialTokens.map(\.id) == [end])
        #expect(tokenizer.encode("a<|endoftext|>").last == end)
        let asText = tokenizer.encode("a<|endoftext|>", options: EncodingOptions(recognizesSpecialTokens: false))
        #expect(!asText.contains(end))
        #expect(try tokenizer.decode(asText, skippingSpecials: true) == "a<|endoftext|>")
    }

    @Test func looksTokensUp() throws {
        let tokenizer = try Vectors.tokenizer("gpt2")
        for id in 0..<Int32(tokenizer.vocabularySize) {
            let token = try #require(tokenizer.token(id))
            #expect(tokenizer.id(of: token) == id)
        }
        #expect(tokenizer.token(-1) == nil)
        #expect(tokenizer.token(Int32(tokenizer.vocabularySize)) == nil)
        #expect(tokenizer.id(of: "no such token") == nil)
        #expect(tokenizer.id(of: "") == nil)
    }

    @Test(arguments: [-1, Int32.max]) func refusesTokensOutsideTheVocabulary(token: Int32) throws {
        let tokenizer = try Vectors.tokenizer("gpt2")
        let error = #expect(throws: RondoError.self) { try tokenizer.decode([1, token]) }
        #expect(error?.code == .outOfRange)
        // A failed call changes nothing.
        var detokenizer = StreamingDetokenizer(tokenizer)
        let state = detokenizer.state
        #expect(throws: RondoError.self) { try detokenizer.append(contentsOf: [1, 2, token]) }
        #expect(detokenizer.state == state)
    }

    /// Long words without a seam: in time that is nearly linear, or this test would not end.
    @Test(arguments: ["gpt2", "llama3", "gemma", "t5", "bert", "o200k"], ["a", " ", "aeiou", "\u{4E00}", "'", "\n "])
    func longInputsEnd(name: String, unit: String) throws {
        let tokenizer = try Vectors.tokenizer(name)
        let text = String(repeating: unit, count: 300_000 / unit.utf8.count)
        let tokens = tokenizer.encode(text)
        #expect(!tokens.isEmpty || name == "bert" || name == "t5")
        if name == "gpt2" { #expect(try tokenizer.decode(tokens, skippingSpecials: false) == text) }
    }

    @Test func isOneTokenizerAmongOthers() throws {
        let tokenizers: [any Tokenizer] = [ByteVocabulary(), try Vectors.tokenizer("llama3")]
        for tokenizer in tokenizers {
            let bytes = Array("Once upon a time…".utf8)
            #expect(try tokenizer.decode(tokenizer.encode(bytes)) == bytes)
            #expect(tokenizer.encode(bytes).allSatisfy { $0 < tokenizer.vocabularySize })
        }
    }

    @Test func encodesFromManyTasksAtOnce() async throws {
        let vectors = try Vectors("llama3")
        let expected = try vectors.tokenLists("encoded")
        let tokenizer = vectors.tokenizer
        let texts = vectors.texts
        await withTaskGroup { group in
            for _ in 0..<8 { group.addTask { texts.map { tokenizer.encode($0) } } }
            for await tokens in group { #expect(tokens == expected) }
        }
    }
}

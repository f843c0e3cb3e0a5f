import Foundation
import RondoIO
import RondoTensor
import RondoTokenizers
import Testing

/// Files that are damaged, hostile or ask for what does not exist are refused by name; none of them ends the process.
@Suite struct MalformedFileTests {
    private func load(_ text: String) throws -> PipelineTokenizer {
        try PipelineTokenizer(JSONValue(parsing: text, source: "test.json"), source: "test.json")
    }

    private static let vocabulary = #""vocab": {"<unk>": 0, "a": 1, "b": 2, "ab": 3}"#

    private static func bytePair(_ more: String = "", merges: String = #"["a b"]"#) -> String {
        #"{"model": {"type": "BPE", \#(vocabulary), "merges": \#(merges)\#(more)}}"#
    }

    private static func with(_ part: String) -> String {
        #"{\#(part), "model": {"type": "BPE", \#(vocabulary), "merges": ["a b"]}}"#
    }

    @Test func theSmallestFileWorks() throws {
        let tokenizer = try load(Self.bytePair())
        #expect(tokenizer.encode("abba") == [3, 2, 1])
        #expect(try tokenizer.decode([3, 2, 1], skippingSpecials: false) == "ab b a")
        // Files before the type was written down.
        let old = #"{"model": {\#(Self.vocabulary), "merges": [["a", "b"]], "dropout": null}}"#
        #expect(try load(old).encode("abba") == [3, 2, 1])
    }

    /// What makes no sense, and a word of the message that says where.
    @Test(
        arguments: [
            ("[]", "object"), ("{}", "model"), (#"{"model": 3}"#, "model"), (#"{"model": {}}"#, "vocab"),
            (#"{"model": {"type": "BPE", "vocab": {}, "merges": []}}"#, "empty"),
            (#"{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}"#, "vocab['a']"),
            (#"{"model": {"type": "BPE", "vocab": {"a": 4294967295}, "merges": []}}"#, "vocab['a']"),
            (#"{"model": {"type": "BPE", "vocab": {"a": 1e300}, "merges": []}}"#, "vocab['a']"),
            (#"{"model": {"type": "BPE", "vocab": {"a": "b"}, "merges": []}}"#, "vocab['a']"),
            (#"{"model": {"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}}"#, "number 0"),
            (bytePair(merges: #"["a c"]"#), "'c'"), (bytePair(merges: #"["b a"]"#), "'ba'"),
            (bytePair(merges: #"["ab"]"#), "element 0"), (bytePair(merges: #"[["a"]]"#), "element 0"),
            (bytePair(merges: "{}"), "merges"), (bytePair(#", "surprise": 1"#), "surprise"),
            (bytePair(#", "unk_token": "nope""#), "nope"), (bytePair(#", "fuse_unk": 1"#), "fuse_unk"),
            (#"{"model": {"type": "Unigram", "vocab": [["a", -1]], "unk_id": 1}}"#, "unk_id"),
            (#"{"model": {"type": "Unigram", "vocab": [["a", -1]]}}"#, "unk_id"),
            (#"{"model": {"type": "Unigram", "vocab": [["a"]], "unk_id": 0}}"#, "element 0"),
            (#"{"model": {"type": "Unigram", "vocab": [["a", 1e999]], "unk_id": 0}}"#, "element 0"),
            (#"{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "u"}}"#, "'u'"),
            (with(#""added_tokens": [{"id": 9}]"#), "content"),
            (with(#""normalizer": {"type": "Strip"}"#), "strip_left"),
            (with(#""normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA!"}"#), "charsmap"),
            (with(#""normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////w=="}"#), "charsmap"),
            (with(#""pre_tokenizer": {"type": "FixedLength", "length": 0}"#), "length"),
            (with(#""pre_tokenizer": {"type": "Metaspace", "replacement": "__"}"#), "replacement"),
            (
                with(
                    #""post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, "#
                        + #"{"SpecialToken": {"id": "x"}}]}"#),
                "'x'"
            ),
            (with(#""decoder": {"type": "Strip", "content": "ab", "start": 1, "stop": 0}"#), "content"),
        ])
    func refusesNonsense(text: String, place: String) {
        let error = #expect(throws: RondoError.self) { try load(text) }
        #expect(error?.code == .corruptFile)
        #expect(error?.message.contains("test.json") == true && error?.message.contains(place) == true, "\(text)")
    }

    /// What may make sense but is not implemented.
    @Test(
        arguments: [
            (with(#""version": "2.0""#), "version"), (with(#""normalizer": {"type": "New"}"#), "'New'"),
            (with(#""pre_tokenizer": {"type": "UnicodeScripts"}"#), "'UnicodeScripts'"),
            (with(#""post_processor": {"type": "New"}"#), "'New'"), (with(#""decoder": {"type": "CTC"}"#), "'CTC'"),
            (#"{"model": {"type": "New"}}"#, "'New'"), (bytePair(#", "dropout": 0.1"#), "dropout"),
            (
                with(
                    #""pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a)\\1"}, "behavior": "Isolated", "#
                        + #""invert": false}"#), #"\1"#
            ),
            (
                with(
                    #""pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Odd", "#
                        + #""invert": false}"#), "'Odd'"
            ),
        ])
    func refusesTheUnknown(text: String, name: String) {
        let error = #expect(throws: RondoError.self) { try load(text) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains(name) == true, "\(error?.message ?? "")")
    }

    @Test func refusesAddedTokensThatContradictTheVocabulary() {
        func added(_ content: String, _ id: Int) -> String {
            #"{"id": \#(id), "content": "\#(content)", "single_word": false, "lstrip": false, "rstrip": false, "#
                + #""normalized": false, "special": true}"#
        }
        let lists = [
            [added("x", 1)], [added("a", 7)], [added("", 7)], [added("x", 7), added("x", 8)],
            [added("x", 7), added("y", 7)], [added("x", 1 << 40)],
        ]
        for list in lists {
            let text = Self.with(#""added_tokens": [\#(list.joined(separator: ","))]"#)
            let error = #expect(throws: RondoError.self) { try load(text) }
            #expect(error?.message.contains("added_tokens") == true)
        }
        #expect(throws: Never.self) { try load(Self.with(#""added_tokens": [\#(added("a", 1)), \#(added("x", 9))]"#)) }
    }

    /// Each of these would make a text of one character endless.
    @Test func refusesBombs() {
        let doubling = #"{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"#
        let bytes = #"{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}"#
        let twice = #"{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, {"Sequence": {"id": "A"}}]}"#
        func list(_ item: String) -> String { "[" + [String](repeating: item, count: 60).joined(separator: ",") + "]" }
        for part in [
            #""normalizer": {"type": "Sequence", "normalizers": \#(list(doubling))}"#,
            #""decoder": {"type": "Sequence", "decoders": \#(list(doubling))}"#,
            #""pre_tokenizer": {"type": "Sequence", "pretokenizers": \#(list(bytes))}"#,
            #""post_processor": {"type": "Sequence", "processors": \#(list(twice))}"#,
        ] {
            let error = #expect(throws: RondoError.self) { try load(Self.with(part)) }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func refusesDeepNesting() {
        let depth = 5000
        let nested =
            String(repeating: #"{"type": "Sequence", "normalizers": ["#, count: depth)
            + String(repeating: "]}", count: depth)
        #expect(throws: RondoError.self) { try load(Self.with(#""normalizer": \#(nested)"#)) }
    }

    /// Truncation and padding are for the caller to decide.
    @Test func skipsTruncationAndPadding() throws {
        let part = #""truncation": {"max_length": 1}, "padding": {"strategy": "BatchLongest"}"#
        #expect(try load(Self.with(part)).encode("aaa").count == 3)
    }

    /// Damage anywhere either leaves a tokenizer or an error, and what is left can be used.
    @Test(arguments: ["llama3", "bert", "unigram_fallback", "clip", "t5"]) func damageIsHarmless(name: String) throws {
        let bytes = try FileSystem.readBytes(Vectors.path(name))
        var generator = Generator(seed: 5)
        for _ in 0..<60 {
            var damaged = bytes
            for _ in 0..<3 {
                let position = Int(generator.next() % UInt64(damaged.count))
                damaged[position] = UInt8(truncatingIfNeeded: generator.next() % 128)
            }
            guard let document = try? JSONValue(parsing: damaged, source: "damaged") else { continue }
            do {
                let tokenizer = try PipelineTokenizer(document, source: "damaged")
                let tokens = tokenizer.encode("Hello <s> wörld 123\n")
                _ = try tokenizer.decode(tokens, skippingSpecials: true)
            } catch {
                #expect(error is RondoError)
            }
        }
    }
}

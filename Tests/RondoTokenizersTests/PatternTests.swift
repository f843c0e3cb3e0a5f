import RondoTensor
import Testing

@testable import RondoTokenizers

@Suite struct PatternTests {
    /// All matches of a pattern in a text.
    private func matches(_ pattern: String, _ text: String) throws -> [String] {
        let finder = SegmentFinder.pattern(try PatternMatcher(pattern))
        var result: [String] = []
        let bytes = Array(text.utf8)
        bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            finder.forEachSegment(base, 0..<buffer.count) { start, end, isMatch in
                if isMatch { result.append(String(decoding: buffer[start..<end], as: UTF8.self)) }
            }
        }
        return result
    }

    @Test(
        arguments: [
            ("a|ab", "abab", ["a", "a"]), ("ab|a", "aba", ["ab", "a"]), ("a*?b", "aab", ["aab"]),
            ("a{2}", "aaaaa", ["aa", "aa"]), ("a{1,2}", "aaa", ["aa", "a"]), ("a{,2}b", "aaab", ["aab"]),
            ("a{x}", "a{x}", ["a{x}"]), ("(?:ab)+", "ababa", ["abab"]), ("(ab)+?", "abab", ["ab", "ab"]),
            ("a++a", "aaa", []), ("(?>a+)a", "aaa", []), ("(?:ab)*+a", "ababa", ["ababa"]), ("(?:ab)*+ab", "abab", []),
            ("a+a", "aaa", ["aaa"]),
            ("a{1,2}+b", "aaab", ["aaab"]), (".", "a\nb", ["a", "b"]), ("^a", "a\na", ["a", "a"]),
            ("a$", "a\na", ["a", "a"]), (#"\Aa"#, "aa", ["a"]), (#"a\z"#, "aa", ["a"]), (#"a\Z"#, "a\n", ["a"]),
            (#"\s+(?!\S)"#, "a  b ", [" ", " "]), ("(?<=a)b", "abcb", ["b"]), ("(?<!a)b", "abcb", ["b"]),
            ("(?i:s|K)", "ſKskK", ["ſ", "K", "s", "k", "K"]), ("(?i)ab|c", "aBC", ["aB", "C"]),
            ("[^a-c]", "abcd", ["d"]), ("[a-c&&[^b]]", "abc", ["a", "c"]), ("[]a]", "]a", ["]", "a"]),
            (#"[\]\-\\]"#, #"]-\"#, ["]", "-", #"\"#]), ("[a-]", "-a", ["-", "a"]),
            (#"[\p{L}\d]+"#, "aé5-٣", ["aé5", "٣"]),
            (#"\p{Lu}\P{Lu}"#, "aBc", ["Bc"]), (#"\p{^L}"#, "a1", ["1"]), (#"\p{Han}+"#, "a漢字b", ["漢字"]),
            (#"\x41\u00e9\x{1F600}"#, "Aé😀", ["Aé😀"]), (#"\bab\b"#, "ab abc", ["ab"]), (#"\Bb"#, "ab b", ["b"]),
            (#"\w+"#, "a_1 é²", ["a_1", "é²"]), (#"\h+"#, "xfFg", ["fF"]), ("", "ab", ["", "", ""]),
            ("b*", "abb", ["", "bb"]),
        ] as [(String, String, [String])])
    func findsAsOnigurumaDoes(pattern: String, text: String, expected: [String]) throws {
        #expect(try matches(pattern, text) == expected, "\(pattern)")
    }

    @Test(
        arguments: [
            (#"(a)\1"#, #"\1"#), (#"\p{Thai}"#, "Thai"), ("[[:alpha:]]", "POSIX"), ("(?<name>a)", "(?<n"),
            ("(?m:a)", "(?m:"), (#"\K"#, #"\K"#), ("a{5000}", "repetitions"), ("((ab){900}){900}", "repetitions"),
            ("(?:a*)*", "nothing"), ("(?<=a+)b", "look-behind"), ("^*", "anchor"), (#"\G"#, #"\G"#),
        ])
    func refusesByName(pattern: String, name: String) {
        let error = #expect(throws: RondoError.self) { try PatternMatcher(pattern) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains(name) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: ["(", ")", "[a", "[z-a]", "*", #"\"#, #"\x{110000}"#, #"\p{"#])
    func refusesWhatIsNoPattern(pattern: String) {
        #expect(throws: RondoError.self) { try PatternMatcher(pattern) }
    }

    @Test func refusesDeepPatterns() {
        let pattern = String(repeating: "(", count: 100_000) + String(repeating: ")", count: 100_000)
        #expect(throws: RondoError.self) { try PatternMatcher(pattern) }
    }

    /// Patterns that take exponential time without memory.
    @Test(arguments: ["(?:a+)+b", "(?:a|a)+b", "(?:a|aa)+b", "(?:(?:a+)+)+b"]) func failsInTime(pattern: String) throws
    {
        #expect(try matches(pattern, String(repeating: "a", count: 60)) == [])
    }

    /// The loops of well-known patterns cut as the patterns themselves do.
    @Test(arguments: [WordScanner.gpt2Pattern, WordScanner.llama3Pattern]) func scannersArePatterns(
        pattern: String
    ) throws {
        let scanner = try #require(WordScanner(pattern: pattern))
        var generator = Generator(seed: 9)
        let alphabet = Array("aZé漢 1٣½'sſtSlLvrem \n\r\t\u{A0}.!👍\u{301}\u{85}")
        for _ in 0..<400 {
            let text = String((0..<24).map { _ in alphabet[Int(generator.next() % UInt64(alphabet.count))] })
            var words: [String] = []
            let bytes = Array(text.utf8)
            bytes.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                scanner.forEachWord(base, 0..<buffer.count) { start, end in
                    words.append(String(decoding: buffer[start..<end], as: UTF8.self))
                }
            }
            #expect(
                try matches(pattern, text).elementsEqual(words) { $0.isIdentical(to: $1) }, "\(text.debugDescription)")
        }
    }
}

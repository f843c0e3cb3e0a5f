import RondoData
import RondoIO
import RondoTensor
import Testing

/// The languages as their definitions say it, without automata and grammars.
private enum Definition {
    static func contains(_ string: String, _ language: RegularLanguage) -> Bool {
        let zeros = string.count { $0 == "0" }
        let ones = string.count - zeros
        switch language {
        case .tomita1: return zeros == 0
        case .tomita2: return string.wholeMatch(of: /(10)*/) != nil
        case .tomita3:
            let runs = runs(of: string)
            return !zip(runs, runs.dropFirst()).contains { first, second in
                first.hasPrefix("1") && first.count % 2 == 1 && second.count % 2 == 1
            }
        case .tomita4: return !string.contains("000")
        case .tomita5: return zeros % 2 == 0 && ones % 2 == 0
        case .tomita6: return (zeros - ones) % 3 == 0
        case .tomita7: return string.wholeMatch(of: /0*1*0*1*/) != nil
        case .evenPairs: return zip(string, string.dropFirst()).count { $0 != $1 } % 2 == 0
        }
    }

    static func contains(_ string: String, _ language: ContextFreeLanguage) -> Bool {
        func count(_ symbol: Character) -> Int { string.count { $0 == symbol } }
        switch language {
        case .equalRuns: return string.wholeMatch(of: /a+b+/) != nil && count("a") == count("b")
        case .addition:
            return string.wholeMatch(of: /a+b+c+/) != nil && count("a") + count("b") == count("c")
        case .palindromes: return !string.isEmpty && String(string.reversed()) == string
        case .markedPalindromes:
            return string.wholeMatch(of: /[ab]*c[ab]*/) != nil && String(string.reversed()) == string
        case .brackets:
            var left = string
            while let pair = left.firstRange(of: "()") ?? left.firstRange(of: "[]") { left.removeSubrange(pair) }
            return left.isEmpty && !string.isEmpty
        }
    }

    private static func runs(of string: String) -> [String] {
        string.reduce(into: [String]()) { runs, symbol in
            if runs.last?.last == symbol { runs[runs.count - 1].append(symbol) } else { runs.append(String(symbol)) }
        }
    }

    /// All strings of a length.
    static func strings(_ symbols: [String], _ length: Int) -> [String] {
        length == 0 ? [""] : strings(symbols, length - 1).flatMap { start in symbols.map { start + $0 } }
    }
}

@Suite struct FormalLanguageTests {
    private func tokens(_ string: String, _ language: some FormalLanguage) -> [Int32] {
        string.map { symbol in Int32(language.symbols.firstIndex(of: String(symbol)) ?? 0) }
    }

    @Test(arguments: RegularLanguage.allCases) func automataAcceptWhatIsDefined(language: RegularLanguage) {
        let automaton = language.automaton
        for string in (0...10).flatMap({ Definition.strings(["0", "1"], $0) }) {
            let expected = Definition.contains(string, language)
            #expect(automaton.contains(tokens(string, automaton)) == expected, "\(string)")
            #expect(automaton.complement.contains(tokens(string, automaton)) != expected)
        }
    }

    @Test(arguments: ContextFreeLanguage.allCases) func grammarsDeriveWhatIsDefined(language: ContextFreeLanguage) {
        let grammar = language.grammar
        for string in (0...(grammar.symbols.count == 2 ? 9 : 6)).flatMap({ Definition.strings(grammar.symbols, $0) }) {
            #expect(grammar.contains(tokens(string, grammar)) == Definition.contains(string, language), "\(string)")
        }
    }

    /// Expects all strings of a length, inside or outside, to be drawn, and about equally often.
    private func expectEvenDraws(
        of language: some FormalLanguage, length: Int, isInside: (String) -> Bool
    ) throws {
        let all = Definition.strings(language.symbols, length)
        var generator = Generator(seed: 6)
        for inside in [true, false] {
            let expected = Set(all.filter { isInside($0) == inside })
            guard !expected.isEmpty else { continue }
            var counts: [String: Int] = [:]
            let draws = 100 * expected.count
            for _ in 0..<draws {
                let string =
                    inside
                    ? language.member(length: length, using: &generator)
                    : language.stranger(length: length, using: &generator)
                counts[try #require(string).map { language.symbols[Int($0)] }.joined(), default: 0] += 1
            }
            #expect(Set(counts.keys) == expected)
            // 100 expected, so that six deviations are 60.
            #expect(counts.values.allSatisfy { abs($0 - 100) < 60 }, "\(counts)")
        }
    }

    @Test func stringsOfALengthAreEquallyLikely() throws {
        for language in RegularLanguage.allCases {
            let length = language.automaton.longestLength(upTo: 6) ?? 0
            try expectEvenDraws(of: language.automaton, length: length) { Definition.contains($0, language) }
        }
        for language in [ContextFreeLanguage.palindromes, .equalRuns] {
            try expectEvenDraws(of: language.grammar, length: 6) { Definition.contains($0, language) }
        }
        for language in [ContextFreeLanguage.brackets, .markedPalindromes, .addition] {
            let length = try #require(language.grammar.longestLength(upTo: 4))
            try expectEvenDraws(of: language.grammar, length: length) { Definition.contains($0, language) }
        }
    }

    @Test func theLongestLengthIsThatOfAString() {
        #expect(RegularLanguage.tomita2.automaton.longestLength(upTo: 7) == 6)
        #expect(RegularLanguage.tomita2.automaton.longestLength(upTo: 1) == nil)
        #expect(RegularLanguage.tomita4.automaton.longestLength(upTo: 7) == 7)
        #expect(ContextFreeLanguage.equalRuns.grammar.longestLength(upTo: 7) == 6)
        #expect(ContextFreeLanguage.addition.grammar.longestLength(upTo: 3) == nil)
        #expect(ContextFreeLanguage.markedPalindromes.grammar.longestLength(upTo: 6) == 5)
    }

    @Test func longStringsCanBeDrawn() throws {
        var generator = Generator(seed: 0)
        for language in RegularLanguage.allCases {
            let automaton = language.automaton
            let string = try #require(automaton.member(length: 5000, using: &generator) ?? nil)
            #expect(string.count == 5000 && automaton.contains(string))
        }
        for language in ContextFreeLanguage.allCases {
            let length = try #require(language.grammar.longestLength(upTo: 1000))
            let string = try #require(language.grammar.member(length: length, using: &generator))
            let text = string.map { language.grammar.symbols[Int($0)] }.joined()
            #expect(length >= 996 && Definition.contains(text, language))
        }
    }

    @Test func impossibleTablesAreRefused() throws {
        #expect(throws: RondoError.self) { try FiniteAutomaton(symbols: ["a"], transitions: [[1]], accepting: []) }
        #expect(throws: RondoError.self) { try FiniteAutomaton(symbols: ["a"], transitions: [[0, 0]], accepting: []) }
        #expect(throws: RondoError.self) { try FiniteAutomaton(symbols: ["a"], transitions: [[0]], accepting: [1]) }
        #expect(throws: RondoError.self) { try FiniteAutomaton(symbols: ["a"], transitions: [], accepting: []) }
        let own = try FiniteAutomaton(symbols: ["a", "b"], transitions: [[0, 1], [1, 1]], accepting: [0])
        #expect(own.contains([0, 0]) && !own.contains([0, 1, 0]))
        #expect(throws: RondoError.self) {
            try ContextFreeGrammar(symbols: ["a"], pairs: [.init(0, 64, 0)], leaves: [])
        }
        #expect(throws: RondoError.self) { try ContextFreeGrammar(symbols: ["a"], pairs: [], leaves: [.init(0, 1)]) }
        #expect(
            try ContextFreeGrammar(symbols: ["a"], pairs: [.init(0, 0, 0)], leaves: [.init(0, 0)]).contains([0, 0]))
    }
}

@Suite struct LanguageTaskTests {
    @Test(arguments: RegularLanguage.allCases) func regularAnswersAreRight(language: RegularLanguage) throws {
        for atEnd in [false, true] {
            let regular = try task(
                RegularLanguageTask.self,
                #"{"language": "\#(language.rawValue)", "asks_at_end_only": \#(atEnd)}"#)
            var inside = 0
            try forEachExample(of: regular, lengths: [12, 13, 30], count: 150) { example, length in
                #expect((length - 1...length).contains(example.inputs.count))
                #expect(example.asked == Array((atEnd ? example.inputs.count - 1 : 0)..<example.inputs.count))
                for end in example.asked {
                    let expected = Definition.contains(String(example.text.prefix(end + 1)), language)
                    #expect(example.classes[end] == (expected ? 1 : 0), "\(example.text)")
                }
                if example.classes.last == 1 { inside += 1 }
            }
            #expect(abs(share(inside, of: 150) - 0.5) < 0.17)
        }
        expectRefusal(RegularLanguageTask.self, #"{"language": "tomita8"}"#, naming: "tomita7")
    }

    @Test(arguments: ContextFreeLanguage.allCases) func contextFreeAnswersAreRight(language: ContextFreeLanguage) throws
    {
        let contextFree = try task(ContextFreeLanguageTask.self, #"{"language": "\#(language.rawValue)"}"#)
        var inside = 0
        try forEachExample(of: contextFree, lengths: [6, 9, 32], count: 600) { example, length in
            #expect((length - 1...length).contains(example.inputs.count))
            #expect(example.asked == [example.inputs.count - 1])
            #expect(example.classes.last == (Definition.contains(example.text, language) ? 1 : 0), "\(example.text)")
            if example.classes.last == 1 { inside += 1 }
        }
        #expect(abs(share(inside, of: 600) - 0.5) < 0.1)
        expectRefusal(contextFree, length: 1001)
    }

    @Test func shortStringsAreRefused() throws {
        expectRefusal(try task(RegularLanguageTask.self, #"{"language": "tomita2"}"#), length: 1)
        expectRefusal(ContextFreeLanguageTask(), length: 1)
    }
}

@Suite struct DyckTaskTests {
    private static let closing: [Character: Character] = ["(": ")", "[": "]", "{": "}", "<": ">"]

    @Test(arguments: [(1, 3), (2, 8), (4, 1)]) func theDueBracketIsThatOpenedLast(kinds: Int, depth: Int) throws {
        let dyck = try task(DyckTask.self, #"{"kinds": \#(kinds), "max_depth": \#(depth)}"#)
        try forEachExample(of: dyck, lengths: 1...30, count: 60) { example, length in
            #expect(example.asked == Array(0..<length))
            for end in 0..<length {
                // Pairs that belong together vanish; what is left are open brackets.
                var left = example.text.prefix(end + 1)
                while let pair = ["()", "[]", "{}", "<>"].lazy.compactMap({ left.firstRange(of: $0) }).first {
                    left.removeSubrange(pair)
                }
                #expect(left.count <= depth && left.allSatisfy { Self.closing[$0] != nil })
                #expect(example.answers[end] == left.last.flatMap { Self.closing[$0] }.map(String.init) ?? "-")
            }
        }
    }

    @Test func answersAreAsLikelyAsTheCardSays() throws {
        let dyck = try task(DyckTask.self, #"{"max_depth": 4, "asks_at_end_only": true}"#)
        var counts: [Int32: Int] = [:]
        try forEachExample(of: dyck, lengths: [60, 61], count: 8000) { example, length in
            #expect(example.asked == [length - 1])
            counts[example.classes[length - 1], default: 0] += 1
        }
        #expect(abs(share(counts[2] ?? 0, of: 8000) - 1.0 / 8) < 0.015, "\(counts)")
        #expect(abs(share(counts[0] ?? 0, of: 8000) - 7.0 / 16) < 0.025, "\(counts)")
    }

    @Test func manyKindsHaveNumbers() throws {
        let dyck = try task(DyckTask.self, #"{"kinds": 5}"#)
        #expect(dyck.text(ofInput: 4) == "(4" && dyck.text(ofInput: 9) == "4)" && dyck.text(ofOutput: 5) == "-")
        expectRefusal(DyckTask.self, #"{"kinds": 0}"#, naming: "kinds 0")
        expectRefusal(DyckTask.self, #"{"max_depth": 0}"#, naming: "max_depth 0")
    }
}

@Suite struct CyclicNavigationTaskTests {
    @Test(arguments: [2, 5]) func placesAreSumsOfSteps(size: Int) throws {
        for atEnd in [false, true] {
            let walk = try task(
                CyclicNavigationTask.self, #"{"size": \#(size), "asks_at_end_only": \#(atEnd)}"#)
            try forEachExample(of: walk, lengths: [1, 30], count: 100) { example, length in
                #expect(example.asked == Array((atEnd ? length - 1 : 0)..<length))
                for end in example.asked {
                    let beginning = example.inputs[...end]
                    let sum = beginning.count { $0 == "+" } - beginning.count { $0 == "-" }
                    #expect((Int(example.classes[end]) - sum) % size == 0)
                }
            }
        }
        expectRefusal(CyclicNavigationTask.self, #"{"size": 1}"#, naming: "size 1")
    }
}

import RondoData
import RondoIO
import RondoTensor
import Testing

@Suite struct CopyingTaskTests {
    @Test func symbolsComeBackAfterTheDelay() throws {
        let cases: [(options: String, copied: (Int) -> Int, delay: (Int) -> Int)] = [
            ("{}", { _ in 10 }, { $0 }), (#"{"copied": 3, "symbols": 2, "reversed": true}"#, { _ in 3 }, { $0 }),
            (#"{"grows": "symbols", "delay": 4}"#, { $0 }, { _ in 4 }), (#"{"grows": "symbols"}"#, { $0 }, { _ in 1 }),
        ]
        for (options, copied, delay) in cases {
            let copying = try task(CopyingTask.self, options)
            try forEachExample(of: copying, lengths: [1, 2, 7, 30], count: 40) { example, length in
                let (copied, delay) = (copied(length), delay(length))
                let data = example.inputs.prefix(copied)
                let blanks = { [String](repeating: "_", count: $0) }
                #expect(data.allSatisfy { Int($0) != nil })
                #expect(example.inputs.dropFirst(copied) == (blanks(delay - 1) + [">"] + blanks(copied))[...])
                #expect(example.asked == Array((copied + delay)..<(2 * copied + delay)))
                let answers = example.answers.suffix(copied).compactMap(\.self)
                #expect(answers == (copying.reversed ? Array(data.reversed()) : Array(data)))
            }
        }
        expectRefusal(CopyingTask.self, #"{"symbols": 1}"#, naming: "symbols 1")
        expectRefusal(CopyingTask.self, #"{"copied": 0}"#, naming: "copied 0")
        expectRefusal(CopyingTask.self, #"{"delay": 0}"#, naming: "delay 0")
        expectRefusal(CopyingTask.self, #"{"grows": "copies"}"#, naming: "symbols")
    }

    @Test func scatteredSymbolsComeBack() throws {
        let selective = try task(SelectiveCopyingTask.self, #"{"copied": 5}"#)
        var places = [Int](repeating: 0, count: 9)
        try forEachExample(of: selective, lengths: [5, 9, 60], count: 1500) { example, length in
            let data = example.inputs.prefix(length).filter { $0 != "_" }
            #expect(data.count == 5 && example.inputs.suffix(5) == Array(repeating: ">", count: 5)[...])
            #expect(example.answers.suffix(5).compactMap(\.self) == data && example.asked.count == 5)
            guard length == 9 else { return }
            for place in 0..<9 where example.inputs[place] != "_" { places[place] += 1 }
        }
        #expect(places.allSatisfy { abs(share($0, of: 500) - 5.0 / 9) < 0.08 }, "\(places)")
        expectRefusal(selective, length: 4)
        expectRefusal(SelectiveCopyingTask.self, #"{"copied": 0}"#, naming: "copied 0")
    }
}

@Suite struct InductionHeadsTaskTests {
    @Test func theAnswerFollowedTheFirstMark() throws {
        for latest in [nil, 0, 5] as [Int?] {
            let induction = try task(
                InductionHeadsTask.self, #"{"latest_mark": \#(latest.map(String.init) ?? "null"), "symbols": 4}"#)
            var places: Set<Int> = []
            try forEachExample(of: induction, lengths: [3, 12], count: 600) { example, length in
                let marks = example.inputs.indices.filter { example.inputs[$0] == ">" }
                #expect(marks.count == 2 && marks[1] == length - 1 && marks[0] + 1 < marks[1])
                #expect(example.asked == [length - 1] && example.answers[length - 1] == example.inputs[marks[0] + 1])
                if length == 12 { places.insert(marks[0]) }
            }
            #expect(places == Set(0...min(9, latest ?? 9)))
        }
        expectRefusal(InductionHeadsTask(), length: 2)
        expectRefusal(InductionHeadsTask.self, #"{"symbols": 1}"#, naming: "symbols 1")
        expectRefusal(InductionHeadsTask.self, #"{"latest_mark": -1}"#, naming: "latest_mark -1")
    }
}

@Suite struct AssociativeRecallTaskTests {
    @Test func queriesAreAnsweredByTheirPair() throws {
        let cases: [(options: String, pairs: ClosedRange<Int>, queries: Int?)] = [
            (#"{"pairs": 8}"#, 8...8, nil), (#"{"pairs": 8, "random_filler": true}"#, 8...8, nil),
            (#"{"pairs": 8, "min_pairs": 2}"#, 2...8, nil), (#"{"pairs": 8, "queries": 1}"#, 8...8, 1),
            (#"{"pairs": 8, "keys": 8, "values": 8}"#, 8...8, nil),
        ]
        for (options, pairs, queries) in cases {
            let recall = try task(AssociativeRecallTask.self, options)
            var counts: Set<Int> = []
            try forEachExample(of: recall, lengths: [32, 51, 64], count: 150) { example, length in
                #expect(example.inputs.count == length / 2 * 2)
                let pairCount = (0..<example.inputs.count / 2).prefix { index in
                    // A key in the context is followed by its value, a query never is.
                    example.inputs[2 * index].hasPrefix("k") && example.classes[2 * index] == TaskExample.unasked
                }.count
                counts.insert(pairCount)
                var values: [String: String] = [:]
                for pair in 0..<pairCount { values[example.inputs[2 * pair]] = example.inputs[2 * pair + 1] }
                #expect(values.count == pairCount && Set(values.values).count == pairCount)
                #expect(example.asked.count == queries ?? pairCount)
                #expect(Set(example.asked.map { example.inputs[$0] }).count == example.asked.count)
                for position in 2 * pairCount..<example.inputs.count {
                    let isQuery = example.asked.contains(position)
                    #expect(example.inputs[position].hasPrefix("k") == isQuery && (!isQuery || position % 2 == 0))
                    if !isQuery { #expect((example.inputs[position] == "_") != recall.randomFiller) }
                    if isQuery { #expect(example.answers[position] == values[example.inputs[position]]) }
                }
            }
            #expect(counts == Set(pairs), "\(counts)")
        }
    }

    @Test func mostQueriesComeEarly() throws {
        let recall = try task(AssociativeRecallTask.self, #"{"pairs": 2, "queries": 1}"#)
        var first = 0
        try forEachExample(of: recall, lengths: [14], count: 4000) { example, _ in
            if example.asked == [4] { first += 1 }
        }
        // Five gaps: 1 / (1 + 1/2 + 1/3 + 1/4 + 1/5).
        #expect(abs(share(first, of: 4000) - 60.0 / 137) < 0.03)
    }

    @Test func mistakesAreRefused() throws {
        expectRefusal(AssociativeRecallTask.self, #"{"pairs": 65}"#, naming: "pairs 65")
        expectRefusal(AssociativeRecallTask.self, #"{"min_pairs": 9}"#, naming: "min_pairs 9")
        expectRefusal(AssociativeRecallTask.self, #"{"queries": 9}"#, naming: "queries 9")
        expectRefusal(AssociativeRecallTask(), length: 31)
        expectRefusal(LatestRecallTask.self, #"{"queried": 65}"#, naming: "queried 65")
        expectRefusal(LatestRecallTask(), length: 11)
    }

    @Test func laterPairsOverwriteEarlierOnes() throws {
        var overwritten = 0
        try forEachExample(of: LatestRecallTask(), lengths: [12, 192], count: 100) { example, length in
            #expect(example.inputs.count == 2 * length + 12 && example.asked == Array(2 * length..<2 * length + 12))
            var latest: [String: String] = [:]
            for pair in 0..<length {
                if latest.updateValue(example.inputs[2 * pair + 1], forKey: example.inputs[2 * pair]) != nil {
                    overwritten += 1
                }
            }
            if length == 12 { #expect(latest.count == 12) }
            let lastKeys = (length - 12..<length).map { example.inputs[2 * $0] }
            #expect(example.inputs.suffix(12).sorted() == lastKeys.sorted())
            for position in example.asked { #expect(example.answers[position] == latest[example.inputs[position]]) }
        }
        #expect(overwritten > 50 * 100)
    }
}

@Suite struct LatchingTaskTests {
    @Test func theFirstSymbolStays() throws {
        for (differ, atEnd) in [(false, false), (true, true)] {
            let latching = try task(
                LatchingTask.self, #"{"distractors_differ": \#(differ), "asks_at_end_only": \#(atEnd)}"#)
            var firsts: Set<Int32> = []
            var later: Set<Int32> = []
            try forEachExample(of: latching, lengths: [1, 40], count: 200) { example, length in
                #expect(example.asked == Array((atEnd ? length - 1 : 0)..<length))
                #expect(example.asked.allSatisfy { example.classes[$0] == example.tokens[0] })
                firsts.insert(example.tokens[0])
                later.formUnion(example.tokens.dropFirst())
            }
            #expect(firsts == Set(0..<4) && later == Set(differ ? 4..<20 : 0..<20))
        }
        expectRefusal(LatchingTask.self, #"{"symbols": 1}"#, naming: "symbols 1")
        expectRefusal(LatchingTask.self, #"{"others": 0, "distractors_differ": true}"#, naming: "others 0")
    }
}

@Suite struct PasskeyTaskTests {
    @Test func thePasskeyIsAskedDigitByDigit() throws {
        let needle = /The passkey is (\d{5})\. Remember it\. (\d{5}) is the passkey\.\n/
        var places: Set<Int> = []
        try forEachExample(of: PasskeyTask(), lengths: [1, 5], count: 100) { example, length in
            let text = String(decoding: example.tokens.map { UInt8($0) }, as: UTF8.self)
            let found = try #require(text.firstMatch(of: needle))
            #expect(found.output.1 == found.output.2)
            #expect(example.asked == Array(text.utf8.count - 5..<text.utf8.count))
            #expect(example.answers.suffix(5).compactMap(\.self).joined() == found.output.1)
            #expect(text.hasSuffix("\nWhat is the pass key? The passkey is \(found.output.1.dropLast())"))
            #expect(text.matches(of: /The grass is green/).count == length)
            if length == 5 { places.insert(text[..<found.range.lowerBound].matches(of: /The grass/).count) }
        }
        // The passkey is never behind the last block.
        #expect(places == [0, 1, 2, 3])
    }

    @Test func theDepthCanBeChosen() throws {
        for (depth, before) in [(0, 0), (0.5, 2), (1, 4)] as [(Double, Int)] {
            let passkey = try task(PasskeyTask.self, #"{"depth": \#(depth)}"#)
            try forEachExample(of: passkey, lengths: [5], count: 3) { example, _ in
                let text = example.text
                let start = try #require(text.firstRange(of: "The passkey is")?.lowerBound)
                #expect(text[..<start].matches(of: /The grass/).count == before)
            }
        }
        expectRefusal(PasskeyTask.self, #"{"depth": 1.5}"#, naming: "depth 1.5")
    }

    @Test func theRepetitionCanBeAskedToo() throws {
        let passkey = try task(PasskeyTask.self, #"{"asks_repetition": true}"#)
        try forEachExample(of: passkey, lengths: [1, 5], count: 10) { example, _ in
            #expect(example.asked.count == 10)
            let text = Array(example.text)
            // Every digit is asked at the byte before it; the last one of the question is not in the text.
            for place in example.asked.dropLast() { #expect(String(text[place + 1]) == example.answers[place]) }
        }
    }
}

@Suite struct ReberTaskTests {
    /// The language as a regular expression, derived from the diagram by hand.
    private static let plain = "B(?:TS*X|PT*VP)(?:XT*VP)*(?:XT*VV|S)E|BPT*VVE"

    private func string(_ example: ReadableExample) -> String {
        example.inputs[0] + example.answers.map { $0 ?? "?" }.joined()
    }

    @Test func plainStringsAreOfTheGrammar() throws {
        let grammar = try Regex(Self.plain)
        let plain = try task(ReberTask.self, #"{"form": "plain"}"#)
        try forEachExample(of: plain, lengths: 4...40, count: 800) { example, length in
            let string = string(example)
            #expect(example.inputs.joined() == string.dropLast() && string.count == length + 1)
            #expect(string.wholeMatch(of: grammar) != nil, "\(string)")
        }
        expectRefusal(plain, length: 3)
        expectRefusal(ReberTask(), length: 7)
        expectRefusal(ReberTask.self, #"{"form": "plain", "asks": "outer"}"#, naming: "asks outer")
    }

    @Test func embeddedStringsRepeatTheOuterSymbol() throws {
        let grammar = try Regex("B(?:T(?:\(Self.plain))T|P(?:\(Self.plain))P)E")
        try forEachExample(of: ReberTask(), lengths: 8...40, count: 600) { example, length in
            let string = string(example)
            #expect(string.count == length + 1 && string.wholeMatch(of: grammar) != nil, "\(string)")
        }
    }

    @Test func continualStringsFollowEachOther() throws {
        let embedded = "B(?:T(?:\(Self.plain))T|P(?:\(Self.plain))P)E"
        let grammar = try Regex("(?:\(embedded))*")
        let continual = try task(ReberTask.self, #"{"form": "continual"}"#)
        try forEachExample(of: continual, lengths: [1, 300], count: 40) { example, length in
            let string = string(example)
            #expect(string.count == length + 1 && string.first == "B")
            // The last string is cut: what is before it must be whole.
            let whole = string.matches(of: try Regex(embedded)).map { string[$0.range] }.joined()
            #expect(string.hasPrefix(whole) && whole.wholeMatch(of: grammar) != nil && string.count - whole.count < 120)
        }
    }

    @Test func onlyTheOuterSymbolCanBeAsked() throws {
        for form in ["embedded", "continual"] {
            let outer = try task(ReberTask.self, #"{"form": "\#(form)", "asks": "outer"}"#)
            let all = try task(ReberTask.self, #"{"form": "\#(form)"}"#)
            var expected: [[String?]] = []
            try forEachExample(of: all, lengths: [60], count: 50) { example, _ in
                let string = Array(string(example))
                var asked = [String?](repeating: nil, count: 60)
                // After the inner E comes the outer symbol, after that the outer E.
                var ends = 0
                for position in 1..<60 where string[position] == "E" {
                    ends += 1
                    if ends % 2 == 1 { asked[position] = String(string[position + 1]) }
                }
                expected.append(asked)
            }
            try forEachExample(of: outer, lengths: [60], count: 50) { example, _ in
                #expect(example.answers == expected.removeFirst())
            }
        }
    }

    /// Strings of one length have equally many branches.
    @Test func stringsOfALengthAreAsLikelyAsInTheGrammar() throws {
        let plain = try task(ReberTask.self, #"{"form": "plain"}"#)
        var counts: [String: Int] = [:]
        try forEachExample(of: plain, lengths: [6], count: 4000) { example, _ in
            counts[string(example), default: 0] += 1
        }
        #expect(Set(counts.keys) == ["BTSSXSE", "BTXXVVE", "BPTTVVE", "BPTVPSE"])
        #expect(counts.values.allSatisfy { abs(share($0, of: 4000) - 0.25) < 0.03 }, "\(counts)")
    }

    @Test func longStringsCanBeDrawn() throws {
        let plain = try task(ReberTask.self, #"{"form": "plain"}"#)
        let grammar = try Regex(Self.plain)
        try forEachExample(of: plain, lengths: [3000], count: 2) { example, _ in
            #expect(string(example).wholeMatch(of: grammar) != nil)
        }
    }
}

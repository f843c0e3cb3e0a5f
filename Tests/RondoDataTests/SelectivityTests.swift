import RondoData
import RondoIO
import RondoTensor
import Testing

@Suite struct SelectivityTests {
    private func grammar(_ symbols: Int = 8, _ depth: Int = 4, seed: UInt64 = 0) throws -> SelectivityGrammar {
        var generator = Generator(seed: seed)
        return try SelectivityGrammar(.init(symbols: symbols, depth: depth), using: &generator)
    }

    @Test func grammarsAreWhatTheirSettingsSay() throws {
        for seed in 0..<20 as Range<UInt64> {
            let grammar = try grammar(seed: seed)
            #expect(grammar.stateCount == 33 && grammar.symbolCount == 9)
            #expect(Set(grammar.starts).count == 4 && !grammar.starts.contains(0))
            #expect(grammar.followers[0].isEmpty)
            for state in 1..<33 {
                #expect(!grammar.followers[state].isEmpty)
                for (symbol, next) in grammar.next[state].enumerated() {
                    #expect(next == nil || next.map(grammar.symbol(of:)) == symbol)
                }
            }
        }
    }

    @Test func stringsFollowTheRulesToTheEnd() throws {
        let grammar = try grammar()
        var generator = Generator(seed: 3)
        for _ in 0..<50 {
            let states = try grammar.string(longest: 64, using: &generator)
            #expect(grammar.starts.contains(states[0]))
            #expect(states.last == 0 && states.count { $0 == 0 } == 1 && states.count <= 64)
            for (state, next) in zip(states, states.dropFirst()) { #expect(grammar.followers[state].contains(next)) }
        }
    }

    @Test func impossibleGrammarsAreRefused() {
        var generator = Generator(seed: 0)
        #expect(throws: RondoError.self) {
            try SelectivityGrammar(.init(symbols: 4, depth: 2, density: 0), using: &generator)
        }
    }

    @Test func theFilterIsCertainOnceItKnows() throws {
        let grammar = try grammar()
        var generator = Generator(seed: 5)
        for _ in 0..<30 {
            let states = try grammar.string(longest: 64, using: &generator)
            var filter = SelectivityFilter(grammar)
            var wasCertain = false
            for state in states {
                let guess = filter.read(grammar.symbol(of: state))
                #expect(abs(filter.belief.values.reduce(0, +) - 1) < 1e-12)
                #expect((filter.belief[state] ?? 0) > 0, "the true state is never ruled out")
                // The next state is a function of the state and the symbol.
                if wasCertain { #expect(filter.belief.count == 1 && guess == state) }
                wasCertain = filter.belief.count == 1
            }
        }
    }

    @Test func moreSymbolsTellMore() throws {
        let grammar = try grammar()
        var generator = Generator(seed: 7)
        let streams = try (0..<400).map { _ in try grammar.stream(length: 64, using: &generator) }
        let accuracies = (1...3).map { order in
            let gram = SelectivityNGram(order: order, grammar: grammar, streams: Array(streams.dropFirst(50)))
            return streams.prefix(50).reduce(0) { sum, states in
                let symbols = states.map(grammar.symbol(of:))
                return sum + states.indices.count { gram.guess($0, in: symbols) == states[$0] }
            }
        }
        #expect(accuracies[0] + 300 < accuracies[1] && accuracies[1] + 100 < accuracies[2])
    }

    @Test func gapsHoldTheStateAndBreakTheRules() throws {
        var task = SelectivityTask()
        (task.gap, task.gapProbability, task.gapStart, task.minGap, task.maxGap) = (.distractors, 0.5, 10, 2, 3)
        let grammar = try task.grammar()
        var generator = Generator(seed: 2)
        let sample = try task.sample(length: 64, of: grammar, using: &generator)
        #expect(sample.segments.count == 64 && sample.states.count == sample.frames.count)
        #expect(sample.segments.prefix(10).allSatisfy { $0.count == 1 })
        #expect(Set(sample.segments.dropFirst(10).map(\.count)) == [1, 3, 4])
        for segment in sample.segments {
            let state = Int(sample.states[segment.lowerBound])
            for frame in segment {
                let symbol = try #require(sample.frames[frame].firstIndex(of: 1))
                #expect(sample.frames[frame].reduce(0, +) == 1 && sample.states[frame] == Int32(state))
                let isSymbol = frame == segment.lowerBound
                #expect(isSymbol ? symbol == grammar.symbol(of: state) : grammar.next[state][symbol] == nil)
            }
        }
    }

    @Test func noiseIsEverywhereAndBounded() throws {
        var task = SelectivityTask()
        task.noise = 0.2
        var generator = Generator(seed: 2)
        guard case .features(let frames) = try task.example(length: 64, using: &generator).inputs else { return }
        #expect(frames.count == 128)
        let values = frames.enumerated().flatMap { $0.offset % 2 == 1 ? $0.element : [] }
        #expect(values.allSatisfy { (0...0.2).contains($0) } && (values.max() ?? 0) > 0.19)
    }

    @Test func oneTaskHasOneGrammar() throws {
        let task = SelectivityTask()
        #expect(try task.grammar() == task.grammar())
        let options: JSONValue = ["grammar_seed": .integer(1)]
        #expect(try SelectivityTask(options: options).grammar() != task.grammar())
    }

    @Test func entropyIsThatOfTheGraph() throws {
        // With a density of 1 all symbols and the end may follow everywhere: the end leads to the starts.
        var generator = Generator(seed: 0)
        let full = try SelectivityGrammar(.init(symbols: 4, depth: 1, density: 1), using: &generator)
        // Largest root of x² = 4 x + 4 for the matrix of four states that reach each other and the end, and back.
        #expect(abs(full.topologicalEntropy - 1.574522) < 1e-5)
    }
}

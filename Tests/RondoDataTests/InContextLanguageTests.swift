import RondoData
import RondoIO
import RondoTensor
import Testing

@Suite struct RandomAutomatonTests {
    private func edge(_ symbol: Int32, _ target: Int) -> RandomAutomaton.Edge { .init(symbol: symbol, target: target) }

    @Test func drawnAutomataKeepToTheirSettings() {
        var generator = Generator(seed: 1)
        let settings = RandomAutomaton.Settings()
        for _ in 0..<200 {
            let automaton = RandomAutomaton(settings, using: &generator)
            #expect(settings.states.contains(automaton.edges.count))
            #expect(Set(automaton.edges.joined().map(\.symbol)).count <= 18)
            for (state, edges) in automaton.edges.enumerated() {
                #expect((1...3).contains(edges.count))
                #expect(Set(edges.map(\.symbol)).count == edges.count)
                #expect(Set(edges.map(\.target)).count == edges.count)
                #expect(edges.allSatisfy { $0.target != state })
            }
        }
    }

    @Test func equivalentStatesBecomeOne() {
        // States 1 and 2 both allow only 5, back to the start; state 3 is never reached.
        let automaton = RandomAutomaton(edges: [[edge(0, 2), edge(1, 1)], [edge(5, 0)], [edge(5, 0)], [edge(0, 1)]])
        #expect(automaton.minimized() == RandomAutomaton(edges: [[edge(0, 1), edge(1, 1)], [edge(5, 0)]]))
    }

    @Test func missingEdgesAreDifferences() {
        // All states accept; only what is not allowed tells them apart.
        let automaton = RandomAutomaton(edges: [[edge(0, 1)], [edge(0, 2), edge(1, 2)], [edge(0, 1)]])
        #expect(automaton.minimized().edges.count == 2)
    }

    @Test func automataOfOneLanguageBecomeEqual() {
        let first = RandomAutomaton(edges: [[edge(0, 1), edge(3, 2)], [edge(1, 0)], [edge(2, 0)]])
        let second = RandomAutomaton(edges: [[edge(0, 2), edge(3, 1)], [edge(2, 0)], [edge(1, 0)]])
        #expect(first != second)
        #expect(first.minimized() == second.minimized())
        #expect(first.minimized() == first.minimized().minimized())
    }
}

@Suite struct InContextLanguageTests {
    @Test func examplesAskEverythingButSeparators() throws {
        let instance = LanguageInstance(
            automaton: RandomAutomaton(edges: [[.init(symbol: 4, target: 0)]]), strings: [[4, 4], [4]],
            states: [[0, 0], [0]])
        let example = instance.example(separator: 9)
        #expect(example.inputs == .tokens([4, 4, 9, 4]))
        #expect(example.targets == .classes([4, TaskExample.unasked, 4, TaskExample.unasked]))
        #expect(instance.positionStates == [0, 0, 0, 0])
    }

    @Test func aFixedSetRepeatsItself() throws {
        var task = InContextLanguageTask()
        task.instances = 3
        var generator = Generator(seed: 4)
        let drawn = try (0..<40).map { _ in try task.instance(strings: 2, using: &generator) }
        #expect(Set(drawn.map(\.automaton)).count == 3)
        #expect(drawn.allSatisfy { drawn in (0..<3).contains { task.instance($0, strings: 2) == drawn } })
        let options: JSONValue = ["instances": .integer(3), "instance_seed": .integer(1)]
        let other = try InContextLanguageTask(options: options)
        #expect(other.instance(0, strings: 2) != task.instance(0, strings: 2))
    }

    @Test(arguments: ["letters", "min_states", "min_symbols", "max_string_length", "instances"])
    func impossibleOptionsAreNamed(_ key: String) {
        let options: JSONValue = [key: .integer(0)]
        let error = #expect(throws: RondoError.self) { try InContextLanguageTask(options: options) }
        #expect(error?.message.contains(key) == true)
    }
}

@Suite struct NGramPredictorTests {
    private func predictor(_ order: Int, _ backOff: NGramPredictor.BackOff, _ strings: [[Int32]]) -> NGramPredictor {
        var predictor = NGramPredictor(order: order, symbolCount: 3, backOff: backOff)
        for (index, string) in strings.enumerated() {
            if index > 0 { predictor.endString() }
            for symbol in string { predictor.read(symbol) }
        }
        return predictor
    }

    @Test func theLongestContextDecides() {
        // After 0 came 1 once and 2 twice; after 2, nothing yet, so all symbols so far count.
        let third = 1.0 / 3
        #expect(predictor(2, .longest, [[0, 1], [0, 2], [0, 2], [0]]).probabilities() == [0, third, 2 * third])
        #expect(predictor(2, .longest, [[0, 1], [2]]).probabilities() == [third, third, third])
        #expect(predictor(3, .longest, []).probabilities() == [0, 0, 0])
    }

    @Test func contextsDoNotReachOverStrings() {
        // The first symbol of a string follows its beginning, not the last string's end.
        #expect(predictor(2, .longest, [[0, 1], [2, 0]]).probabilities() == [0, 1, 0])
    }

    @Test func theRemainderGoesToUnseenSymbols() {
        // 0 occurred three times: 1 followed once; the end and the present leave 2/3 to 0 and 2, seen 3 and 1 times.
        let found = predictor(2, .remainder, [[0, 1], [2, 0], [0]]).probabilities()
        let expected: [Double] = [0.5, 1.0 / 3, 1.0 / 6]
        for (value, expected) in zip(found, expected) { #expect(abs(value - expected) < 1e-12) }
    }
}

@Suite struct NextSymbolScoreTests {
    @Test func measuresAreThoseOfTheDefinition() {
        var score = NextSymbolScore()
        score.add([0.5, 0.25, 0.25], allowed: [0, 2])
        #expect(score.accuracy == 1)
        #expect(score.totalVariation == 0.25)
        #expect(abs(score.kullbackLeibler - 0.34657359) < 1e-6)  // (log 2) / 2
        var other = NextSymbolScore()
        other.add([0, 1, 0], allowed: [0])
        #expect(other.accuracy == 0 && other.totalVariation == 1 && other.kullbackLeibler == .infinity)
        score.merge(other)
        #expect(score.positions == 2 && score.accuracy == 0.5 && score.totalVariation == 0.625)
    }
}

import RondoData
import RondoIO
import RondoTensor

extension Experiment {
    /// Akyürek et al., 2024.
    static let inContextLanguages = Experiment(
        slug: "icll",
        title: "In-Context Language Learning: Architectures and Algorithms",
        source: "E. Akyürek, B. Wang, Y. Kim, J. Andreas; ICML 2024; arXiv 2401.12973",
        claim: """
            Recurrent models learn random languages from the strings before them worse than Transformers do, which attend \
            to what followed earlier occurrences of the last symbols; heads that do just that, built in, close the gap.
            """,
        missing: "natural language (SlimPajama) and models of the paper's size",
        parts: [
            .quick(
                "random-languages", "Random automata and their strings are what the paper defines",
                paper: """
                    4-12 states with 1-3 edges, minimised (another program, over 5,000 automata: 6.97 states remain, \
                    deviation 2.40); 10-19 strings of 1-49 symbols, about 376 tokens.
                    """,
                run: randomLanguages),
            .quick(
                "n-gram-references", "In-context n-grams learn these languages in part",
                paper: """
                    Accuracy and total variation distance of the paper's plots: 2-gram 0.835 and 0.337, 3-gram 0.937 and \
                    0.265. Judged against an independent computation, seed-averaged: \(referenceText).
                    """,
                run: nGramReferences),
            .quick(
                "exact-heads", "An n-gram head is the in-context n-gram, in every form",
                paper: "By definition: attention to the places right after earlier occurrences of the last n tokens.",
                run: exactHeads),
            .full(
                "heads-fix-recurrence", "N-gram heads let recurrent models learn languages in context",
                paper: """
                    With 40,000 automata: Transformer 0.957, RetNet 0.92, LSTM 0.81 (accuracy, read off plots). Here: 4-6 \
                    states, 8 letters, 8 strings of up to 20 symbols, 4,000 automata.
                    """,
                run: headsFixRecurrence),
            .full(
                "sample-efficiency", "With heads, fewer automata are enough",
                paper: "Accuracy grows with the number of training automata, 1,000 to 40,000, at different speeds.",
                run: sampleEfficiency),
        ])

    private static let referenceText = "1- to 4-gram 0.48/0.63, 0.82/0.30, 0.93/0.21, 0.95/0.23"

    private static func randomLanguages(_ trial: inout Trial) throws {
        let task = InContextLanguageTask()
        var (states, edges, tokens, allowed, selfLoops, degrees) = (0, 0, 0, true, 0, Set<Int>())
        var languages = Set<RandomAutomaton>()
        var isMinimal = true
        let count = 200
        for _ in 0..<count {
            let raw = RandomAutomaton(task.automata, using: &trial.generator)
            selfLoops += raw.edges.enumerated().reduce(0) {
                $0 + $1.element.count { [own = $1.offset] in $0.target == own }
            }
            degrees.formUnion(raw.edges.map(\.count))
            let strings = Int.random(in: task.trainingLengths, using: &trial.generator)
            let instance = try task.instance(strings: strings, using: &trial.generator)
            languages.insert(instance.automaton)
            states += instance.automaton.edges.count
            edges += instance.automaton.edges.reduce(0) { $0 + $1.count }
            tokens += instance.tokens(separator: task.separator).count
            isMinimal = isMinimal && !hasEqualStates(instance.automaton)
            for string in instance.strings {
                var state: Int? = 0
                for symbol in string { state = state.flatMap { instance.automaton.target(of: $0, symbol) } }
                allowed = allowed && state != nil
            }
        }
        trial.check("edges out of a state: fewest", Double(degrees.min() ?? 0), .equals(1))
        trial.check("edges out of a state: most", Double(degrees.max() ?? 0), .equals(3))
        trial.check("edges from a state to itself before minimisation", Double(selfLoops), .equals(0))
        trial.check("no two states of a minimised automaton allow the same strings", isMinimal)
        trial.check("every string is one of its language", allowed)
        trial.check("states after minimisation, mean", Double(states) / Double(count), .within(6.46...7.48))
        trial.check("edges of a state, mean", Double(edges) / Double(states), .within(1.9...2.1))
        trial.check("tokens of an instance, mean", Double(tokens) / Double(count), .within(350...400))
        trial.show("different languages of \(count)", Double(languages.count))
    }

    /// Whether two states allow the same strings: no pair of states that strings lead to from them differs in what may
    /// follow.
    private static func hasEqualStates(_ automaton: RandomAutomaton) -> Bool {
        func differ(_ a: Int, _ b: Int) -> Bool {
            var (seen, open) = (Set([[a, b]]), [(a, b)])
            while let (a, b) = open.popLast() {
                guard automaton.symbols(after: a) == automaton.symbols(after: b) else { return true }
                for (first, second) in zip(automaton.edges[a], automaton.edges[b])
                where seen.insert([first.target, second.target]).inserted {
                    open.append((first.target, second.target))
                }
            }
            return false
        }
        let states = automaton.edges.indices
        return states.contains { a in states.contains { b in a < b && !differ(a, b) } }
    }

    private static func nGramReferences(_ trial: inout Trial) throws {
        let task = InContextLanguageTask()
        let instances = try (0..<200).map { _ in
            let strings = Int.random(in: task.trainingLengths, using: &trial.generator)
            return try task.instance(strings: strings, using: &trial.generator)
        }
        // Seed-averaged figures for these very definitions, which another program computed.
        let expected:
            [(order: Int, NGramPredictor.BackOff, accuracy: ClosedRange<Double>, distance: ClosedRange<Double>)] = [
                (1, .longest, 0.45...0.51, 0.60...0.66), (2, .longest, 0.79...0.85, 0.27...0.33),
                (3, .longest, 0.90...0.96, 0.18...0.24), (4, .longest, 0.92...0.98, 0.20...0.26),
                (2, .remainder, 0.80...0.86, 0.30...0.36), (3, .remainder, 0.91...0.95, 0.24...0.30),
            ]
        for (order, backOff, accuracy, distance) in expected {
            let predictor = NGramPredictor(order: order, symbolCount: task.letters, backOff: backOff)
            var score = NextSymbolScore()
            for instance in instances { instance.judge(predictor, judgesEnds: backOff == .remainder, into: &score) }
            let name = "\(order)-gram, \(backOff == .longest ? "longest context" : "the paper's back-off")"
            trial.check("\(name): accuracy", score.accuracy, .within(accuracy))
            trial.check("\(name): total variation", score.totalVariation, .within(distance))
            try trial.progress(name)
        }
    }

    private static func exactHeads(_ trial: inout Trial) throws {
        let (length, letters) = (80, 3)
        let tokens = (0..<length).map { _ in Int32.random(in: 0..<Int32(letters), using: &trial.generator) }
        let symbols = try Tensor(tokens, shape: [1, length]).cast(to: .float64)
        let values = try trial.generator.normal([1, length, 5], dtype: .float64)
        let oneHot = try Tensor.identity(letters, dtype: .float64).takingRows(Tensor(tokens)).expanded(at: 0)
        for order in 1...3 {
            let whole = try NGramMean(order: order, time: length)([values, symbols])[0]
            let dense = try matches(tokens, order: order).matmul(values)
            let steps = try (0..<length).map { time in
                let (seen, known) = (try values.sliced(1, 0..<time + 1), try symbols.sliced(1, 0..<time + 1))
                return try NGramMean(order: order, time: 1)([seen, known])[0]
            }
            let byStep = try Tensor.concatenate(steps, axis: 1)
            trial.check(
                "n = \(order): running sums against a dense matrix", try (whole - dense).abs().max().scalar(),
                .atMost(1e-12))
            trial.check(
                "n = \(order): running sums against single steps", try (whole - byStep).abs().max().scalar(),
                .atMost(1e-12))
            let means = try NGramMean(order: order, time: length)([oneHot, symbols])[0].array(of: Double.self)
            trial.check(
                "n = \(order): one-hot values against the in-context \(order + 1)-gram",
                distance(means, tokens, letters: letters, order: order), .atMost(1e-12))
        }
        trial.note(
            "A position is no example for itself: where its last n symbols are also those right before it, the n-gram "
                + "counts the present symbol and the head does not, and the two are not compared.")
    }

    /// The matrix of attention by its definition, `[1, time, time]`.
    private static func matches(_ tokens: [Int32], order: Int) throws -> Tensor {
        var matrix: [Double] = []
        for t in tokens.indices {
            let row = tokens.indices.map { j in
                j < t && j >= order && tokens[j - order..<j].elementsEqual(tokens[t + 1 - order..<t + 1])
            }
            let share = 1 / Double(max(1, row.count { $0 }))
            matrix += row.map { $0 ? share : 0 }
        }
        return try Tensor(matrix, shape: [1, tokens.count, tokens.count])
    }

    private static func distance(_ means: [Double], _ tokens: [Int32], letters: Int, order: Int) -> Double {
        var predictor = NGramPredictor(order: order + 1, symbolCount: letters, backOff: .longest)
        var worst = 0.0
        for (place, token) in tokens.enumerated() {
            predictor.read(token)
            let means = means[place * letters..<(place + 1) * letters]
            let isOwnExample =
                place >= order && tokens[place - order..<place].elementsEqual(tokens[place + 1 - order...place])
            guard means.contains(where: { $0 > 0 }), !isOwnExample else { continue }
            for (mean, probability) in zip(means, predictor.probabilities()) {
                worst = max(worst, abs(mean - probability))
            }
        }
        return worst
    }
}

import RondoData
import RondoTensor

extension Experiment {
    /// Bouhadjar et al., 2026.
    static let selectivity = Experiment(
        slug: "selectivbench",
        title:
            "Dissecting Linear Recurrent Models: How Different Gating Strategies Drive Selectivity and Generalization",
        source: "Y. Bouhadjar, M. Fabre, F. Schmidt, E. Neftci; 2026; arXiv 2601.12598",
        claim: """
            Gates that forget let linear recurrent models keep to what matters in streams of ambiguous symbols with gaps \
            and distractors; mixing the channels of the state is not needed for that, but helps beyond the gaps of \
            training.
            """,
        missing: """
            grammars and models of the paper's size (1,601 states, 8 layers), and the ranking against large language models
            """,
        parts: [
            .quick(
                "grammars", "Random grammars are ambiguous, and their past tells the state",
                paper: """
                    By definition. Another program, over 24 grammars of 8 symbols of 4 states: n-grams of 1 to 4 symbols \
                    know 0.463, 0.810, 0.942 and 0.977 of the states, 4.0 % of the symbols are ends; single grammars \
                    differ much (1 symbol: 0.38-0.70). Judged: means over 8 grammars, within three standard errors.
                    """,
                run: selectiveGrammars),
            .quick(
                "streams", "Gaps, noise and distractors are what the four tasks define",
                paper: "1 silent frame; 1-10 noisy frames; one forbidden symbol after a tenth of the symbols.",
                run: selectiveStreams),
            .quick(
                "taxonomy", "Registered mixers have the transitions that the taxonomy says",
                paper: """
                    S = A S⁻ + B: A fixed or made from the input; a scalar, diagonal, or mixing channels; with or without \
                    forgetting.
                    """,
                run: transitionTaxonomy),
            .quick(
                "first-steps", "A recurrence tracks the state, a model without one guesses it from the symbol",
                paper: "Every linear recurrent model does better than the symbol alone allows.",
                run: firstSteps),
            .full(
                "distractors", "Gates keep distractors out",
                paper: "Gating and fast forgetting help recall; softmax attention stays best. No figures are quoted.",
                run: keepingDistractorsOut),
            .full(
                "complexity", "Every gated recurrence tracks the state of an ambiguous grammar",
                paper: "Mixing of channels is not needed for selectivity. No figures are quoted.",
                run: trackingStates),
            .full(
                "longer-gaps", "Noisy gaps, also longer than in training",
                paper: "Mixing of channels in the state is critical for generalisation. No figures are quoted.",
                run: bridgingGaps),
        ])

    private static func selectiveGrammars(_ trial: inout Trial) throws {
        var rows: [[String]] = []
        for (symbols, depth, length) in [(8, 4, 64), (8, 8, 64), (16, 8, 128)] {
            let isMini = depth == 4
            let count = isMini ? 8 : 1
            let means = try (0..<count).reduce(into: [Double](repeating: 0, count: 8)) { sums, index in
                let figures = try grammarFigures(
                    symbols, depth, length, seed: trial.seed &* 1000 &+ UInt64(index), &trial)
                for place in sums.indices { sums[place] += figures[place] / Double(count) }
            }
            rows.append(["\(symbols) x \(depth)"] + means.map(Figure.text))
            guard isMini else { continue }
            trial.check("edges out of a state, mean", means[0], .within(3.0...3.6))
            trial.check("Bayes filter", means[1], .atLeast(0.97))
            trial.check("one symbol", means[2], .within(0.395...0.53))
            trial.check("two symbols", means[3], .within(0.765...0.855))
            trial.check("three symbols", means[4], .within(0.917...0.967))
            trial.check("four symbols", means[5], .within(0.962...0.992))
            trial.check("share of ends", means[6], .within(0.03...0.05))
        }
        trial.table(
            "Means over grammars",
            ["symbols x states", "edges", "Bayes", "1-gram", "2-gram", "3-gram", "4-gram", "ends", "entropy"], rows)
        var generator = Generator(seed: trial.seed, stream: 40)
        let large = try SelectivityGrammar(.init(symbols: 40, depth: 40), using: &generator)
        trial.check("states of the paper's grammar, 40 x 40", Double(large.stateCount), .equals(1601))
        trial.check(
            "its edges out of a state, mean", Double(large.followers.reduce(0) { $0 + $1.count }) / 1600,
            .within(15.7...16.3))
    }

    /// Edges a state; accuracy of the filter and of 1 to 4 symbols; share of ends; topological entropy.
    private static func grammarFigures(
        _ symbols: Int, _ depth: Int, _ length: Int, seed: UInt64, _ trial: inout Trial
    ) throws -> [Double] {
        var generator = Generator(seed: seed, stream: 8)
        let grammar = try SelectivityGrammar(.init(symbols: symbols, depth: depth), using: &generator)
        let training = try (0..<1000).map { _ in try grammar.stream(length: length, using: &generator) }
        let test = try (0..<200).map { _ in try grammar.stream(length: length, using: &generator) }
        let asked = Double(test.count * length)
        var known = 0
        for states in test {
            var filter = SelectivityFilter(grammar)
            known += states.count { filter.read(grammar.symbol(of: $0)) == $0 }
        }
        let grams = (1...4).map { order in
            let gram = SelectivityNGram(order: order, grammar: grammar, streams: training)
            let right = test.reduce(0) { sum, states in
                let symbols = states.map(grammar.symbol(of:))
                return sum + states.indices.count { gram.guess($0, in: symbols) == states[$0] }
            }
            return Double(right) / asked
        }
        try trial.progress("\(symbols) x \(depth)")
        let ends = test.reduce(0) { $0 + $1.count { $0 == 0 } }
        let edges = grammar.followers.reduce(0) { $0 + $1.count }
        return [Double(edges) / Double(symbols * depth), Double(known) / asked] + grams
            + [Double(ends) / asked, grammar.topologicalEntropy]
    }

    private static func selectiveStreams(_ trial: inout Trial) throws {
        for task in SelectiveVariant.allCases {
            let settings = task.training(grammarSeed: trial.seed)
            let grammar = try settings.grammar()
            var (gaps, symbols, wrong) = (Set<Int>(), 0, 0)
            var (gapCount, lowest, highest) = (0, Float.infinity, -Float.infinity)
            for _ in 0..<50 {
                let sample = try settings.sample(length: 64, of: grammar, using: &trial.generator)
                for segment in sample.segments {
                    let state = Int(sample.states[segment.lowerBound])
                    symbols += 1
                    gapCount += segment.count > 1 ? 1 : 0
                    if segment.count > 1 { gaps.insert(segment.count - 1) }
                    wrong += largest(sample.frames[segment.lowerBound]) == grammar.symbol(of: state) ? 0 : 1
                    for frame in segment.dropFirst() {
                        wrong += sample.states[frame] == Int32(state) ? 0 : 1
                        if settings.gap == .distractors {
                            wrong += grammar.next[state][largest(sample.frames[frame])] == nil ? 0 : 1
                        } else {
                            lowest = min(lowest, sample.frames[frame].min() ?? 0)
                            highest = max(highest, sample.frames[frame].max() ?? 0)
                        }
                    }
                }
            }
            let name = task.rawValue
            trial.check("\(name): frames that break the definition", Double(wrong), .equals(0))
            trial.check("\(name): shortest gap", Double(gaps.min() ?? 0), .equals(Double(settings.minGap)))
            trial.check("\(name): longest gap", Double(gaps.max() ?? 0), .equals(Double(settings.maxGap)))
            let share = Double(gapCount) / Double(symbols)
            let expected = settings.gapProbability * Double(64 - settings.gapStart) / 64
            trial.check("\(name): share of symbols with a gap", share, .within(expected - 0.02...expected + 0.02))
            guard settings.gap == .silence else { continue }
            trial.check("\(name): silence from", Double(lowest), .within(0...0.01))
            trial.check(
                "\(name): silence to", Double(highest), .within(max(0, settings.noise - 0.01)...settings.noise))
        }
    }

    private static func largest(_ frame: [Float]) -> Int {
        frame.indices.max { frame[$0] < frame[$1] } ?? 0
    }
}

/// The four tasks at laptop size: 8 symbols of 4 states.
enum SelectiveVariant: String, CaseIterable {
    case complexity
    case irregularGaps = "irregular gaps"
    case distractors

    /// What models are trained on.
    func training(grammarSeed: UInt64) -> SelectivityTask {
        var task = SelectivityTask()
        task.grammarSeed = grammarSeed
        switch self {
        case .complexity: break
        case .irregularGaps: (task.maxGap, task.noise) = (10, 0.2)
        case .distractors: (task.gap, task.gapProbability, task.gapStart) = (.distractors, 0.1, 16)
        }
        return task
    }

    /// What they are judged on: gaps as long as the longest of training.
    func test(grammarSeed: UInt64) -> SelectivityTask {
        var task = training(grammarSeed: grammarSeed)
        task.minGap = task.maxGap
        return task
    }
}

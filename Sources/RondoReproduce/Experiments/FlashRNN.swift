import RondoData
import RondoIO
import RondoModels
import RondoTensor
import RondoTrain

extension Experiment {
    /// Pöppel et al., 2024.
    static let flashRNN = Experiment(
        slug: "flashrnn",
        title: "FlashRNN: I/O-Aware Optimization of Traditional RNNs on Modern Hardware",
        source: "K. Pöppel, M. Beck, S. Hochreiter; ICLR 2025; arXiv 2412.07752",
        claim: """
            Traditional recurrent networks with many heads become fast when the whole time loop is one kernel that keeps \
            the recurrent matrices near the processor, with tiles chosen by an integer constraint solver; and they track \
            states that parallel models cannot.
            """,
        missing: "the tuner's trial runs of compiled kernels; GPUs",
        parts: [
            .quick(
                "schedules-agree", "Fused, alternating and naive loop compute the same",
                paper: "One function with three implementations, forward and backward (official tests of the kernels).",
                run: schedulesAgree),
            .quick(
                "constraint-solver", "ConstrINT finds exactly the solutions",
                paper:
                    "Tile sizes come from an integer constraint solver by propagation and search (appendix; its tests).",
                run: constraintSolver),
            .quick(
                "state-tracking", "Cells with recurrent matrices learn parity at any length, without them they do not",
                paper: """
                    Traditional RNNs solve parity beyond the lengths seen in training; models without state tracking do \
                    not.
                    """,
                run: stateTracking),
            .full(
                "speed", "Fused is faster than alternating, which is faster than operation by operation",
                paper: """
                    LSTM, batch 16, 1024 positions, forward, on a GPU: 3.56, 7.84 and 150.2 ms at 48 heads of 16 \
                    (fused, alternating, PyTorch loop); 3.10, 8.19, 152.0 at 12 of 64; 4.87, 10.79, 147.5 at one of 768.
                    """,
                run: scheduleSpeed),
        ])

    // MARK: Schedules

    private static func schedulesAgree(_ trial: inout Trial) throws {
        var (forward, gradient, alternating, blocks) = (0.0, 0.0, 0.0, 0.0)
        var rows: [[String]] = []
        for cell in [RecurrentCell.elmanTanh, .lstm, .gru, .slstm] {
            for (heads, width) in [(1, 64), (4, 16), (3, 32)] {
                try trial.progress("\(cell.rawValue), \(heads) heads of \(width)")
                let layer = try RandomRecurrence(cell, heads: heads, width: width, batch: 5, time: 37, &trial.generator)
                let naive = try layer.run(mode: .reference)
                let fused = try layer.run()
                let other = try layer.run(schedule: .alternating)
                let values = try naive.values.largestDifference(from: fused.values)
                let slopes = try zip(fused.gradients, naive.gradients).map { try $0.relativeDifference(from: $1) }
                let alternate = try ([fused.values] + fused.gradients).elementwiseLargest(
                    [other.values] + other.gradients)
                let dense = try layer.asOneHead().run()
                let block = try dense.values.largestDifference(from: fused.values)
                (forward, gradient) = (max(forward, values), max(gradient, slopes.max() ?? 0))
                (alternating, blocks) = (max(alternating, alternate), max(blocks, block))
                rows.append(
                    [cell.rawValue, "\(heads) x \(width)"]
                        + [values, slopes.max() ?? 0, alternate, block].map(Figure.text))
            }
        }
        trial.check("outputs and last states, fused minus naive", forward, .atMost(1e-5))
        trial.check("gradients, fused minus naive, relative", gradient, .atMost(1e-4))
        trial.check("outputs and gradients, alternating minus fused", alternating, .equals(0))
        trial.check("outputs, heads minus one head with a block-diagonal matrix", blocks, .equals(0))
        trial.table(
            "Largest differences, batch 5, 37 positions, float32",
            ["cell", "heads", "forward", "gradients, relative", "alternating", "block-diagonal"], rows)
    }

    // MARK: Constraint solver

    private static func constraintSolver(_ trial: inout Trial) throws {
        func values(_ text: String, _ name: String, _ domains: [String: IntegerDomain] = [:]) throws -> [Int]? {
            try ConstraintProblem(text, domains: domains).propagated()?[name]?.values
        }
        trial.check("5*x <= 15; x + 1 <= 3: x is 1 or 2", try values("5*x <= 15; x + 1 <= 3;", "x") == [1, 2])
        trial.check("x ^ 2 == 9: x is 3", try values("x ^ 2 == 9;", "x") == [3])
        let product = "a <= 20; b <= 20; a*b == 15;"
        trial.check(
            "a*b == 15: each is 1, 3, 5 or 15",
            try values(product, "a") == [1, 3, 5, 15] && values(product, "b") == [1, 3, 5, 15])
        let bounds = ["a": IntegerDomain(5...20), "b": IntegerDomain(1...20)]
        trial.check(
            "a + b == 15, a from 5: a is 5...14, b is 1...10",
            try values("a + b == 15;", "a", bounds) == Array(5...14)
                && values("a + b == 15;", "b", bounds) == Array(1...10))
        trial.check("a <= 5; a % 2 == 0: a is 2 or 4", try values("a <= 5; a % 2 == 0;", "a") == [2, 4])
        trial.check("512 % b == 0: powers of two", try values("512 % b == 0;", "b") == (0...9).map { 1 << $0 })
        let pairs = try ConstraintProblem("A == [1, 2]; B == [3, 4];").solutions(
            limit: 5, order: [.init("A", .smallestFirst), .init("B", .smallestFirst)])
        trial.check(
            "A == [1, 2]; B == [3, 4]: four solutions in order",
            pairs.map { [$0["A"], $0["B"]] } == [[1, 3], [1, 4], [2, 3], [2, 4]])
        var (wrong, solutions) = (0, 0)
        for _ in 0..<200 {
            let puzzle = RandomConstraints(using: &trial.generator)
            let problem = try ConstraintProblem(puzzle.text, domains: puzzle.domains)
            let found = try problem.solutions(limit: .max)
            let expected = puzzle.assignments.filter(problem.isSolution)
            if found.count != expected.count || Set(found) != Set(expected) { wrong += 1 }
            solutions += expected.count
        }
        trial.check("random problems of 200 whose solutions are not those of enumeration", Double(wrong), .equals(0))
        trial.show("solutions of the random problems", Double(solutions))
    }

    // MARK: State tracking

    private static func stateTracking(_ trial: inout Trial) throws {
        for (name, mixer) in [("LSTM", "lstm"), ("sLSTM", "slstm"), ("GRU", "gru"), ("Elman", "elman")] {
            let tracked = try parity(&trial, name, mixer, isRecurrent: true)
            let judged = mixer == "lstm" || mixer == "slstm"
            trial.check("\(name): accuracy at length 256", tracked.accuracy, judged ? .atLeast(0.99) : .none)
            trial.show("\(name): steps", Double(tracked.steps))
            let flat = try parity(&trial, "\(name) with R = 0", mixer, isRecurrent: false)
            trial.check("\(name) with R = 0: accuracy at length 256", flat.accuracy, .atMost(0.6))
        }
    }

    /// Trains until parity is right at length 256 or the steps are used up.
    private static func parity(
        _ trial: inout Trial, _ name: String, _ mixer: String, isRecurrent: Bool
    ) throws -> (accuracy: Double, steps: Int) {
        var configuration = LanguageModelConfiguration(mixer: mixer, dModel: 32, nLayers: 1)
        configuration.mixerOptions = ["heads": .integer(2)]
        try trial.record(name, configuration)
        let task = ParityTask()
        let limit = isRecurrent ? 3000 : 500
        var learner = try Learner(
            TaskModel(for: task, configuration, using: &trial.generator),
            optimizer: OptimizerConfiguration(.adamw, learningRate: 3e-3).makeOptimizer())
        func cutRecurrence() throws {
            guard !isRecurrent else { return }
            try learner.modify { model in
                try model.forEachParameter { path, parameter in
                    if path.hasSuffix(".recurrent") { parameter = try Tensor.zeros(parameter.shape) }
                }
            }
        }
        var examples = trial.generator
        try trial.steps(name, upTo: limit) {
            try cutRecurrence()
            let longest = min(32, 4 + learner.step / 10)
            let length = Int.random(in: 4...longest, using: &examples)
            let batch = try task.batch(64, length: length, using: &examples)
            return try learner.step { try $0.loss(batch) }.loss
        } until: {
            try cutRecurrence()
            return try learner.model.score(on: task, length: 256, count: 64, seed: 0x5c0e).accuracy ?? 0 >= 0.9999
        }
        trial.generator = examples
        try cutRecurrence()
        return (try learner.model.score(on: task, length: 256, seed: 0x5c0f).accuracy ?? 0, learner.step)
    }
}

/// A small random problem of three integers, whose solutions can be enumerated.
private struct RandomConstraints {
    let text: String
    let domains: [String: IntegerDomain]
    private static let names = ["a", "b", "c"]

    init(using generator: inout Generator) {
        var statements: [String] = []
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            var statement = Self.relation(&generator)
            if Int.random(in: 0..<3, using: &generator) == 0 { statement += " | " + Self.relation(&generator) }
            statements.append(statement + ";")
        }
        text = statements.joined(separator: " ")
        var domains: [String: IntegerDomain] = [:]
        for name in Self.names { domains[name] = IntegerDomain(1...Int.random(in: 4...12, using: &generator)) }
        self.domains = domains
    }

    private static func relation(_ generator: inout Generator) -> String {
        let (a, b) = (term(&generator), term(&generator))
        return ["\(a) <= \(b)", "\(a) == \(b)", "\(a) % \(b) == 0"][Int.random(in: 0..<3, using: &generator)]
    }

    private static func term(_ generator: inout Generator) -> String {
        let (x, y, z) = (atom(&generator), atom(&generator), atom(&generator))
        let name = names[Int.random(in: 0..<3, using: &generator)]
        let shapes = [x, "\(x) + \(y)", "\(x) * \(y)", "\(name) ^ 2", "(\(x) + \(y)) * \(z)"]
        return shapes[Int.random(in: 0..<shapes.count, using: &generator)]
    }

    private static func atom(_ generator: inout Generator) -> String {
        let number = Int.random(in: 1...12, using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: return "\(number)"
        case 1: return "[\(number), \(Int.random(in: 1...12, using: &generator))]"
        default: return names[number % 3]
        }
    }

    /// All values that the names may have together.
    var assignments: [[String: Int]] {
        Self.names.reduce([[:]]) { all, name in
            all.flatMap { one in
                (domains[name]?.values ?? []).map { value in one.merging([name: value]) { $1 } }
            }
        }
    }
}

extension [Tensor] {
    /// The largest absolute difference of tensors in pairs.
    fileprivate func elementwiseLargest(_ other: [Tensor]) throws -> Double {
        try zip(self, other).map { try $0.largestDifference(from: $1) }.max() ?? 0
    }
}

import RondoData
import RondoIO
import RondoModels
import RondoTensor
import RondoTracking
import RondoTrain

extension Experiment {
    /// Grazzi et al., 2024.
    static let negativeEigenvalues = Experiment(
        slug: "negative-eigenvalues",
        title: "Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues",
        source: "R. Grazzi, J. Siems, A. Zela, J. K. H. Franke, F. Hutter, M. Pontil; ICLR 2025; arXiv 2411.12537",
        claim: """
            Linear recurrences whose transition has only eigenvalues in [0, 1] cannot compute parity at lengths beyond \
            those they were trained at; with eigenvalues in [-1, 1], at the same cost, they can. Products of several \
            reflections track permutations.
            """,
        parts: [
            .quick(
                "constructed-parity", "A hand-made delta rule computes parity exactly",
                paper: "The construction behind the theorem: β = 2 on a one turns the state over, β = 0 keeps it.",
                run: constructedParity),
            .quick(
                "constructed-permutations", "A hand-made product of reflections tracks all permutations of five",
                paper: "A transposition is a reflection with β = 2; the word problem of S5 needs at most four a token.",
                run: constructedPermutations),
            .quick(
                "chunks", "Blocks of the delta rule equal its steps for β between 0 and 2",
                paper: "The same algorithm and kernels serve both ranges; exact up to rounding.", run: chunks),
            .quick(
                "trained-parity", "DeltaNet and Mamba learn parity at any length if eigenvalues may be negative",
                paper: """
                    Scaled accuracy beyond the training length (3-40, tested at 40-256), two layers of width 128: 1.000 \
                    with [-1, 1] for both; 0.017 (DeltaNet) and 0.000 (Mamba) with [0, 1].
                    """,
                run: trainedParity),
            .full(
                "trained-permutations", "Two reflections a token learn the permutations of three, one does not",
                paper: "On S5, trained at 32: only the extended range with enough reflections extrapolates to 500.",
                run: trainedPermutations),
        ])

    // MARK: - Constructions

    private static func constructedParity(_ trial: inout Trial) throws {
        let bits = (0..<5000).map { _ in Int.random(in: 0...1, using: &trial.generator) }
        let parities = bits.reduce(into: [0]) { $0.append($0[$0.count - 1] ^ $1) }.dropFirst()
        for (name, most) in [("β up to 2", 2.0), ("β up to 1", 1)] {
            // The first position writes the state 1; then nothing is written and ones turn it over.
            let beta = try Tensor([1] + bits.map { Float($0) * Float(most) }, shape: [1, 5001, 1])
            let key = try Tensor.ones([1, 5001, 1, 1])
            let value = try Tensor([1] + bits.map { _ in Float(0) }, shape: [1, 5001, 1, 1])
            let read = try DeltaRule.delta(q: key, k: key, v: value, beta: beta, state: Tensor.zeros([1, 1, 1, 1]))
            let signs = try read.output.array(of: Float.self).dropFirst()
            let error = zip(signs, parities).map { abs($0 - ($1 == 0 ? 1 : -1)) }.max() ?? .nan
            trial.check(
                "largest error of the state's sign over 5000 bits, \(name)", Double(error),
                most > 1 ? .atMost(1e-5) : .atLeast(0.9))
        }
    }

    private static func constructedPermutations(_ trial: inout Trial) throws {
        let length = 5000
        let words = (0..<length).map { _ in Array(0..<5).shuffled(using: &trial.generator) }
        for (name, dtype) in [("float32", DType.float32), ("float64", .float64)] {
            let (error, wrong) = try permutationError(words, dtype)
            if dtype == .float64 {
                trial.check("largest error after \(length) permutations, \(name)", error, .atMost(1e-9))
            } else {
                // A float32 key of length 1 is short by 3e-8, which adds up over 20,000 reflections.
                trial.show("largest error after \(length) permutations, \(name)", error)
            }
            trial.check("positions with a wrong permutation, \(name)", Double(wrong), .equals(0))
        }
    }

    /// Reads the rows of a state that begins as the identity after every permutation.
    private static func permutationError(_ words: [[Int]], _ dtype: DType) throws -> (error: Double, wrong: Int) {
        let root = 0.5.squareRoot()
        var (keys, betas): ([Double], [Double]) = ([], [])
        for word in words {
            for (i, j) in transpositions(of: word) {
                keys += (0..<5).map { $0 == i ? root : $0 == j ? -root : 0 }
                betas.append(i == j ? 0 : 2)
            }
        }
        let time = betas.count
        // Five heads hold the same state; each reads another row of it.
        func acrossHeads(_ x: Tensor) throws -> Tensor {
            try x.expanded(at: 2).broadcast(to: [1, time, 5] + x.shape.dropFirst(2)).contiguous()
        }
        let identity = try Tensor.identity(5, dtype: dtype)
        let result = try DeltaRule.delta(
            q: identity.broadcast(to: [1, time, 5, 5]).contiguous(),
            k: acrossHeads(Tensor(keys, shape: [1, time, 5]).cast(to: dtype)),
            v: Tensor.zeros([1, time, 5, 5], dtype: dtype),
            beta: acrossHeads(Tensor(betas, shape: [1, time]).cast(to: dtype)),
            state: identity.broadcast(to: [1, 5, 5, 5]).contiguous())
        let rows = try result.output.cast(to: .float64).array(of: Double.self)
        var arrangement = Array(0..<5)
        var (error, wrong) = (0.0, 0)
        for (position, word) in words.enumerated() {
            arrangement = word.map { arrangement[$0] }
            let from = (4 * position + 3) * 25
            var isWrong = false
            for i in 0..<5 {
                let row = rows[from + 5 * i..<from + 5 * i + 5]
                error = zip(0..<5, row).reduce(error) { max($0, abs($1.1 - ($1.0 == arrangement[i] ? 1 : 0))) }
                let place = row.indices.max { row[$0] < row[$1] } ?? 0
                isWrong = isWrong || place - row.startIndex != arrangement[i]
            }
            wrong += isWrong ? 1 : 0
        }
        return (error, wrong)
    }

    /// Four exchanges of rows (of a row with itself, if fewer are needed) that bring row `word[i]` to place i.
    private static func transpositions(of word: [Int]) -> [(Int, Int)] {
        var rows = Array(word.indices)
        return word.indices.dropLast().map { place in
            let other = rows.firstIndex(of: word[place]) ?? place
            rows.swapAt(place, other)
            return (place, other)
        }
    }

    // MARK: - Forms

    private static func chunks(_ trial: inout Trial) throws {
        for (dtype, limit) in [(DType.float32, 1e-4), (.float64, 1e-12)] {
            let (time, heads, width) = (512, 2, 32)
            func draw(_ count: Int) throws -> Tensor {
                try trial.generator.normal([1, time, heads, count], dtype: dtype)
            }
            func unit(_ x: Tensor) throws -> Tensor { try x / x.square().sum([-1], keepingAxes: true).sqrt() }
            let inputs = [
                try unit(draw(width)), try unit(draw(width)), try draw(width),
                try trial.generator.uniform([1, time, heads], low: 0, high: 2, dtype: dtype),
                try Tensor.zeros([1, heads, width, width], dtype: dtype),
            ]
            let rule = DeltaRule(.delta)
            let difference = try rule(inputs)[0].relativeDifference(from: rule.reference(inputs)[0])
            trial.check("relative difference over 512 positions, \(dtype.rawValue)", difference, .atMost(limit))
        }
    }

    // MARK: - Training

    /// One layer of width 32, with which the thresholds were calibrated.
    private static func layer(
        _ mixer: String, _ options: KeyValuePairs<String, JSONValue>, isSymmetric: Bool
    ) -> LanguageModelConfiguration {
        var model = LanguageModelConfiguration(mixer: mixer, dModel: 32, nLayers: 1)
        var all = JSONObject()
        for (key, value) in options { all[key] = value }
        all["eigenvalues"] = .string(isSymmetric ? "symmetric" : "positive")
        model.mixerOptions = .object(all)
        return model
    }

    private static func trainedParity(_ trial: inout Trial) throws {
        let contestants: [(String, String, KeyValuePairs<String, JSONValue>)] = [
            ("DeltaNet", "delta_net", ["heads": .integer(2), "conv_width": .integer(0)]),
            ("Mamba", "mamba", ["state_size": .integer(8)]),
        ]
        let lengths = [16, 32, 64, 128, 256]
        var curves: [LossChart.Series] = []
        for (name, mixer, options) in contestants {
            for isSymmetric in [true, false] {
                let label = "\(name), \(isSymmetric ? "[-1, 1]" : "[0, 1]")"
                var training = TaskTraining(model: layer(mixer, options, isSymmetric: isSymmetric))
                (training.steps, training.minLength, training.maxLength) = (600, 32, 32)
                (training.optimizer.weightDecay, training.optimizer.learningRate) = (0, 1e-2)
                // The range is used to its ends only after large steps: at a rate of 0.003 half of the seeds stay at 0.9.
                training.schedule = ScheduleConfiguration(.cosine, warmupSteps: 20, floor: 0.01)
                let trainer = try trial.train(label, on: ParityTask(), training)
                let scores = try lengths.map { try trainer.score(length: $0).accuracy ?? 0 }
                trial.check(
                    "accuracy at length 256, \(label)", scores[scores.count - 1],
                    // Six seeds: DeltaNet 0.998 to 1, Mamba 0.942 to 1; with [0, 1] all are at 0.50 to 0.52.
                    isSymmetric ? .atLeast(mixer == "mamba" ? 0.9 : 0.99) : .atMost(0.6))
                let points = zip(lengths, scores).map { CurvePoint(Double($0), $1) }
                curves.append(LossChart.Series(name: label, points: points, style: .points))
            }
        }
        trial.chart(
            LossChart(
                title: "Parity, trained at length 32", xLabel: "length", yLabel: "accuracy", series: curves))
    }

    private static func trainedPermutations(_ trial: inout Trial) throws {
        var accuracies: [Double] = []
        var curves: [LossChart.Series] = []
        let lengths = [16, 32, 64, 128]
        for steps in [2, 1] {
            let label = "\(steps) \(steps == 1 ? "reflection" : "reflections") a token"
            let options: KeyValuePairs<String, JSONValue> = [
                "heads": .integer(4), "conv_width": .integer(0), "steps": .integer(steps),
            ]
            var training = TaskTraining(model: layer("delta_product", options, isSymmetric: true))
            (training.model.dModel, training.model.nLayers) = (64, 1)
            (training.steps, training.minLength, training.maxLength) = (3000, 4, 32)
            (training.optimizer.weightDecay, training.optimizer.learningRate) = (0, 3e-3)
            training.schedule = ScheduleConfiguration(.cosine, warmupSteps: 100, floor: 0.01)
            let trainer = try trial.train(label, on: GroupWordTask(), training)
            let scores = try lengths.map { try trainer.score(length: $0).accuracy ?? 0 }
            accuracies.append(scores[scores.count - 1])
            let points = zip(lengths, scores).map { CurvePoint(Double($0), $1) }
            curves.append(LossChart.Series(name: label, points: points, style: .points))
        }
        trial.check("accuracy at length 128, two reflections a token", accuracies[0], .atLeast(0.95))
        trial.check("how much less one reflection reaches", accuracies[0] - accuracies[1], .atLeast(0.15))
        trial.chart(
            LossChart(title: "S3, trained up to length 32", xLabel: "length", yLabel: "accuracy", series: curves))
    }
}

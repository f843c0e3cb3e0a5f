import RondoData
import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension Experiment {
    /// Stanić et al., 2023.
    static let languini = Experiment(
        slug: "languini",
        title: "The Languini Kitchen: Enabling Language Modelling Research at Different Scales of Compute",
        source: "A. Stanić, D. Ashley, O. Serikov, L. Kirsch, F. Faccio, J. Schmidhuber, T. Hofmann, I. Schlag; 2023; "
            + "arXiv 2309.11197",
        claim: """
            Models compared at equal accelerator hours, by a perplexity that does not depend on the tokenizer, show \
            trends: an LSTM whose gates see the input alone is many times faster than the LSTM, and gains more from \
            compute than a transformer that is better at small scale.
            """,
        missing: "the books of the paper and its hours on graphics cards",
        parts: [
            .quick(
                "block-form", "The block form of the quasi-LSTM is its loop",
                paper: "The released model computes 8 or 16 positions at once from the products of forget gates.",
                run: blockForm),
            .quick(
                "protocol", "Steps follow from measured throughput",
                paper: """
                    Steps are tokens/s · seconds / (batch · 512), with the throughputs of the official configurations \
                    on the reference card.
                    """,
                run: protocolArithmetic),
            .quick(
                "trend", "Trends and their crossing are recovered from points",
                paper: "Perplexity is a power of the hours; the trends of both models meet at about 50,000 hours.",
                run: trend),
            .full(
                "mini-kitchen", "A kitchen of seconds: LSTM, quasi-LSTM and a transformer at equal compute",
                paper: """
                    The quasi-LSTM trains about ten times as fast as the LSTM (on a graphics card); every model gets \
                    better with compute.
                    """,
                run: miniKitchen),
        ])

    // MARK: - The quasi-LSTM

    private static func blockForm(_ trial: inout Trial) throws {
        let (width, time) = (32, 512)
        let x = try trial.generator.normal([2, time, width], deviation: 1)
        let loop = try quasiLSTM(blockLength: nil, width: width, trial)
        let expected = try outputAndGradients(loop, x) { try $0.reference($1, state: &$2) }
        for length in [1, 4, 16] {
            try trial.progress("blocks of \(length)")
            let mixer = try quasiLSTM(blockLength: length, width: width, trial)
            let actual = try outputAndGradients(mixer, x) { try $0.chunk($1, state: &$2) }
            trial.check(
                "largest difference of outputs, blocks of \(length)",
                try relativeError(actual.output, expected.output), .atMost(1e-5))
            trial.check(
                "largest difference of gradients, blocks of \(length)",
                try zip(actual.gradients, expected.gradients).map { try relativeError($0, $1) }.max() ?? .nan,
                .atMost(1e-4))
        }
        try streaming(x, expected.output, &trial)
    }

    private static func streaming(_ x: Tensor, _ expected: Tensor, _ trial: inout Trial) throws {
        let width = x.shape[2]
        let mixer = try quasiLSTM(blockLength: 16, width: width, trial)
        var state = try mixer.initialState(batch: x.shape[0])
        let pieces = try (0..<4).map { try mixer.chunk(x.sliced(1, $0 * 128..<($0 + 1) * 128), state: &state) }
        trial.check(
            "four pieces of 128 with carried state, against one of 512",
            try relativeError(Tensor.concatenate(pieces, axis: 1), expected), .atMost(1e-5))
        // Without offsets and input, the candidate is 0 and only the constant is left in the forget gate.
        let silent = mixer.replacingParameters(try mixer.parameters.tensors.map { try $0 * 0.0 })
        var one = try silent.initialState(batch: 1)
        one["c"] = try one["c"] + 1.0
        _ = try silent.chunk(Tensor.zeros([1, 1, width]), state: &one)
        trial.check(
            "what stays of a cell at zero input, less σ(1)",
            try (one["c"] - 1 / (1 + exp(-1.0))).abs().max().scalar(), .atMost(1e-6))
    }

    /// The same weights whatever the form.
    private static func quasiLSTM(blockLength: Int?, width: Int, _ trial: Trial) throws -> QuasiLSTM {
        var configuration = QuasiLSTM.Configuration()
        (configuration.blockLength, configuration.hiddenSize) = (blockLength, 2 * width)
        var generator = Generator(seed: trial.seed, stream: 1)
        return try QuasiLSTM(configuration, dModel: width, using: &generator)
    }

    /// The outputs, and the derivatives of the sum of their squares by the weights.
    private static func outputAndGradients(
        _ mixer: QuasiLSTM, _ x: Tensor, _ form: (QuasiLSTM, Tensor, inout MixerState) throws -> Tensor
    ) throws -> (output: Tensor, gradients: [Tensor]) {
        let (_, gradients, output) = try mixer.valueGradientsAndExtra { mixer in
            var state = try mixer.initialState(batch: x.shape[0])
            let y = try form(mixer, x, &state)
            return (try y.square().sum(), y.detached())
        }
        return (output, gradients.tensors)
    }

    /// The largest difference, as a part of the largest magnitude.
    private static func relativeError(_ actual: Tensor, _ expected: Tensor) throws -> Double {
        try (actual - expected).abs().max().scalar() / expected.abs().max().scalar()
    }

    // MARK: - The protocol

    private static func protocolArithmetic(_ trial: inout Trial) throws {
        for (name, speed, hours, batch, steps) in [
            ("quasi-LSTM mini, 6 h, batch 80", 94_781, 6, 80, 49_982),
            ("quasi-LSTM tiny, 12 h, batch 80", 36_930, 12, 80, 38_950),
            ("quasi-LSTM small, 24 h, batch 84", 11_143, 24, 84, 22_385),
            ("GPT small, 6 h, batch 128", 55_416, 6, 128, 18_265),
        ] {
            let found = ComputeProtocol.steps(
                tokensPerSecond: speed, milliseconds: hours * 3_600_000, tokensPerStep: batch * 512)
            trial.check("steps of \(name)", Double(found), .equals(Double(steps)))
        }
    }

    private static func trend(_ trial: inout Trial) throws {
        let truths = [("GPT-like", ScalingFit(a: 1, b: -0.03)), ("LSTM-like", ScalingFit(a: 1.3245, b: -0.06))]
        var fits: [ScalingFit] = []
        for (name, truth) in truths {
            let points = [6.0, 12, 24, 48, 96].map { ($0, truth.perplexity(at: $0)) }
            guard let fit = ScalingFit(points) else { continue }
            trial.check("error of the fit, \(name)", max(abs(fit.a - truth.a), abs(fit.b - truth.b)), .atMost(1e-9))
            fits.append(fit)
        }
        let meeting = fits.count == 2 ? fits[0].crossing(with: fits[1]) : nil
        let expected = exp(0.3245 / 0.03)
        trial.show("hours at which they meet", meeting ?? .nan)
        trial.check("error of the crossing", abs((meeting ?? .nan) / expected - 1), .atMost(1e-9))
    }

    // MARK: - The kitchen

    private static func miniKitchen(_ trial: inout Trial) throws {
        let corpus = try Corpus.load(DefaultCorpus.locate())
        let configuration = kitchen(seed: trial.seed)
        try trial.record("race", configuration)
        var race = try Race(configuration, corpus: corpus)
        let watcher = trial
        try race.measure { _ in try watcher.progress("measuring the speeds") }
        let names = configuration.contestants.map(\.name)
        _ = try race.run { race, event in
            guard case .step(let leg, let index, let count, let metrics) = event else { return }
            try watcher.progress(
                "\(index + 1) of \(count): \(names[leg.contestant]), step \(metrics.step) of \(leg.steps)")
        }
        try showSpeeds(race, corpus, &trial)
        judge(race, &trial)
        trial.note(
            "The text is Rondo's own, \(corpus.bytes.count) bytes (\(corpus.fingerprint)), a tenth of it held out. Seconds "
                + "are those of the processors. Budgets are seconds, so that the part stays short.")
    }

    /// Two layers of width 256 with a position-wise part, as the paper's blocks; four sequences of 128 bytes a step.
    private static func kitchen(seed: UInt64) -> RaceConfiguration {
        var race = RaceConfiguration([
            RaceContestant("lstm"), RaceContestant("qlstm"),
            RaceContestant("attention", options: ["heads": .integer(8)], name: "gpt"),
        ])
        (race.minutes, race.classes, race.matching, race.clock) = (40.0 / 60, 4, .width, .processor)
        race.training.model.dModel = 256
        (race.training.model.norm, race.training.model.feedForward) = (.layer, .gelu)
        race.training.model.feedForwardBias = true
        (race.training.batchSize, race.training.windowLength, race.training.seed) = (4, 128, seed)
        race.training.optimizer = OptimizerConfiguration(.adamw, learningRate: 2e-3)
        race.training.optimizer.weightDecay = 0
        race.training.schedule = ScheduleConfiguration(.cosine, warmupSteps: 50, floor: 0.01)
        race.training.clipNorm = 0
        race.training.evaluation.batchSize = 8
        return race
    }

    /// The speeds of training, which decide about the steps, and those at batch 1, where the LSTM's loop is slowest.
    private static func showSpeeds(_ race: Race, _ corpus: Corpus, _ trial: inout Trial) throws {
        var small = race.configuration
        small.contestants = Array(small.contestants.prefix(2))
        (small.training.batchSize, small.training.windowLength, small.timedSteps) = (1, 512, 15)
        var smallRace = try Race(small, corpus: corpus)
        try smallRace.measure()
        let speeds = race.progress.entries.map { Double($0.tokensPerSecond) }
        let smallSpeeds = smallRace.progress.entries.map { Double($0.tokensPerSecond) }
        trial.check(
            "speed of the quasi-LSTM over the LSTM, batch 1", smallSpeeds[1] / smallSpeeds[0], .atLeast(1.5))
        trial.show("speed of the quasi-LSTM over the LSTM, batch 4", speeds[1] / speeds[0])
        trial.show("speed of the transformer over the LSTM, batch 4", speeds[2] / speeds[0])
        trial.note(
            "The paper's factor of ten is one of graphics cards; 1.5 is what was asked of processors. The multiply-adds alone, "
                + "with the feed-forward layers that both have, would make it 1.2; the rest is that the products of the "
                + "LSTM wait for each other.")
    }

    private static func judge(_ race: Race, _ trial: inout Trial) {
        let report = race.report
        for contestant in report.contestants {
            trial.check("slope of the trend, \(contestant.entry.name)", contestant.fit?.b ?? .nan, .atMost(0))
        }
        let tokensPerStep = race.configuration.training.batchSize * race.configuration.training.windowLength
        let isExact = race.progress.outcomes.allSatisfy { $0.tokens == $0.leg.steps * tokensPerStep }
        trial.check("tokens are derived steps · batch · length exactly", isExact)
        trial.table("perplexity of a byte at equal compute", report.table.header, report.table.rows)
        trial.chart(report.scalingChart)
        trial.chart(report.lossChart)
        for line in report.crossingsInWords { trial.note(line) }
    }
}

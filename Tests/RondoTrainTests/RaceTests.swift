import Glibc
import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

@Suite struct ComputeProtocolTests {
    @Test(arguments: [
        (94_781, 6, 80, 49_982), (36_930, 12, 80, 38_950), (11_143, 24, 84, 22_385), (55_416, 6, 128, 18_265),
    ])
    func stepsOfThePaper(_ speed: Int, _ hours: Int, _ batch: Int, _ steps: Int) {
        #expect(
            ComputeProtocol.steps(
                tokensPerSecond: speed, milliseconds: hours * 3_600_000, tokensPerStep: batch * 512) == steps)
    }

    @Test func roundingAndExtremes() {
        #expect(ComputeProtocol.steps(operations: 5, operationsPerStep: 2) == 3)
        #expect(ComputeProtocol.steps(operations: 7, operationsPerStep: 5) == 1)
        #expect(ComputeProtocol.steps(operations: 4, operationsPerStep: 10) == 0)
        // Products beyond 64 bits stay exact.
        #expect(
            ComputeProtocol.steps(tokensPerSecond: 1 << 40, milliseconds: 1000 << 40, tokensPerStep: 1 << 50) == 1 << 30
        )
        #expect(ComputeProtocol.steps(tokensPerSecond: .max, milliseconds: .max, tokensPerStep: 1) == .max)
        #expect(ComputeProtocol.steps(tokensPerSecond: 1, milliseconds: 1, tokensPerStep: .max) == 0)
        #expect(ComputeProtocol.steps(operations: -3, operationsPerStep: 2) == 0)
    }
}

@Suite struct ScalingFitTests {
    @Test func recoversLinesAndTheirCrossing() throws {
        let truths = [ScalingFit(a: 1, b: -0.03), ScalingFit(a: 1.3245, b: -0.06)]
        let fits = try truths.map { truth in
            try #require(ScalingFit([6.0, 12, 24, 48, 96].map { ($0, truth.perplexity(at: $0)) }))
        }
        for (fit, truth) in zip(fits, truths) {
            #expect(abs(fit.a - truth.a) < 1e-9 && abs(fit.b - truth.b) < 1e-9)
        }
        let crossing = try #require(fits[0].crossing(with: fits[1]))
        #expect(abs(crossing / exp(0.3245 / 0.03) - 1) < 1e-9 && abs(crossing - 49_845) < 50)
    }

    @Test func leastSquaresOfThreePoints() throws {
        // In logarithms (0, 1), (1, 3), (2, 2): slope 1/2 and intercept 3/2.
        let fit = try #require(ScalingFit([(1, exp(1)), (exp(1), exp(3)), (exp(2), exp(2))]))
        #expect(abs(fit.b - 0.5) < 1e-12 && abs(fit.a - 1.5) < 1e-12)
    }

    @Test func nothingToFit() {
        #expect(ScalingFit([]) == nil && ScalingFit([(2, 3)]) == nil && ScalingFit([(2, 3), (2, 4)]) == nil)
        #expect(ScalingFit([(0, 3), (1, 2)]) == nil)
        #expect(ScalingFit(a: 1, b: -1).crossing(with: ScalingFit(a: 2, b: -1)) == nil)
    }
}

@Suite struct RaceTests {
    private func configuration(_ change: (inout RaceConfiguration) -> Void = { _ in }) -> RaceConfiguration {
        var race = RaceConfiguration([
            RaceContestant("min_gru"), RaceContestant("attention", options: ["heads": .integer(2)]),
        ])
        race.training = TinyRun.configuration { $0.model = LanguageModelConfiguration(mixer: "lstm", dModel: 8) }
        race.training.model.nLayers = 1
        (race.flops, race.classes, race.warmupSteps, race.timedSteps) = (4e6, 2, 0, 1)
        change(&race)
        return race
    }

    /// Runs a race to its end, stopping after some steps and going on from what was written down.
    private func run(_ configuration: RaceConfiguration, stops: [Int] = []) throws -> RaceReport {
        let folder = try TemporaryFolder()
        var race = try Race(configuration, corpus: TinyRun.corpus)
        try race.measure()
        for stop in stops {
            let counter = Counter()
            let isDone = try race.run(
                folder: folder.path,
                onEvent: { _, event in if case .step = event { counter.count += 1 } },
                shouldStop: { counter.count >= stop })
            #expect(!isDone)
            let text = try StrictJSON.prettyText(of: race.progress)
            let progress = try StrictJSON.decode(
                RaceProgress.self, from: JSONValue(parsing: Array(text.utf8), source: "progress"), source: "progress")
            #expect(progress == race.progress)
            race = try Race(resuming: progress, corpus: TinyRun.corpus)
        }
        #expect(try race.run(folder: folder.path, onEvent: { _, _ in }))
        for leg in race.legs {
            let model = try LanguageModel(folder: folder.file(race.name(of: leg)))
            #expect(model.configuration.dModel == race.models[leg.contestant].dModel)
        }
        var report = race.report
        for index in report.contestants.indices { report.contestants[index].entry.tokensPerSecond = 0 }
        return report
    }

    @Test func equalOperationsAndAnInterruptedRaceIsTheWholeOne() throws {
        let configuration = configuration { $0.seeds = 2 }
        let report = try run(configuration)
        #expect(report.unit == "FLOPs" && report.contestants.map(\.entry.name) == ["min_gru", "attention"])
        for contestant in report.contestants {
            #expect(contestant.results.map(\.compute) == [2e6, 4e6])
            let perStep = contestant.entry.multiplyAdds.trainingOperations * 21
            for result in contestant.results {
                #expect(abs(Double(result.steps * perStep) - result.compute) <= Double(perStep) / 2)
                #expect(result.tokens == result.steps * 21)
                #expect(result.perplexities.count == 2 && result.deviation > 0)
                #expect(result.perplexities.allSatisfy { $0 > 1 && $0 < 300 })
            }
            #expect(contestant.fit != nil && !contestant.curve.isEmpty)
            #expect(contestant.curve.last?.compute == 4e6)
        }
        #expect(try run(configuration, stops: [1, 3, 20]) == report)
    }

    @Test func timeBecomesStepsOfTheMeasuredSpeed() throws {
        let configuration = configuration { ($0.flops, $0.minutes, $0.clock) = (nil, 0.5, .processor) }
        var race = try Race(configuration, corpus: TinyRun.corpus)
        #expect(race.legs.isEmpty)
        try race.measure()
        for leg in race.legs {
            let steps = ComputeProtocol.steps(
                tokensPerSecond: race.progress.entries[leg.contestant].tokensPerSecond,
                milliseconds: leg.level == 0 ? 15_000 : 30_000, tokensPerStep: 21)
            #expect(leg.steps == steps && steps > 0)
        }
        #expect(race.legs.count == 4)
    }

    @Test func multiplyAddsOfKnownModels() throws {
        var generator = Generator(seed: 0)
        let lstm = try LanguageModel(
            LanguageModelConfiguration(mixer: "lstm", dModel: 8, nLayers: 1), using: &generator)
        let count = try MultiplyAdds(lstm, windowLength: 7)
        // Input and recurrent matrices of four gates, the head; two state vectors, updated and read.
        #expect(count.matrices == 2 * 4 * 64 + 256 * 8 && count.states == 2 * 16)
        #expect(count.trainingOperations == 6 * count.total)
        let attention = try LanguageModel(
            LanguageModelConfiguration(mixer: "attention", dModel: 8, nLayers: 1), using: &generator)
        // On average, keys and values of four positions.
        #expect(try MultiplyAdds(attention, windowLength: 7).states == 2 * 8 * 4)
    }

    @Test func widthsAreChosenForEqualParameters() throws {
        var race = configuration()
        race.training.model.dModel = 64
        race.contestants = ["lstm", "min_gru", "gla", "attention"].map { RaceContestant($0) }
        let counts = try race.models().map { model in
            var generator = Generator.outline
            return Double(try LanguageModel(model, using: &generator).parameterCount)
        }
        for count in counts { #expect(abs(count / counts[0] - 1) < 0.08, "\(counts)") }
        race.matching = .width
        #expect(try Set(race.models().map(\.dModel)) == [64])
    }

    @Test func contestantsAreRead() throws {
        let list = try RaceContestant.list("lstm, gla:{\"heads\":2,\"a\":[1,2]},gla")
        #expect(list.map(\.mixer) == ["lstm", "gla", "gla"] && list.map(\.name) == ["lstm", "gla", "gla-2"])
        #expect(list[1].options?["heads"]?.intValue == 2 && list[2].options == nil)
        #expect(throws: RondoError.self) { try RaceContestant.list("lstm,,gru") }
        #expect(throws: RondoError.self) { try RaceContestant.list("lstm:{") }
    }

    @Test func badRacesAreRefusedBeforeWork() throws {
        for (change, word) in [
            ({ $0.contestants = [] }, "contestants"), ({ $0.contestants[1].name = "min_gru" }, "contestants"),
            ({ $0.contestants[0].mixer = "lst" }, "lstm"), ({ $0.minutes = 1 }, "minutes"),
            ({ $0.flops = nil }, "minutes"), ({ $0.classes = 0 }, "classes"), ({ $0.seeds = 0 }, "seeds"),
            ({ $0.training.data.validationFraction = 0 }, "validation_fraction"),
            ({ $0.contestants[0].options = ["no_such": .integer(1)] }, "no_such"),
        ] as [((inout RaceConfiguration) -> Void, String)] {
            let error = #expect(throws: RondoError.self) { try Race(configuration(change), corpus: TinyRun.corpus) }
            #expect(error?.message.contains(word) == true, "\(word): \(error?.message ?? "")")
        }
        var race = try Race(configuration { $0.flops = 1000 }, corpus: TinyRun.corpus)
        let error = #expect(throws: RondoError.self) { try race.measure() }
        #expect(error?.message.contains("does not buy one step") == true)
        let progress = try Race(configuration(), corpus: TinyRun.corpus).progress
        #expect(throws: RondoError.self) { try Race(resuming: progress, corpus: Corpus(bytes: TinyRun.text(2999))) }
    }
}

/// Counts, also from escaping closures.
private final class Counter {
    var count = 0
}

import RondoReproduce
import RondoTracking
import Testing

@Suite struct ExperimentTests {
    @Test func everyPaperIsListedOnce() {
        let slugs = Catalogue.papers.map(\.slug)
        #expect(slugs.count == 58)
        #expect(Set(slugs).count == 58)
    }

    @Test(arguments: Experiments.all.map(\.slug))
    func anExperimentBelongsToAPaperAndSaysWhatItShows(slug: String) throws {
        let experiment = try Experiments.experiment(slug)
        let paper = try #require(Catalogue.papers.first { $0.slug == slug })
        #expect(experiment.title == paper.title)
        #expect(!experiment.claim.isEmpty && !experiment.source.isEmpty)
        #expect(experiment.parts.contains { !$0.isFull }, "there must be something to see in quick mode")
        #expect(Set(experiment.parts.map(\.name)).count == experiment.parts.count)
        #expect(experiment.parts.allSatisfy { !$0.paper.isEmpty && !$0.title.isEmpty })
    }

    @Test func experimentsAreThereOnce() {
        #expect(Set(Experiments.all.map(\.slug)).count == Experiments.all.count)
    }
}

@Suite struct ReproductionTests {
    private func experiment(_ parts: Experiment.Part...) -> Experiment {
        Experiment(slug: "s", title: "t", source: "s", claim: "c", parts: parts)
    }

    @Test func aFailedCheckFailsTheClaim() throws {
        let result = try Reproduction.run(
            experiment(
                .quick("a", "A", paper: "p") { $0.check("x", 2, .atMost(1)) },
                .quick("b", "B", paper: "p") { $0.check("x", 1, .atMost(1)) }), isFull: false, seed: 1)
        #expect(result.parts.map(\.passed) == [false, true])
        #expect(!result.passed)
    }

    @Test func nothingMeasuredIsNoSuccess() throws {
        let result = try Reproduction.run(experiment(.quick("a", "A", paper: "p") { _ in }), isFull: false, seed: 1)
        #expect(!result.passed)
    }

    @Test func anErrorIsAFailureAndTheNextPartRuns() throws {
        struct Broken: Error {}
        let result = try Reproduction.run(
            experiment(
                .quick("a", "A", paper: "p") { _ in throw Broken() },
                .quick("b", "B", paper: "p") { $0.check("x", true) }), isFull: false, seed: 1)
        #expect(result.parts.map(\.passed) == [false, true])
        #expect(result.parts[0].failure != nil)
        #expect(result.html.text.contains("Does not hold here"))
    }

    @Test func quickModeLeavesLongPartsOut() throws {
        let parts = experiment(
            .quick("a", "A", paper: "p") { $0.check("x", true) }, .full("b", "B", paper: "p") { $0.check("x", true) })
        #expect(try Reproduction.run(parts, isFull: false, seed: 1).parts.map(\.part.name) == ["a"])
        #expect(try Reproduction.run(parts, isFull: true, seed: 1).parts.map(\.part.name) == ["a", "b"])
    }

    @Test func anInterruptionEndsTheWholeExperiment() throws {
        #expect(throws: Reproduction.Interrupted.self) {
            try Reproduction.run(
                experiment(.quick("a", "A", paper: "p") { $0.check("x", true) }), isFull: false, seed: 1,
                onProgress: { _, _ in throw Reproduction.Interrupted() })
        }
    }

    @Test(arguments: [
        (Criterion.atLeast(1), 1.0, true), (.atLeast(1), .nan, false), (.atMost(1), 1.1, false),
        (.within(0...1), 0.5, true), (.within(0...1), -0.1, false), (.equals(1), 1, true), (.none, 7, true),
    ])
    func criteriaJudge(criterion: Criterion, value: Double, verdict: Bool) {
        #expect(criterion.accepts(value) == verdict)
    }

    @Test(arguments: [(0.99871, "0.9987"), (12, "12"), (3.1e-15, "3.1e-15"), (1234.56, "1234.6"), (-0.5, "-0.5")])
    func figuresAreShort(value: Double, text: String) { #expect(Figure.text(value) == text) }
}

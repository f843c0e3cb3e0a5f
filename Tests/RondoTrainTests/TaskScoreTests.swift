import RondoData
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain
import Testing

/// Measures of single tasks.
@Suite struct TaskScoreTests {
    private func model(_ task: some SequenceTask) throws -> TaskModel {
        var generator = Generator(seed: 1)
        return try TaskModel(
            for: task, LanguageModelConfiguration(mixer: "gru", dModel: 8, nLayers: 1), using: &generator)
    }

    @Test func languagesAreJudgedAtEveryPositionButTheFirst() throws {
        let task = InContextLanguageTask()
        var generator = Generator(seed: 3)
        let instances = try (0..<40).map { try task.instance(strings: 2 + $0 % 3, using: &generator) }
        let scores = try model(task).scores(on: instances, separator: task.separator)
        #expect(scores.count == 4)
        let tokens = instances.reduce(0) { $0 + $1.tokens(separator: task.separator).count }
        #expect(scores.reduce(0) { $0 + $1.positions } == tokens)
        #expect(scores.allSatisfy { $0.totalVariation > 0.5 && $0.totalVariation < 1 })
        // One by one or side by side is the same.
        var alone = NextSymbolScore()
        for instance in instances {
            for score in try model(task).scores(on: [instance], separator: task.separator) { alone.merge(score) }
        }
        let together = scores.reduce(into: NextSymbolScore()) { $0.merge($1) }
        #expect(abs(alone.totalVariation - together.totalVariation) < 1e-6)
    }

    @Test func symbolsAreJudgedByAllTheirFrames() throws {
        var task = SelectivityTask()
        task.maxGap = 3
        let accuracy = try model(task).symbolAccuracy(on: task, length: 64, count: 20)
        #expect(accuracy >= 0 && accuracy < 0.3)
        #expect(try model(task).symbolAccuracy(on: task, length: 64, count: 20) == accuracy)
    }
}

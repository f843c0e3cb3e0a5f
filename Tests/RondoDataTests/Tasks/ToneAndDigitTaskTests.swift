import RondoData
import RondoTensor
import Testing

@Suite struct ToneAndDigitTaskTests {
    private func features(_ example: TaskExample) -> [[Float]] {
        guard case .features(let rows) = example.inputs else { return [] }
        return rows
    }

    private func classes(_ example: TaskExample) -> [Int32] {
        guard case .classes(let answers) = example.targets else { return [] }
        return answers
    }

    @Test func tonesAreAskedAtTheEndAndHaveTheirFrequency() throws {
        var task = ToneTask()
        (task.noise, task.samplingStep) = (0, 2)
        try task.validate()
        var generator = Generator(seed: 1)
        for _ in 0..<5 {
            let example = try task.example(length: 64, using: &generator)
            let kind = try #require(classes(example).last)
            #expect(classes(example).dropLast().allSatisfy { $0 == TaskExample.unasked })
            let samples = features(example).map { $0[0] }
            let period = kind == 0 ? 16 : 8
            #expect((0..<64 - period).allSatisfy { abs(samples[$0] - samples[$0 + period]) < 1e-3 })
            #expect((0..<64 - period / 2).allSatisfy { abs(samples[$0] + samples[$0 + period / 2]) < 1e-3 })
        }
        task.samplingStep = 8
        #expect(throws: RondoError.self) { try task.validate() }
    }

    @Test func delayedSignalsAreAskedAfterTheDelay() throws {
        var task = DelayedSignalTask()
        task.delay = 5
        var generator = Generator(seed: 1)
        var squares: Float = 0
        for _ in 0..<20 {
            let example = try task.example(length: 200, using: &generator)
            guard case .values(let answers) = example.targets else { continue }
            let samples = features(example)
            #expect(answers[..<5].allSatisfy { $0 == nil })
            #expect((5..<200).allSatisfy { answers[$0] == samples[$0 - 5] })
            squares += samples.reduce(0) { $0 + $1[0] * $1[0] }
        }
        #expect(abs(squares / 4000 - 1) < 0.35, "the variance is 1")
    }

    @Test func permutedDigitsAreTheSamePixels() throws {
        var task = StrokeDigitsTask()
        task.noise = 0
        var plain = task
        plain.permuted = false
        var (first, second) = (Generator(seed: 3), Generator(seed: 3))
        let (a, b) = (try task.example(length: 64, using: &first), try plain.example(length: 64, using: &second))
        let last = try #require(classes(a).last)
        #expect(classes(a) == classes(b) && (0..<10).contains(last))
        let (shuffled, rows) = (features(a).map { $0[0] }, features(b).map { $0[0] })
        #expect(shuffled != rows && shuffled.sorted() == rows.sorted())
        #expect(rows.allSatisfy { (0...1).contains($0) } && rows.count { $0 > 0.5 } > 4)
        #expect(throws: RondoError.self) { try task.example(length: 63, using: &first) }
    }

    /// Without distortion and noise, the ten digits are ten different pictures.
    @Test func digitsDiffer() throws {
        var task = StrokeDigitsTask()
        (task.noise, task.distortion) = (0, 0)
        var generator = Generator(seed: 3)
        var pictures: [Int32: [[Float]]] = [:]
        for _ in 0..<200 {
            let example = try task.example(length: 64, using: &generator)
            pictures[classes(example)[63]] = features(example)
        }
        #expect(pictures.count == 10 && Set(pictures.values).count == 10)
    }
}

import RondoModels
import RondoTensor
import Testing

@Suite struct BatchGeneratorTests {
    private let sampling = SamplingOptions(temperature: 0.9, topK: 60, repetitionPenalty: 1.1)

    /// Prompts of several lengths, some of them equal; more streams than go into one step.
    private let streams = (0..<19).map { (index: Int) -> BatchGenerator.Stream in
        let start: Int32 = index % 2 == 0 ? 65 : 66
        let prompt = (0..<Int32(1 + index % 4)).map { start + 3 * $0 }
        return BatchGenerator.Stream(prompt: prompt, seed: UInt64(7 * index))
    }

    private func alone(_ model: LanguageModel, _ stream: BatchGenerator.Stream, _ count: Int) throws -> [Int32] {
        var generator = try TextGenerator(model, sampling: sampling, seed: stream.seed)
        try generator.read(stream.prompt)
        return try (0..<count).map { _ in try generator.next() }
    }

    @Test(arguments: LanguageModelTests.mixers)
    func aStreamIsTheTextThatItWouldBeAlone(_ mixer: String) throws {
        let model = try LanguageModelTests.model(mixer, dtype: .float32)
        var generator = try BatchGenerator(model, streams, sampling: sampling)
        var made = streams.map { _ in [Int32]() }
        for step in 0..<8 {
            for choice in try generator.next() { made[choice.stream].append(choice.token) }
            // Some end early, and the others must not notice.
            if step == 2 { try generator.finish([0, 5, 18]) }
            if step == 4 { try generator.finish([1]) }
        }
        #expect(generator.active == Array(2..<18).filter { $0 != 5 })
        for (index, stream) in streams.enumerated() {
            #expect(try made[index] == alone(model, stream, made[index].count), "stream \(index)")
        }
        #expect(made[0].count == 3 && made[1].count == 5 && made[2].count == 8)
    }

    @Test func equalPromptsAreReadOnce() throws {
        let model = try LanguageModelTests.model("gru", dtype: .float32)
        let prompt: [Int32] = [1, 2, 3]
        let same = (0..<5).map { BatchGenerator.Stream(prompt: prompt, seed: UInt64($0)) }
        var generator = try BatchGenerator(model, same + [.init(prompt: [1], seed: 9)])
        #expect(generator.promptTokenCount == 4)
        #expect(try generator.next().map(\.stream) == Array(0..<6))
        let size = generator.stateByteCount
        try generator.finish([0, 1, 2])
        #expect(2 * generator.stateByteCount == size)
        try generator.finish(0..<6)
        #expect(try generator.active.isEmpty && generator.next().isEmpty)
    }

    @Test func whatCannotBeReadIsRefused() throws {
        let model = try LanguageModelTests.model("gru", dtype: .float32)
        for prompt: [Int32] in [[], [256], [-1]] {
            #expect(throws: RondoError.self) { try BatchGenerator(model, [.init(prompt: prompt, seed: 0)]) }
        }
    }
}

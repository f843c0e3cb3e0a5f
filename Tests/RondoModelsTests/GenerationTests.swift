import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct GenerationTests {
    private func model(
        _ seed: UInt64 = 1, _ mixer: String = "lstm",
        _ change: (inout LanguageModelConfiguration) -> Void = { _ in }
    ) throws -> LanguageModel {
        var configuration = LanguageModelConfiguration(mixer: mixer, dModel: 16)
        change(&configuration)
        var generator = Generator(seed: seed)
        return try LanguageModel(configuration, using: &generator)
    }

    private let prompt = Array("Rondo alla turca".utf8).map(Int32.init)
    private let sampling = SamplingOptions(temperature: 0.8, topK: 50, repetitionPenalty: 1.2)

    private func make(_ generator: inout TextGenerator, _ count: Int) throws -> [Int32] {
        try (0..<count).map { _ in try generator.next() }
    }

    @Test(arguments: LanguageModelTests.mixers)
    func greedyTokensAreThoseOfTheWholeText(_ mixer: String) throws {
        let model = try model(1, mixer)
        var generator = try TextGenerator(model, sampling: SamplingOptions(temperature: 0), seed: 0)
        try generator.read(prompt)
        let made = try make(&generator, 30)
        #expect(generator.position == prompt.count + 30)
        var state = try model.initialState(batch: 1)
        let whole = prompt + made.dropLast()
        let logits = try model.logits(Tensor(whole, shape: [1, whole.count]), state: &state)
        let best = try logits.argmax().array(of: Int32.self)
        #expect(Array(best.suffix(30)) == made)
    }

    @Test(arguments: [0, 1, 7, 33])
    func savedStateContinuesBitForBit(madeBefore: Int) throws {
        let (folder, model) = (try TemporaryFolder(), try model())
        var whole = try TextGenerator(model, sampling: sampling, seed: 3)
        try whole.read(prompt)
        let expected = try make(&whole, madeBefore + 20)
        var first = try TextGenerator(model, sampling: sampling, seed: 3)
        try first.read(prompt)
        let before = try make(&first, madeBefore)
        try first.save(to: folder.file("state"), pendingBytes: [0xE2, 0x82])
        var second = try TextGenerator(model, resuming: folder.file("state"))
        #expect(second.pendingBytes == [0xE2, 0x82])
        #expect(second.position == prompt.count + madeBefore)
        #expect(try before + make(&second, 20) == expected)
        // Saving does not disturb the one that goes on.
        #expect(try before + make(&first, 20) == expected)
    }

    @Test func readingInPiecesEqualsReadingAtOnce() throws {
        let model = try model()
        let text = (0..<1000).map { Int32($0 * 7 % 251) }
        var (one, other) = (try TextGenerator(model, seed: 3), try TextGenerator(model, seed: 3))
        try one.read(text)
        for start in [0, 1, 34, 600] {
            let end = [0: 1, 1: 34, 34: 600, 600: 1000][start] ?? 0
            try other.read(Array(text[start..<end]))
        }
        #expect(try make(&one, 20) == make(&other, 20))
    }

    @Test func nothingToContinueIsAnError() throws {
        var generator = try TextGenerator(model(), seed: 1)
        try generator.read([])
        #expect(try rondoError { _ = try generator.next() }.message.contains("prompt"))
        #expect(try rondoError { try generator.read([256]) }.code == .outOfRange)
        #expect(generator.position == 0)
    }

    @Test func memoryDoesNotGrow() throws {
        var generator = try TextGenerator(model(), sampling: sampling, seed: 1)
        try generator.read(prompt)
        _ = try make(&generator, 50)
        let before = Runtime.hostAllocator.statistics
        _ = try make(&generator, 500)
        // Other tests run beside this one, so only the order of magnitude can be asked for.
        #expect(Runtime.hostAllocator.statistics.liveBytes < before.liveBytes + 64 << 20)
    }

    // MARK: - Files

    @Test func statesOfOtherModelsAreRefused() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("state")
        var generator = try TextGenerator(model(), seed: 1)
        try generator.read(prompt)
        try generator.save(to: path)
        let others: [(LanguageModel, String)] = try [
            (model(2), "model"), (model(1, "gru"), "architecture"),
            (model { $0.dropout = 0.1 }, "configuration"), (model().cast(to: .float64), "dtype"),
        ]
        for (other, word) in others {
            let error = try rondoError { _ = try TextGenerator(other, resuming: path) }
            #expect(error.code == .conflict && error.message.contains(word), "\(error.message)")
        }
    }

    @Test func damagedStatesAreRefused() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("state")
        let model = try model()
        var generator = try TextGenerator(model, sampling: sampling, seed: 1)
        try generator.read(prompt)
        try generator.save(to: path)
        try FileDamage(path).forEach(places: 150) { damage in
            let error = try? rondoError { _ = try TextGenerator(model, resuming: path) }
            #expect(error != nil, "\(damage) was accepted")
        }
        _ = try TextGenerator(model, resuming: path)
    }

    @Test func aModelIsNoState() throws {
        let folder = try TemporaryFolder()
        let model = try model()
        try model.write(to: folder.path)
        let error = try rondoError {
            _ = try TextGenerator(model, resuming: folder.file(ModelFolder.weights))
        }
        #expect(error.code == .corruptFile && error.message.contains("--state-out"))
    }
}

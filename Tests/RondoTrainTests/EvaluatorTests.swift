import RondoData
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct EvaluatorTests {
    private func model() throws -> LanguageModel {
        var generator = Generator(seed: 3)
        return try LanguageModel(
            LanguageModelConfiguration(mixer: "lstm", dModel: 10), using: &generator
        ).cast(to: .float64)
    }

    /// Nats of every next byte, one position after the other.
    private func nats(_ model: LanguageModel, _ text: ArraySlice<UInt8>) throws -> [Double] {
        var state = try model.initialState(batch: 1)
        return try zip(text, text.dropFirst()).map { byte, next in
            let logits = try model.logits(Tensor([Int32(byte)], shape: [1, 1]), state: &state).array(of: Double.self)
            let best = logits.max() ?? 0
            return log(logits.reduce(0) { $0 + exp($1 - best) }) + best - logits[Int(next)]
        }
    }

    @Test(arguments: [1, 3, 33, 100, 1000])
    func bitsPerByteAreThoseComputedByHand(windowLength: Int) throws {
        let (model, text) = (try model(), TinyRun.text(101))
        let expected = try nats(model, text[...])
        let result = try Evaluator.evaluate(model, on: TokenText(text), windowLength: windowLength)
        #expect(result.predictedBytes == 100)
        #expect(abs(result.loss - expected.reduce(0, +) / 100) < 1e-12)
        #expect(abs(result.bitsPerByte - expected.reduce(0, +) / 100 / log(2)) < 1e-12)
    }

    @Test func rowsBeginWithTheByteBeforeThem() throws {
        let (model, text) = (try model(), TinyRun.text(101))
        // The bytes 50..<101 in two rows: 26 and 25 predictions, each row from the initial state.
        let expected = try nats(model, text[49..<76]) + nats(model, text[75..<101])
        let result = try Evaluator.evaluate(model, on: TokenText(text), in: 50..<101, batchSize: 2, windowLength: 7)
        #expect(result.predictedBytes == 51)
        #expect(abs(result.loss - expected.reduce(0, +) / 51) < 1e-12)
    }

    @Test func anAverageOverAPartIsGivenWhenStopped() throws {
        let text = TokenText(TinyRun.text(101))
        let result = try Evaluator.evaluate(model(), on: text, windowLength: 10) { done, _ in done < 30 }
        #expect(result.predictedBytes == 30)
    }
}

import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct RecurrentLanguageModelTests {
    static func model(
        _ cell: RecurrentCell = .lstm, vocabSize: Int = 256,
        _ change: (inout RecurrentLanguageModelConfiguration) -> Void = { _ in }
    ) throws -> RecurrentLanguageModel {
        var configuration = RecurrentLanguageModelConfiguration(
            cell: cell, embeddingSize: 6, hiddenSize: 10, layers: 2, vocabSize: vocabSize)
        change(&configuration)
        var generator = Generator(seed: 5)
        return try RecurrentLanguageModel(configuration, dtype: .float64, using: &generator)
    }

    private func tokens(_ shape: [Int], below limit: Int) throws -> Tensor {
        var generator = Generator(seed: 8)
        return try Tensor((0..<shape.reduce(1, *)).map { _ in Int32(generator.next() % UInt64(limit)) }, shape: shape)
    }

    private func distance(_ a: Tensor, _ b: Tensor) throws -> Double { try (a - b).abs().max().scalar() }

    @Test(arguments: RecurrentCell.allCases)
    func projectedTableEqualsThePlainPath(_ cell: RecurrentCell) throws {
        // 33 tokens: 3 × 15 positions look up the projected table, 3 × 5 do not.
        let model = try Self.model(cell, vocabSize: 33)
        let inputs = try tokens([3, 15], below: 33)
        var (whole, pieces) = (try model.initialState(batch: 3), try model.initialState(batch: 3))
        let atOnce = try model.logits(inputs, state: &whole)
        let piecewise = try (0..<3).map { piece in
            try model.logits(inputs.sliced(1, 5 * piece..<5 * piece + 5), state: &pieces)
        }
        #expect(try distance(atOnce, Tensor.concatenate(piecewise, axis: 1)) < 1e-12)
        for (a, b) in zip(whole.named.tensors, pieces.named.tensors) { #expect(try distance(a, b) < 1e-12) }
    }

    @Test(arguments: [false, true])
    func derivativesOfTheProjectedTableAreThoseOfThePlainPath(tied: Bool) throws {
        let inputs = try tokens([3, 10], below: 20)
        let model = try Self.model(vocabSize: 20) {
            $0.tieEmbeddings = tied
            guard tied else { return }
            $0.embeddingSize = 10
            $0.recurrent.inputSize = 10
        }
        let projected = try model.valueAndGradients { model in
            var state = try model.initialState(batch: 3)
            return try model.logits(inputs, state: &state).square().mean()
        }
        let plain = try model.valueAndGradients { model in
            let (outputs, _) = try model.recurrent(model.embedding(inputs), state: model.initialState(batch: 3))
            let logits = try model.head.map { try $0(outputs) } ?? model.embedding.logits(outputs)
            return try logits.square().mean()
        }
        #expect(try distance(projected.value, plain.value) < 1e-14)
        for (index, path) in plain.gradients.paths.enumerated() {
            let difference = try distance(projected.gradients.tensors[index], plain.gradients.tensors[index])
            #expect(difference < 1e-13, "\(path)")
        }
    }

    @Test func carriedStateEqualsOneLongForward() throws {
        let model = try Self.model(.slstm)
        let inputs = try tokens([2, 33], below: 256)
        var long = try model.initialState(batch: 2)
        let expected = try model.logits(inputs, state: &long)
        var state = try model.initialState(batch: 2)
        var position = 0
        for length in [1, 3, 0, 29] {
            let piece = try model.logits(inputs.sliced(1, position..<position + length), state: &state)
            #expect(piece.shape == [2, length, 256])
            if length > 0 {
                #expect(try distance(piece, expected.sliced(1, position..<position + length)) < 1e-12)
            }
            position += length
        }
    }

    @Test func sizeEstimatesAreClose() throws {
        for cell in RecurrentCell.allCases {
            for tied in [false, true] {
                let model = try Self.model(cell) {
                    $0.tieEmbeddings = tied
                    $0.embeddingSize = 48
                    $0.recurrent.inputSize = 48
                    $0.recurrent.hiddenSize = 48
                    $0.recurrent.heads = 4
                }
                let ratio = model.configuration.parameterEstimate / Double(model.parameterCount)
                #expect((0.8...1.2).contains(ratio), "\(cell) \(tied): \(ratio)")
            }
        }
    }

    @Test func registryListsEveryCell() {
        #expect(ModelRegistry.entries.map(\.name) == RecurrentCell.allCases.map(\.rawValue))
        #expect(ModelRegistry.entries.allSatisfy { !$0.summary.isEmpty && !$0.summary.contains("\n") })
    }

    @Test func brokenPartsAreNamed() throws {
        let inputs = try tokens([2, 4], below: 256)
        func culprit(_ path: String, _ value: Double) throws -> String? {
            var model = try Self.model()
            try model.forEachParameter { name, parameter in
                if name == path { parameter = try Tensor.full(parameter.shape, value, dtype: .float64) }
            }
            var (state, unused) = (try model.initialState(batch: 2), Generator(seed: 0))
            return try model.firstNonFinitePart(inputs, state: &state, training: false, using: &unused)
        }
        #expect(try culprit("none", 0) == nil)
        #expect(try culprit("head.bias", .infinity) == "head")
        #expect(try culprit("recurrent.layers.1.bias", .nan)?.contains("layers.1") == true)
        #expect(try culprit("recurrent.layers.0.bias", .nan)?.contains("layers.0") == true)
        #expect(try culprit("embedding.weight", .nan)?.contains("embedding") == true)
    }
}

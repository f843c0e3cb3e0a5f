import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Models whose layers hand values to those above them.
@Suite struct ValueMixingTests {
    /// Time mixing and channel mixing in turn, three times.
    private func model(
        upper: RWKV7.ValueMixing = .upper, dtype: DType = .float64,
        _ change: (inout LanguageModel) throws -> Void = { _ in }
    ) throws -> LanguageModel {
        var configuration = LanguageModelConfiguration()
        (configuration.vocabSize, configuration.dModel) = (23, 8)
        let mixings: [RWKV7.ValueMixing] = [.first, upper, upper]
        configuration.layers = mixings.flatMap { mixing -> [LanguageModelConfiguration.Layer] in
            let time: JSONValue = [
                "heads": .integer(2), "value_mixing": .string(mixing.rawValue), "value_rank": .integer(3),
            ]
            return [
                .init(mixer: "rwkv7", options: time),
                .init(mixer: "rwkv_channel_mix", options: ["receptance": .bool(false)]),
            ]
        }
        var generator = Generator(seed: 4)
        var model = try LanguageModel(configuration, dtype: dtype, using: &generator)
        try change(&model)
        return model
    }

    private func tokens(_ shape: Shape) throws -> Tensor {
        var generator = Generator(seed: 8)
        return try Tensor((0..<shape.product).map { _ in Int32(generator.next() % 23) }, shape: shape)
    }

    private func logits(_ model: LanguageModel, _ inputs: Tensor) throws -> Tensor {
        var state = try model.initialState(batch: inputs.shape[0])
        return try model.logits(inputs, state: &state)
    }

    private func distance(_ a: Tensor, _ b: Tensor) throws -> Double { try (a - b).abs().max().scalar() }

    /// The model with an offset of all shares: with a large one, upper layers take the first one's values alone.
    private func sharing(_ offset: Double, dtype: DType = .float64) throws -> LanguageModel {
        try model(dtype: dtype) { model in
            try model.forEachParameter { path, parameter in
                if path.hasSuffix("value_share.up.bias") {
                    parameter = try Tensor.full(parameter.shape, offset, dtype: dtype)
                }
            }
        }
    }

    @Test func piecesAreTheWhole() throws {
        let (model, inputs) = (try model(), try tokens([2, 25]))
        let expected = try logits(model, inputs)
        for lengths in [[1, 3, 0, 21], Array(repeating: 1, count: 25)] {
            var (state, position) = (try model.initialState(batch: 2), 0)
            for length in lengths {
                let piece = try model.logits(inputs.sliced(1, position..<position + length), state: &state)
                if length > 0 {
                    #expect(try distance(piece, expected.sliced(1, position..<position + length)) < 1e-12)
                }
                position += length
            }
        }
    }

    /// The same parameters, but for the maps of the shares, in layers that keep their values to themselves.
    private func alone(_ mixed: LanguageModel) throws -> LanguageModel {
        let twin = try model(upper: .none, dtype: mixed.dtype)
        let own = mixed.parameters
        return twin.replacingParameters(try twin.parameters.paths.map { try #require(own[$0]) })
    }

    @Test func generationSeesTheSharedValues() throws {
        var model = try sharing(1e4, dtype: .float32)
        // Layers speak loudly, so that other values give other tokens.
        try model.forEachParameter { path, parameter in
            if path.hasSuffix("mixer.output.weight") { parameter = try parameter * 8 }
        }
        let prompt: [Int32] = [3, 1, 4, 1, 5]
        func made(_ model: LanguageModel) throws -> [Int32] {
            var generator = try TextGenerator(model, sampling: SamplingOptions(temperature: 0), seed: 0)
            try generator.read(prompt)
            return try (0..<40).map { _ in try generator.next() }
        }
        let tokens = try made(model)
        let whole = prompt + tokens.dropLast()
        let best = try logits(model, Tensor(whole, shape: [1, whole.count])).argmax().array(of: Int32.self)
        #expect(Array(best.suffix(40)) == tokens)
        #expect(try made(alone(model)) != tokens)
    }

    @Test func paddingAndDocumentsAreTheSequencesAlone() throws {
        let (model, inputs) = (try model(), try tokens([3, 20]))
        let ranges = [0..<20, 5..<20, 2..<11]
        var state = try model.initialState(batch: 3)
        let packed = try model.logits(
            SequenceBatch(inputs, validRanges: ranges, documentStarts: [[7], [], [4]]), state: &state)
        for (row, pieces) in [[0..<7, 7..<20], [5..<20], [2..<4, 4..<11]].enumerated() {
            for piece in pieces {
                let alone = try logits(model, inputs.sliced(0, row..<row + 1).sliced(1, piece))
                #expect(try distance(packed.sliced(0, row..<row + 1).sliced(1, piece), alone) < 1e-12)
            }
        }
    }

    @Test func rowsDoNotSeeEachOther() throws {
        let (model, inputs) = (try model(), try tokens([3, 9]))
        let all = try logits(model, inputs)
        for row in 0..<3 {
            let alone = try logits(model, inputs.sliced(0, row..<row + 1))
            #expect(try distance(all.sliced(0, row..<row + 1), alone) < 1e-12)
        }
    }

    @Test func withoutAShareTheLayersAreAlone() throws {
        let (mixed, inputs) = (try sharing(-1e4), try tokens([2, 9]))
        let twin = try alone(mixed)
        #expect(try distance(logits(mixed, inputs), logits(twin, inputs)) < 1e-12)
        #expect(try distance(logits(model(), inputs), logits(twin, inputs)) > 1e-3)
    }

    @Test func withAFullShareOnlyTheFirstValuesCount() throws {
        let (full, inputs) = (try sharing(1e4), try tokens([2, 9]))
        func changed(_ layer: Int) throws -> Double {
            var other = full
            try other.forEachParameter { path, parameter in
                if path == "layers.\(layer).mixer.maps.2.weight" { parameter = try parameter * 2 }
            }
            return try distance(logits(full, inputs), logits(other, inputs))
        }
        #expect(try changed(2) < 1e-12 && changed(4) < 1e-12)
        #expect(try changed(0) > 1e-3)
    }

    @Test func derivativesGoThroughTheSharedValues() throws {
        let (model, inputs, targets) = (try model(), try tokens([2, 4]), try tokens([2, 4]))
        let state = try model.initialState(batch: 2)
        let paths = ["layers.0.mixer.maps.2.weight", "layers.2.mixer.value_share.down.weight"]
        let chosen = try paths.map { path in try #require(model.parameters.paths.firstIndex(of: path)) }
        let all = model.parameters.tensors
        let mismatch = try GradientCheck.mismatch(chosen.map { all[$0] }) { moved in
            var tensors = all
            for (index, tensor) in zip(chosen, moved) { tensors[index] = tensor }
            var unused = Generator(seed: 0)
            let moved = model.replacingParameters(tensors)
            return [try moved.loss(inputs, targets, state: state, training: true, using: &unused).loss]
        }
        #expect(mismatch == nil, "\(mismatch ?? "")")
    }
}

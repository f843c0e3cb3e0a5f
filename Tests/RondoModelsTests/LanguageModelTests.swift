import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct LanguageModelTests {
    static let mixers = MixerRegistry.builtIn.map { $0.architecture }

    static func model(
        _ mixer: String = "lstm", vocabSize: Int = 256, dtype: DType = .float64,
        _ change: (inout LanguageModelConfiguration) -> Void = { _ in }
    ) throws -> LanguageModel {
        var configuration = LanguageModelConfiguration(mixer: mixer, dModel: 16)
        configuration.vocabSize = vocabSize
        change(&configuration)
        var generator = Generator(seed: 5)
        return try LanguageModel(configuration, dtype: dtype, using: &generator)
    }

    private func tokens(_ shape: Shape, below limit: Int) throws -> Tensor {
        var generator = Generator(seed: 8)
        return try Tensor((0..<shape.product).map { _ in Int32(generator.next() % UInt64(limit)) }, shape: shape)
    }

    private func distance(_ a: Tensor, _ b: Tensor) throws -> Double { try (a - b).abs().max().scalar() }

    @Test(arguments: mixers) func carriedStateEqualsOneLongForward(_ mixer: String) throws {
        let model = try Self.model(mixer) { $0.feedForward = .swiGLU }
        let inputs = try tokens([2, 33], below: 256)
        var long = try model.initialState(batch: 2)
        let expected = try model.logits(inputs, state: &long)
        var state = try model.initialState(batch: 2)
        var position = 0
        for length in [1, 3, 0, 29] {
            let piece = try model.logits(inputs.sliced(1, position..<position + length), state: &state)
            #expect(piece.shape == [2, length, 256])
            if length > 0 {
                #expect(try distance(piece, expected.sliced(1, position..<position + length)) < 1e-10)
            }
            position += length
        }
        var last = try model.initialState(batch: 2)
        #expect(try distance(model.lastLogits(inputs, state: &last), expected.selecting(1, -1)) < 1e-10)
    }

    @Test func paddingAndDocumentsInAHybridAreTheSequencesAlone() throws {
        let model = try Self.model("lstm,gru,elman") { $0.nLayers = 4 }
        let inputs = try tokens([3, 20], below: 256)
        let ranges = [0..<20, 5..<20, 2..<11]
        var state = try model.initialState(batch: 3)
        let packed = try model.logits(
            SequenceBatch(inputs, validRanges: ranges, documentStarts: [[7], [], [4]]), state: &state)
        for (row, pieces) in [[0..<7, 7..<20], [5..<20], [2..<4, 4..<11]].enumerated() {
            for piece in pieces {
                var own = try model.initialState(batch: 1)
                let expected = try model.logits(inputs.sliced(0, row..<row + 1).sliced(1, piece), state: &own)
                #expect(try distance(packed.sliced(0, row..<row + 1).sliced(1, piece), expected) < 1e-12)
            }
        }
    }

    @Test func layersMayDiffer() throws {
        let model = try Self.model {
            $0.layers = [
                .init(mixer: "gru", count: 2), .init(mixer: "lstm", options: ["heads": .integer(2)]),
            ]
        }
        #expect(model.layers.map { type(of: $0.mixer).card.name } == ["gru", "gru", "lstm"])
        #expect((model.layers[2].mixer.configuration as? LSTM.Configuration)?.heads == 2)
        #expect(model.configuration.shortName == "gru+lstm")
        let repeated = LanguageModelConfiguration(mixer: "elman, gru", nLayers: 3)
        #expect(repeated.everyLayer.map(\.mixer) == ["elman", "gru", "elman"])
    }

    @Test(arguments: [
        (#"{"mixer": "lstmm"}"#, "did you mean 'lstm'"), (#"{"mixer_options": {"hads": 2}}"#, "'hads'"),
        (#"{"mixer_options": {"heads": 3}}"#, "heads 3"), (#"{"layers": []}"#, "layers"),
        (#"{"layers": [{"mixer": "gru", "count": 0}]}"#, "layers.count"), (#"{"n_layers": 0}"#, "n_layers"),
        (#"{"mixer": "gru,lstm", "mixer_options": {"heads": 2}}"#, "mixer_options"), (#"{"mixer": ","}"#, "layer"),
        (#"{"dropout": 1}"#, "dropout"), (#"{"feed_forward": "moe"}"#, "feed_forward"),
        (#"{"norm": "batch"}"#, "norm"), (#"{"hidden": 2}"#, "hidden"),
    ])
    func impossibleShapesAreRefused(document: String, word: String) throws {
        let error = try rondoError {
            try StrictJSON.changing(
                LanguageModelConfiguration(), by: JSONValue(parsing: document, source: "test"), overrides: []
            ).validate()
        }
        #expect(error.message.contains(word), "\(error.message)")
    }

    @Test func optionsAreWrittenOut() throws {
        let completed = try LanguageModelConfiguration(mixer: "gru").completed()
        #expect(completed.mixerOptions?["reset"] == .string("after"))
        #expect(try completed.completed() == completed)
        let text = try StrictJSON.prettyText(of: completed)
        let read = try StrictJSON.decode(
            LanguageModelConfiguration.self, from: JSONValue(parsing: text, source: "test"), source: "test")
        #expect(read == completed)
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
        #expect(try culprit("head.weight", .infinity) == "head")
        #expect(try culprit("layers.1.mixer.bias", .nan)?.contains("layers.1") == true)
        #expect(try culprit("layers.0.mixer.bias", .nan)?.contains("layers.0") == true)
        #expect(try culprit("embedding.weight", .nan)?.contains("embedding") == true)
    }

    @Test func dropoutActsWhileTrainingOnly() throws {
        let model = try Self.model { $0.dropout = 0.5 }
        let (inputs, targets) = (try tokens([2, 9], below: 256), try tokens([2, 9], below: 256))
        let state = try model.initialState(batch: 2)
        var generator = Generator(seed: 1)
        let losses = try [true, true, false, false].map { training in
            try model.loss(inputs, targets, state: state, training: training, using: &generator).loss.scalar()
        }
        #expect(losses[0] != losses[1] && losses[2] == losses[3])
    }
}

import RondoIO
import RondoModels
import RondoNN
import RondoTensor

extension Workload {
    /// Reading a prompt and making tokens with random models of the shapes of published checkpoints.
    static let decoding = [
        decoding(
            "mamba_130m", mixer: "mamba", vocabulary: 50_280, dModel: 768, layers: 24, options: [:]),
        decoding(
            "mamba2_130m", mixer: "mamba2", vocabulary: 50_288, dModel: 768, layers: 24,
            options: ["state_size": .number(literal: "128")]),
        decoding("mamba_2m", mixer: "mamba", vocabulary: 1024, dModel: 256, layers: 4, options: [:]),
    ]

    private static func decoding(
        _ name: String, mixer: String, vocabulary: Int, dModel: Int, layers: Int, options: JSONValue
    ) -> Workload {
        Workload(
            name: "\(name)_decode", summary: "prompt of 512 and decoding, \(layers) layers of \(mixer) x \(dModel)"
        ) { report in
            var generator = Generator(seed: 0)
            var shape = LanguageModelConfiguration(mixer: mixer, dModel: dModel, nLayers: layers)
            (shape.vocabSize, shape.tieEmbeddings, shape.mixerOptions) = (vocabulary, true, options)
            let model = try LanguageModel(shape, using: &generator)
            try measurePrefill(name, model, report, using: &generator)
            for streams in [1, 8] { try measureDecode(name, model, ["streams": streams], report) }
            for (bits, dtype) in [(16, DType.bfloat16), (8, .quantized8), (4, .quantized4)] {
                try measureDecode(name, model.storingMatrices(as: dtype), ["bits": bits], report)
            }
        }
    }

    private static func measurePrefill(
        _ name: String, _ model: LanguageModel, _ report: BenchReport, using generator: inout Generator
    ) throws {
        let prompt = 512
        let tokens = (0..<prompt).map { _ in Int32.random(in: 0..<1000, using: &generator) }
        let ids = try Tensor(tokens, shape: [1, prompt])
        let seconds = try Stopwatch.median(repetitions: 3) {
            var state = try model.initialState(batch: 1)
            _ = try model.logits(ids, state: &state)
        }
        try report(
            Measurement(
                workload: "\(name)_prefill", shape: ["prompt": prompt], seconds: seconds, unit: "tokens/s",
                rate: Double(prompt) / seconds, parameters: model.parameterCount))
    }

    /// Greedy decoding; `variant` says what is special: several streams, or bits of a stored weight.
    private static func measureDecode(
        _ name: String, _ model: LanguageModel, _ variant: [String: Int], _ report: BenchReport
    ) throws {
        let (count, streams) = (32, variant["streams"] ?? 1)
        var state = try model.initialState(batch: streams)
        var stepper = try TokenStepper(model, batch: streams)
        var tokens = (0..<streams).map { Int32($0 + 1) }
        let seconds = try Stopwatch.median(repetitions: 5) {
            for _ in 0..<count {
                tokens = try stepper(tokens, state: &state).argmax(1).array(of: Int32.self)
            }
        }
        // One stream of float32 is what the peers do.
        let shape = ["tokens": count].merging(variant == ["streams": 1] ? [:] : variant) { $1 }
        try report(
            Measurement(
                workload: "\(name)_decode", shape: shape, seconds: seconds, unit: "tokens/s",
                rate: Double(count * streams) / seconds, parameters: model.parameterCount,
                weightBytes: model.parameters.tensors.reduce(0) { $0 + $1.byteCount }))
    }
}

import RondoMixers
import RondoNN
import RondoTensor

/// A language model one token at a time: what generation runs on.
struct TokenStepper: Sendable {
    private let model: LanguageModel
    private var steppers: [any MixerStepper]
    private var head: RowProduct

    init(_ model: LanguageModel) throws {
        self.model = model
        steppers = try model.layers.map { try $0.mixer.makeStepper(batch: 1) }
        head = try RowProduct(weight: model.head?.weight ?? model.embedding.weight, bias: model.head?.bias, rows: 1)
    }

    /// Reads a token and writes the scores of the next one, `[vocabSize]`, into `logits`.
    mutating func callAsFunction(_ token: Int32, state: inout ModelState, logits: inout [Float]) throws {
        let row = Int(token)
        guard (0..<model.configuration.vocabSize).contains(row) else {
            throw RondoError(
                .outOfRange, "generate: token \(token) lies outside 0..<\(model.configuration.vocabSize)")
        }
        var x = try model.embedding.weight.sliced(0, row..<row + 1).cast(to: model.dtype)
        for (index, layer) in model.layers.enumerated() {
            let mixed = try steppers[index](layer.norm(x), state: &state.layers[index])
            // Without a residual the result belongs to the stepper, or is a leaf of the state: both change later.
            x = try layer.residual ? x + mixed : mixed.copied()
            guard let feedForward = layer.feedForward, let norm = layer.feedForwardNorm else { continue }
            let y = try feedForward(norm(x))
            x = try layer.residual ? x + y : y
        }
        try head(model.norm(x))
        try head.output.cast(to: .float32).withUnsafeBytes { bytes in
            logits.withUnsafeMutableBytes { $0.copyMemory(from: bytes) }
        }
    }
}

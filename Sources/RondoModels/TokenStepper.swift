import RondoNN
import RondoTensor

/// A language model one token at a time: what generation runs on.
///
/// The first layer's input projection of every token is made once; reading a token looks its row up.
struct TokenStepper: Sendable {
    private let table: Tensor
    private let norm: LayerNorm?
    private var recurrent: RecurrentStepper
    private var head: RowProduct

    init(_ model: RecurrentLanguageModel) throws {
        table = try model.projectedTable().contiguous()
        norm = model.norm
        recurrent = try RecurrentStepper(model.recurrent, batch: 1)
        head = try RowProduct(weight: model.head?.weight ?? model.embedding.weight, bias: model.head?.bias, rows: 1)
    }

    /// Reads a token and writes the scores of the next one, `[vocabSize]`, into `logits`.
    mutating func callAsFunction(_ token: Int32, state: inout RecurrentState, logits: inout [Float]) throws {
        let row = Int(token)
        guard (0..<table.shape[0]).contains(row) else {
            throw RondoError(.outOfRange, "generate: token \(token) lies outside 0..<\(table.shape[0])")
        }
        try recurrent(projected: table.sliced(0, row..<row + 1), state: &state)
        guard let hidden = state.layers.last?.first else { return }
        try head(norm.map { try $0(hidden) } ?? hidden)
        try head.output.cast(to: .float32).withUnsafeBytes { bytes in
            logits.withUnsafeMutableBytes { $0.copyMemory(from: bytes) }
        }
    }
}

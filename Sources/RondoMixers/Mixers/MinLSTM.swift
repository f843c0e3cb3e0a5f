import RondoNN
import RondoTensor

/// The minimal LSTM: two gates, made to add up to one, that see the input alone, so that the recurrence is a scan.
public struct MinLSTM: MinimalCellMixer {
    /// What it is.
    public static let card = MixerCard(
        name: "min_lstm", title: "minLSTM", family: .vectorState,
        summary: "minimal LSTM: forget and input gate see the input alone and add up to one",
        equations: """
            f = σ(W_f x + b_f), i = σ(W_i x + b_i)
            h̃ = φ(W_h x + b_h)        φ: identity, or x + 1/2 for x ≥ 0 and σ(x) below (positive)
            h = f / (f + i) ⊙ h⁻ + i / (f + i) ⊙ h̃
            y = W_o h
            """,
        source: "Feng et al., Were RNNs all we needed?, 2024, section 3.2",
        complexity: "sequence O(T D²) products and a scan O(T D); step O(D²); state E D")

    static let mapCount = 3
    /// The shape.
    public let configuration: MinimalCellConfiguration
    /// The width of input and output.
    public let dModel: Int
    var input: Linear
    var output: Linear

    func gates(_ products: [Tensor]) throws -> (keep: Tensor, add: Tensor) {
        // f / (f + i), also where both vanish.
        let keep = try (products[0].logSigmoid() - products[1].logSigmoid()).sigmoid()
        return (keep, try (1 - keep) * configuration.candidate(products[2]))
    }
}

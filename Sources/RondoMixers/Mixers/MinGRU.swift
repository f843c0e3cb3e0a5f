import RondoNN
import RondoTensor

/// The minimal GRU: gates that see the input alone, so that the recurrence is a scan.
public struct MinGRU: MinimalCellMixer {
    /// What it is.
    public static let card = MixerCard(
        name: "min_gru", title: "minGRU", family: .vectorState,
        summary: "minimal GRU: one gate, which sees the input alone, so that training is a scan",
        equations: """
            z = σ(W_z x + b_z)
            h̃ = φ(W_h x + b_h)        φ: identity, or x + 1/2 for x ≥ 0 and σ(x) below (positive)
            h = (1 - z) ⊙ h⁻ + z ⊙ h̃
            y = W_o h
            """,
        source: "Feng et al., Were RNNs all we needed?, 2024, section 3.1",
        complexity: "sequence O(T D²) products and a scan O(T D); step O(D²); state E D")

    static let mapCount = 2
    /// The shape.
    public let configuration: MinimalCellConfiguration
    /// The width of input and output.
    public let dModel: Int
    var input: Linear
    var output: Linear

    func gates(_ products: [Tensor]) throws -> (keep: Tensor, add: Tensor) {
        let z = try products[0].sigmoid()
        return (try 1 - z, try z * configuration.candidate(products[1]))
    }
}

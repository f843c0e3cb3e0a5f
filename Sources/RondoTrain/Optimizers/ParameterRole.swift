public import RondoTensor

/// What a parameter is to an optimiser.
public enum ParameterRole: Sendable, Hashable {
    /// A matrix between hidden layers (or a stack of them, along leading axes). `blocks` independent ones may lie
    /// one after the other along its rows, as the gates of a recurrent cell do.
    case matrix(blocks: Int)
    /// The table of token vectors.
    case embedding
    /// The projection to the vocabulary.
    case head
    /// Biases, gains, decays, convolution taps: anything that is not a map between vectors.
    case vector

    /// The role that the path's names and the shape suggest.
    ///
    /// Fewer than two axes longer than 1, a module called "…conv…" or "…norm…", or a parameter of a layer that is neither
    /// called `weight` nor `recurrent` (decays, time scales): a vector. A module called
    /// "…embed…" is the embedding, one called "…head" or "output" at the outermost level the head. The rest are matrices.
    public init(path: String, shape: Shape) {
        let modules = path.split(separator: ".").dropLast()
        let isNamedMap = ["weight", "recurrent"].contains(path.split(separator: ".").last ?? "")
        if shape.count(where: { $0 > 1 }) < 2 || !isNamedMap
            || modules.contains(where: { $0.contains("conv") || $0.contains("norm") })
        {
            self = .vector
        } else if modules.contains(where: { $0.contains("embed") }) {
            self = .embedding
        } else if modules.count <= 2, let name = modules.last, name.hasSuffix("head") {
            self = .head
        } else {
            self = .matrix(blocks: 1)
        }
    }

    /// Whether weight decay applies: to maps only, and to embeddings if asked.
    func decays(embeddings: Bool) -> Bool {
        switch self {
        case .matrix, .head: true
        case .embedding: embeddings
        case .vector: false
        }
    }
}

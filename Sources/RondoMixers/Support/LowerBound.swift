public import RondoTensor

/// The least value of forget gates: f = γ + (1 - γ) σ(z).
public enum LowerBound: Sendable {
    /// The same for all channels.
    case fixed(Double)
    /// One for each channel, `[dModel]`.
    case learned(Tensor)

    /// The bounds of layers that learn them together, from the bottom.
    ///
    /// γ_k = P_2 + … + P_k for P = softmax(Γ) over the layers (Qin, Yang and Zhong, *Hierarchically gated recurrent
    /// neural network for sequence modeling*, 2023). The lowest layer's is 0, the highest one's 1 - P_1.
    ///
    /// - Parameter logits: Γ, `[dModel]` of every such layer.
    /// - Returns: One bound for each.
    /// - Throws: `RondoError` of code `shapeMismatch` if widths differ.
    static func cumulated(_ logits: [Tensor]) throws -> [LowerBound] {
        guard logits.count > 1 else { return logits.map { _ in .fixed(0) } }
        let upper = try Tensor.stack(logits, axis: -1).softmax().sliced(-1, 1..<logits.count)
        let bounds = try upper.cumulativeSum(-1).transposed().contiguous()
        return try [.fixed(0)] + (0..<logits.count - 1).map { .learned(try bounds.selecting(0, $0)) }
    }

    /// Refuses bounds outside 0..<1, and those that are fixed and learned.
    static func validate(fixed: Double, isLearned: Bool) throws {
        try requireValue((0..<1).contains(fixed), "lower_bound", fixed, "at least 0 and below 1")
        try requireValue(fixed == 0 || !isLearned, "lower_bound", fixed, "0 if learned_bounds is true")
    }

    /// The forget gates of some sums z, `[..., dModel]`.
    func gate(_ z: Tensor) throws -> Tensor {
        switch self {
        case .fixed(let bound): try z.sigmoid() * (1 - bound) + bound
        case .learned(let bound): try z.sigmoid() * (1 - bound) + bound
        }
    }

    /// The logarithms of the forget gates; without a bound exact also where a gate vanishes.
    func logGate(_ z: Tensor) throws -> Tensor {
        if case .fixed(0) = self { return try z.logSigmoid() }
        return try gate(z).log()
    }

    /// What the forget gates let in, 1 - f, exact also where it vanishes.
    func entry(_ z: Tensor) throws -> Tensor {
        switch self {
        case .fixed(let bound): try (-z).sigmoid() * (1 - bound)
        case .learned(let bound): try (-z).sigmoid() * (1 - bound)
        }
    }
}

/// A mixer whose forget gates have a lower bound that is fixed, or learned together with those of other layers.
public protocol LowerBoundedMixer: ValueSharingMixer {
    /// The bound if it is fixed.
    var fixedBound: Double { get }

    /// This layer's row of Γ, `[dModel]`, if its bound is learned.
    var boundLogits: Tensor? { get }
}

extension LowerBoundedMixer {
    /// The bound of this layer, taken from those of the pass; a layer that learns alone is the lowest, with 0.
    func bound(from shared: inout SharedValues) -> LowerBound {
        guard boundLogits != nil else { return .fixed(fixedBound) }
        return shared.lowerBounds.popFirst() ?? .fixed(0)
    }

    /// The bound without a model around the layer.
    var boundAlone: LowerBound { .fixed(boundLogits == nil ? fixedBound : 0) }
}

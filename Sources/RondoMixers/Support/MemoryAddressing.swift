public import RondoTensor

/// Where the heads of a neural Turing machine look: content, interpolation, shift, sharpening (Graves et al., 2014,
/// section 3.3).
///
/// Pure functions of tensors; heads are side by side along axis 1.
public enum MemoryAddressing {
    /// What a head asks for.
    public struct Request {
        /// What it looks for, k: `[batch, heads, width]`.
        public var key: Tensor
        /// How sharply, β >= 0: `[batch, heads, 1]`.
        public var strength: Tensor
        /// How much of the content's weights enters, g in 0...1: `[batch, heads, 1]`; the rest are the weights before.
        public var gate: Tensor
        /// The distribution over shifts by -1, 0 and 1: `[batch, heads, 3]`.
        public var shift: Tensor
        /// The exponent of sharpening, γ >= 1: `[batch, heads, 1]`.
        public var sharpening: Tensor

        /// Creates a request.
        public init(key: Tensor, strength: Tensor, gate: Tensor, shift: Tensor, sharpening: Tensor) {
            self.key = key
            self.strength = strength
            self.gate = gate
            self.shift = shift
            self.sharpening = sharpening
        }
    }

    /// New weights over the slots.
    ///
    /// - Parameters:
    ///   - request: What the heads ask for.
    ///   - memory: `[batch, slots, width]`.
    ///   - previous: The weights before, `[batch, heads, slots]`.
    /// - Returns: `[batch, heads, slots]`, distributions.
    /// - Throws: `RondoError` when shapes do not fit.
    public static func weights(_ request: Request, memory: Tensor, previous: Tensor) throws -> Tensor {
        let content = try (similarity(request.key, memory) * request.strength).softmax()
        let mixed = try previous + request.gate * (content - previous)
        return try sharpened(shifted(mixed, by: request.shift), by: request.sharpening)
    }

    /// The cosines between keys `[batch, heads, width]` and slots `[batch, slots, width]`: `[batch, heads, slots]`.
    ///
    /// A norm is at least 1e-8, so that empty slots are merely dissimilar.
    public static func similarity(_ keys: Tensor, _ memory: Tensor) throws -> Tensor {
        func normalized(_ x: Tensor) throws -> Tensor {
            try x / (x.square().sum([2], keepingAxes: true) + 1e-16).sqrt()
        }
        return try normalized(keys).matmul(normalized(memory).transposed())
    }

    /// Circular convolution: slot i receives w(i + 1) s(-1) + w(i) s(0) + w(i - 1) s(1).
    ///
    /// - Parameters:
    ///   - weights: `[batch, heads, slots]`.
    ///   - shift: Weights of the shifts by -1, 0 and 1, `[batch, heads, 3]`.
    /// - Returns: `[batch, heads, slots]`.
    /// - Throws: `RondoError` when shapes do not fit.
    public static func shifted(_ weights: Tensor, by shift: Tensor) throws -> Tensor {
        let slots = weights.shape[2]
        let (first, last) = (try weights.sliced(2, 0..<1), try weights.sliced(2, slots - 1..<slots))
        let next = try Tensor.concatenate([weights.sliced(2, 1..<slots), first], axis: 2)
        let before = try Tensor.concatenate([last, weights.sliced(2, 0..<slots - 1)], axis: 2)
        let parts = try shift.split(3, axis: 2)
        return try next * parts[0] + weights * parts[1] + before * parts[2]
    }

    /// w^γ / Σ w^γ, by logarithms.
    public static func sharpened(_ weights: Tensor, by exponent: Tensor) throws -> Tensor {
        try (weights.clamped(1e-30, .infinity).log() * exponent).softmax()
    }

    /// The memory after all heads have erased and then added.
    ///
    /// - Parameters:
    ///   - memory: `[batch, slots, width]`.
    ///   - weights: Of the writing heads, `[batch, heads, slots]`.
    ///   - erase: What of a slot is erased, in 0...1: `[batch, heads, width]`.
    ///   - add: What is added, `[batch, heads, width]`.
    /// - Returns: `[batch, slots, width]`.
    /// - Throws: `RondoError` when shapes do not fit.
    public static func written(_ memory: Tensor, weights: Tensor, erase: Tensor, add: Tensor) throws -> Tensor {
        var kept = memory
        for head in 0..<weights.shape[1] {
            let share = try weights.selecting(1, head).expanded(at: 2) * erase.sliced(1, head..<head + 1)
            kept = try kept - kept * share
        }
        return try kept + weights.transposed().matmul(add)
    }
}

import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/LinearAttention` at odd sizes.
    static func linearAttention(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 23)
        var cases: [FusedCase] = []
        let kinds: [(LinearAttention.Decay, Bool)] = [
            (.none, false), (.scalar, false), (.vector, false), (.vector, true),
        ]
        let sizes: [(batch: Int, time: Int, groups: Int, heads: Int, key: Int, value: Int)] = [
            (1, 1, 1, 1, 1, 1), (2, 3, 1, 2, 3, 5), (1, 18, 2, 2, 3, 2), (1, 66, 1, 1, 1, 1), (3, 65, 1, 1, 33, 17),
            (1, 100, 2, 4, 3, 40), (1, 70, 1, 12, 3, 1), (2, 130, 1, 1, 17, 33), (1, 7, 1, 1, 2, 130),
            (2, 0, 1, 2, 3, 2), (0, 3, 1, 2, 3, 2),
        ]
        for (decay, hasBonus) in kinds {
            for size in sizes {
                let keys: Shape = [size.batch, size.time, size.groups, size.key]
                // Scaled so that sums over time stay near 1: differences are compared in absolute terms.
                var inputs = [
                    try generator.normal(keys, dtype: dtype), try generator.normal(keys, dtype: dtype) * 0.3,
                    try generator.normal([size.batch, size.time, size.heads, size.value], dtype: dtype),
                    try generator.normal([size.batch, size.heads, size.key, size.value], dtype: dtype),
                ]
                if decay != .none {
                    let shape: Shape = decay == .scalar ? [size.batch, size.time, size.heads] : keys
                    inputs.append(try decays(shape, &generator, dtype))
                }
                if hasBonus { inputs.append(try generator.normal([size.heads, size.key], dtype: dtype)) }
                cases.append(
                    FusedCase(
                        name: "linearAttention \(decay)\(hasBonus ? " with bonus" : "")",
                        operation: LinearAttention(decay: decay, hasBonus: hasBonus), inputs: inputs,
                        length: max(1, size.batch * size.time * size.key * size.heads)))
            }
        }
        return cases
    }

    /// Logarithms of decays: mostly mild, some strong, some that forget everything.
    private static func decays(_ shape: Shape, _ generator: inout Generator, _ dtype: DType) throws -> Tensor {
        let mild = try (generator.normal(shape, dtype: dtype) * 2).logSigmoid()
        let kind = try generator.uniform(shape, low: 0, high: 1, dtype: dtype)
        let resets = try kind.less(than: Tensor(0.05, dtype: dtype)) * -10_000
        let strong = try kind.greater(than: Tensor(0.9, dtype: dtype)) * -30
        return try mild + resets + strong
    }
}

import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/Attention` at odd sizes.
    static func attention(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 23)
        var cases: [FusedCase] = []
        func add(_ name: String, _ shape: AttentionShape, _ inputs: [Tensor]) {
            let operation = CausalAttention(
                scale: 1 / Double(shape.width).squareRoot(), window: shape.window, validFrom: shape.validFrom)
            let length = shape.prefix + shape.time + shape.width
            cases.append(FusedCase(name: name, operation: operation, inputs: inputs, length: length))
        }
        for shape in AttentionShape.all {
            let keys = shape.prefix + shape.time
            let inputs = [
                try generator.normal([shape.batch, shape.time, shape.heads, shape.width], dtype: dtype),
                try generator.normal([shape.batch, keys, shape.groups, shape.width], dtype: dtype),
                try generator.normal([shape.batch, keys, shape.groups, shape.values], dtype: dtype),
            ]
            add("causalAttention", shape, inputs)
            guard (1...65).contains(shape.time) else { continue }
            // Heads before time, and heads cut out of wider rows.
            let views = try inputs.map { try $0.transposed(1, 2).copied().transposed(1, 2) }
            add("causalAttention of transposed heads", shape, views)
            let wider = try inputs.map { try $0.padded(3, before: 3, after: 1).sliced(3, 3..<3 + $0.shape[3]) }
            add("causalAttention of slices", shape, wider)
            let strided = try inputs.map { try $0.transposed(0, 3).copied().transposed(0, 3) }
            add("causalAttention of strided elements", shape, strided)
        }
        return cases
    }
}

private struct AttentionShape {
    var batch = 1, time: Int, prefix = 0, heads = 1, groups = 1, width: Int, values: Int
    var window: Int?
    var validFrom = 0

    /// Around the sizes of tiles, blocks and segments.
    static let all = [
        AttentionShape(time: 1, width: 1, values: 1),
        AttentionShape(batch: 2, time: 3, prefix: 2, heads: 2, groups: 1, width: 3, values: 5),
        AttentionShape(batch: 1, time: 7, prefix: 5, heads: 2, groups: 2, width: 5, values: 3, window: 4, validFrom: 2),
        AttentionShape(batch: 3, time: 0, prefix: 4, heads: 2, groups: 1, width: 3, values: 2),
        AttentionShape(time: 0, width: 3, values: 2),
        AttentionShape(batch: 2, time: 33, heads: 4, groups: 2, width: 16, values: 33),
        AttentionShape(batch: 1, time: 65, prefix: 64, heads: 3, groups: 1, width: 33, values: 64, window: 17),
        AttentionShape(batch: 1, time: 100, prefix: 33, heads: 2, groups: 2, width: 64, values: 65, window: 1),
        AttentionShape(batch: 2, time: 100, prefix: 100, heads: 1, width: 65, values: 16, window: 65, validFrom: 33),
        AttentionShape(batch: 1, time: 270, prefix: 1, heads: 1, width: 3, values: 4, window: 200),
        AttentionShape(batch: 1, time: 4, prefix: 1000, heads: 6, groups: 2, width: 100, values: 33),
        AttentionShape(batch: 2, time: 1, prefix: 2100, heads: 2, groups: 1, width: 64, values: 64, validFrom: 100),
        AttentionShape(batch: 1, time: 3, prefix: 300, heads: 1, width: 17, values: 1, window: 129),
        AttentionShape(
            batch: 2, time: 9, prefix: 140, heads: 6, groups: 2, width: 33, values: 20, window: 100, validFrom: 3),
        AttentionShape(batch: 1, time: 63, prefix: 260, heads: 1, width: 48, values: 64),
        AttentionShape(batch: 1, time: 5, prefix: 300, heads: 2, groups: 1, width: 16, values: 16, validFrom: 299),
    ]
}

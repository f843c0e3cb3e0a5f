import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/DeltaRule` at odd sizes.
    static func deltaRule(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 17)
        var cases: [FusedCase] = []
        for (batch, time, heads, keys, values) in [
            (1, 1, 1, 1, 1), (2, 3, 1, 3, 2), (1, 5, 2, 2, 3), (3, 0, 2, 3, 4), (1, 18, 1, 2, 1), (1, 65, 2, 33, 17),
            (2, 100, 1, 16, 100), (1, 129, 1, 64, 64), (1, 9, 1, 100, 65), (1, 2, 3, 5, 128), (1, 66, 1, 130, 131),
        ] {
            func draw(_ scale: Double, _ shape: Int...) throws -> Tensor {
                try generator.normal(Shape(shape), dtype: dtype) * scale
            }
            let scale = 1 / Double(keys).squareRoot()
            let q = try draw(1, batch, time, heads, keys)
            let k = try draw(scale, batch, time, heads, keys)
            let v = try draw(1, batch, time, heads, values)
            let beta = try draw(1, batch, time, heads).sigmoid() * 1.6
            let state = try draw(1, batch, heads, keys, values)
            let decay = try -draw(1, batch, time, heads).square()
            let decays = try -draw(1, batch, time, heads, keys).square()
            let (a, b) = (try draw(scale, batch, time, heads, keys) * 0.5, try draw(scale, batch, time, heads, keys))
            for (name, form, inputs) in [
                ("deltaRule", DeltaRule.Form.delta, [q, k, v, beta, state]),
                ("deltaRule with decay", .delta, [q, k, v, beta, state, decay]),
                ("deltaRule, general", .general, [q, k, v, a, b, decays, state]),
            ] {
                cases.append(
                    FusedCase(name: name, operation: DeltaRule(form), inputs: inputs, length: time * (keys + values)))
            }
        }
        return cases
    }
}

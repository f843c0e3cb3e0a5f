import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/SelectiveScan` at odd sizes.
    static func selectiveScan(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 17)
        func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape), dtype: dtype) }
        var cases: [FusedCase] = []
        for (batch, time, channels, states) in [
            (1, 1, 1, 1), (2, 5, 3, 4), (3, 3, 33, 5), (1, 19, 5, 3), (1, 34, 21, 3), (2, 65, 6, 1), (2, 100, 65, 16),
            (1, 32, 64, 8), (3, 0, 3, 2), (1, 70, 131, 7),
        ] {
            let inputs = [
                try draw(batch, time, channels), try (draw(batch, time, channels) - 1).softplus(),
                try -(draw(channels, states) * 0.7).exp(), try draw(batch, time, states), try draw(batch, time, states),
                try draw(channels), try draw(batch, channels, states),
            ]
            let length = batch * time * channels + states
            for isSymmetric in [false, true] {
                let scan = SelectiveScan(isSymmetric: isSymmetric)
                cases.append(FusedCase(name: "selectiveScan", operation: scan, inputs: inputs, length: length))
            }
        }
        // B and C are usually slices of one projection.
        let projection = try draw(2, 9, 11)
        let slices = [
            try draw(2, 9, 6), try draw(2, 9, 6).square(), try -draw(6, 4).square(),
            try projection.sliced(2, 3..<7), try projection.sliced(2, 7..<11), try draw(6), try draw(2, 6, 4),
        ]
        cases.append(FusedCase(name: "selectiveScan", operation: SelectiveScan(), inputs: slices, length: 108))
        return cases
    }
}

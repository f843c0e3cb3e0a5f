import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/LongConvolution` at odd sizes.
    static func longConvolution(_ dtype: DType) throws -> [FusedCase] {
        try longConvolutions(dtype) + cauchyKernels(dtype) + vandermondeKernels(dtype)
    }

    private static func longConvolutions(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 31)
        let sizes = [
            (1, 1, 1, 1), (2, 3, 3, 3), (1, 2, 33, 5), (3, 32, 2, 32), (3, 7, 19, 4), (2, 0, 3, 2), (0, 5, 2, 5),
            // Through transforms of 40, 48, 80, 96, 128, 160, 256, 512 and 1280 points.
            (1, 33, 1, 33), (2, 41, 4, 60), (1, 65, 9, 1), (3, 81, 5, 81), (2, 100, 65, 77), (1, 131, 2, 20),
            (2, 200, 3, 200), (1, 500, 1, 7), (1, 1030, 17, 300),
        ]
        return try sizes.map { batch, time, channels, taps in
            FusedCase(
                name: "longConvolution", operation: LongConvolution(),
                inputs: [
                    try generator.normal([batch, time, channels], dtype: dtype),
                    try generator.normal([channels, taps], dtype: dtype),
                ], length: batch * time)
        }
    }

    private static func cauchyKernels(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 32)
        func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape), dtype: dtype) }
        let sizes = [
            (1, 1, 1, 1), (2, 1, 3, 3), (4, 3, 5, 33), (5, 2, 4, 16), (3, 1, 32, 65), (2, 3, 2, 0), (1, 2, 0, 4),
        ]
        return try sizes.flatMap { sets, channels, poles, length in
            // Poles in the left half of the plane, nodes in the right one.
            let inputs = [
                try draw(sets, channels, poles), try draw(sets, channels, poles), try -draw(channels, poles).abs(),
                try draw(channels, poles), try draw(length).abs() + 0.5, try draw(length),
            ]
            return [false, true].map { conjugated in
                FusedCase(
                    name: conjugated ? "conjugated cauchyKernel" : "cauchyKernel",
                    operation: CauchyKernel(conjugated: conjugated), inputs: inputs,
                    length: sets * channels * (poles + length))
            }
        }
    }

    private static func vandermondeKernels(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 33)
        func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape), dtype: dtype) }
        // Differences with respect to exponents are exact for few taps only: the longer ones have too many operands
        // to be compared with them.
        let sizes = [
            (1, 1, 1), (2, 3, 3), (3, 5, 16), (2, 2, 0), (2, 0, 5), (24, 32, 65), (71, 10, 100), (240, 3, 300),
        ]
        return try sizes.map { channels, count, length in
            FusedCase(
                name: "vandermondeKernel", operation: VandermondeKernel(length: length),
                inputs: [
                    try draw(channels, count), try draw(channels, count), try draw(channels, count).abs() * -0.05,
                    try draw(channels, count) * 0.3,
                ], length: (length + 1) * (length + 1))
        }
    }
}

import RondoTensor

extension FusedCase {
    /// The operations of `Fused/Sequence/ElementwiseRecurrence` at odd sizes.
    static func elementwiseRecurrence(_ dtype: DType) throws -> [FusedCase] {
        try diagonalCells(dtype) + quasiLSTM(dtype) + blockRecurrences(dtype) + matrixStates(dtype) + minMax(dtype)
    }

    private static let sizes = [
        (1, 1, 1), (2, 3, 33), (3, 5, 7), (1, 4, 65), (2, 0, 3), (2, 2, 200), (1, 40, 3), (1, 600, 17),
    ]

    private static func diagonalCells(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 41)
        func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape), dtype: dtype) }
        var cases: [FusedCase] = []
        for (batch, time, channels) in sizes {
            let gates = try draw(batch, time, 3, channels)
            let weights = try draw(3, channels) * 0.5
            let peepholes = try draw(2, channels) * 0.5
            let (h, c) = (try draw(batch, channels), try draw(batch, channels))
            for newton in [nil, NewtonRecurrence()] {
                cases.append(
                    FusedCase(
                        name: newton == nil ? "ParaGRU" : "ParaGRU, Newton",
                        operation: DiagonalCellLoop(.gru, newton: newton), inputs: [gates, weights, h],
                        length: batch * time))
                cases.append(
                    FusedCase(
                        name: newton == nil ? "ParaLSTM" : "ParaLSTM, Newton",
                        operation: DiagonalCellLoop(.lstm, newton: newton), inputs: [gates, weights, peepholes, h, c],
                        length: batch * time))
            }
        }
        return cases
    }

    private static func quasiLSTM(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 45)
        return try sizes.map { batch, time, channels in
            let gates = try generator.normal([batch, time, 4, channels], dtype: dtype)
            let cell = try generator.normal([batch, channels], dtype: dtype)
            return FusedCase(
                name: "quasiLSTMCell", operation: QuasiLSTMCell(forgetBias: 0.7), inputs: [gates, cell],
                length: batch * time)
        }
    }

    private static func blockRecurrences(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 42)
        func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape), dtype: dtype) }
        var cases: [FusedCase] = []
        for (batch, time, channels) in sizes {
            for k in 1...4 where channels < 100 || k == 2 {
                // Small enough for states that stay bounded.
                let inputs = [
                    try draw(batch, time, k, k, channels) * 0.3, try draw(batch, time, k, channels),
                    try draw(batch, k, channels),
                ]
                cases.append(
                    FusedCase(
                        name: "blockLinearRecurrence", operation: BlockLinearRecurrence(), inputs: inputs, length: time)
                )
            }
        }
        return cases
    }

    private static func matrixStates(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 43)
        func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape), dtype: dtype) }
        var cases: [FusedCase] = []
        for (batch, time, heads, queries, keys, width, values) in [
            (1, 1, 1, 1, 1, 1, 1), (2, 3, 2, 1, 2, 3, 5), (1, 5, 4, 2, 1, 9, 7), (2, 0, 3, 1, 1, 4, 2),
            (1, 40, 2, 1, 1, 3, 4), (1, 67, 1, 1, 1, 33, 16), (2, 2, 3, 3, 3, 17, 65), (1, 34, 2, 2, 1, 8, 100),
        ] {
            let gate = try draw(batch, time, heads).sigmoid()
            let weight = try draw(heads, values, values) * (0.7 / Double(values).squareRoot())
            let inputs = [
                try draw(batch, time, queries, width), try draw(batch, time, keys, width),
                try draw(batch, time, heads, values), gate, weight, try draw(batch, heads, width, values),
            ]
            for isLinear in [false, true] {
                cases.append(
                    FusedCase(
                        name: "matrixStateCell, linear \(isLinear)", operation: MatrixStateCell(isLinear: isLinear),
                        inputs: inputs, length: max(1, time) * max(width, values) * heads))
            }
        }
        return cases
    }

    private static func minMax(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 44)
        /// Shuffled grids between each other's points, so that no two values are close: differences must not cross a
        /// tie.
        func draw(_ shape: Shape, _ third: Double, lower: Double = 0) throws -> Tensor {
            let count = shape.product
            let order = try generator.normal([count], dtype: dtype).argumentSorted().cast(to: dtype)
            return try ((order - (Double(count / 2) + lower)) * 0.0138 + third * 0.0046).reshaped(shape)
        }
        var cases: [FusedCase] = []
        for (batch, time, channels) in sizes {
            let inputs = [
                try draw([batch, time, channels], 0), try draw([batch, time, channels], 1, lower: 9),
                try draw([batch, channels], 2),
            ]
            cases.append(
                FusedCase(name: "minMaxRecurrence", operation: MinMaxRecurrence(), inputs: inputs, length: time))
            for n in 1...4 where channels < 100 && time < 100 {
                let inputs = [
                    try draw([batch, time, n, n, channels], 0), try draw([batch, time, n, channels], 1, lower: 9),
                    try draw([batch, n, channels], 2),
                ]
                cases.append(
                    FusedCase(
                        name: "minMaxRecurrence, matrix", operation: MinMaxRecurrence(), inputs: inputs, length: time))
            }
        }
        return cases
    }
}

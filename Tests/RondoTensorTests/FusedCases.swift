import RondoTensor

/// One fused operation with operands that stress it.
struct FusedCase: Sendable, CustomStringConvertible {
    var name: String
    var operation: any FusedOperation
    var inputs: [Tensor]
    /// Terms summed into one result, for the tolerance.
    var length: Int
    /// Whether the operation defines its derivative instead of having one.
    var hasSurrogate = false

    var description: String { "\(name) \(inputs.map(\.shape))" }

    /// Every fused operation at odd sizes.
    static func all(_ dtype: DType) throws -> [FusedCase] {
        try general(dtype) + scan(dtype) + selectiveScan(dtype) + linearAttention(dtype) + deltaRule(dtype)
            + attention(dtype) + elementwiseRecurrence(dtype) + longConvolution(dtype)
    }

    private static func general(_ dtype: DType) throws -> [FusedCase] {
        var generator = Generator(seed: 11)
        func draw(_ shape: Int...) throws -> Tensor { try generator.normal(Shape(shape), dtype: dtype) }
        func targets(_ rows: Int, _ classes: Int) throws -> Tensor {
            try Tensor(
                (0..<rows).map { row in
                    row % 5 == 3 ? -100 : Int32.random(in: 0..<Int32(classes), using: &generator)
                })
        }
        var cases: [FusedCase] = []
        func add(_ name: String, _ operation: any FusedOperation, _ inputs: [Tensor], _ length: Int) {
            cases.append(FusedCase(name: name, operation: operation, inputs: inputs, length: length))
        }
        for (rows, columns) in [(1, 1), (3, 3), (1, 33), (7, 100), (0, 5), (3, 1027)] {
            let x = try draw(rows, columns)
            add("softmax", Softmax(), [x], columns)
            add("logSoftmax", Softmax(logarithm: true), [x], columns)
            add("logSumExp", LogSumExp(), [x], columns)
            add("softmax of a view", Softmax(), [try draw(columns, rows).transposed()], columns)
            for kind in [Normalization.Kind.layer, .rms] {
                let weights = [try draw(columns), try draw(columns)]
                for count in 0...2 {
                    add("\(kind.rawValue) norm", Normalization(kind), [x] + weights.prefix(count), columns + rows)
                }
            }
            for smoothing in [0, 0.1] {
                let operation = CrossEntropy(labelSmoothing: smoothing)
                add("crossEntropy", operation, [x, try targets(rows, columns)], columns)
            }
        }
        for (batch, time, channels, width) in [
            (1, 1, 1, 1), (2, 5, 3, 4), (3, 33, 100, 3), (1, 2, 65, 5), (2, 0, 3, 2),
        ] {
            let inputs = [
                try draw(batch, time, channels), try draw(channels, width), try draw(batch, width - 1, channels),
                try draw(channels),
            ]
            add("causalConvolution", CausalConvolution(), Array(inputs.prefix(3)), batch * time)
            add("causalConvolution", CausalConvolution(), inputs, batch * time)
        }
        // Repetitions, no label, every frame needed, no path, no frame.
        let labels: [[Int32]] = [[1, 2, 2], [], [2, 2], [1, 1, 1, 1], []]
        for (blank, classes) in [(Int32(0), 3), (4, 5)] {
            let operation = TemporalClassification(
                targets: labels, inputLengths: [7, 5, 3, 6, 0], blank: blank, zeroInfinity: true)
            add("ctc", operation, [try draw(5, 7, classes)], 30)
        }
        add(
            "ctc of one frame", TemporalClassification(targets: [[0]], inputLengths: [1], blank: 1),
            [try draw(1, 1, 2)], 3)
        add("ctc of none", TemporalClassification(targets: [], inputLengths: []), [try draw(0, 3, 2)], 3)
        for (rows, count, length) in [(1, 1, 1), (3, 5, 8), (2, 33, 33), (1, 100, 200), (3, 7, 7), (2, 4, 4)] {
            add("rfft", RealFourierTransform(length: length), [try draw(rows, count)], length * length)
            let half = length / 2 + 1
            add(
                "irfft", InverseRealFourierTransform(length: length), [try draw(rows, half), try draw(rows, half)],
                length * length)
        }
        for (shape, size) in [([1], 1), ([3], 2), ([2, 2], 5), ([1], 33)] as [(Shape, Int)] {
            // Near the identity, where the reference needs no row exchanges.
            let noise = try generator.normal(shape + [size, size], dtype: dtype) * (0.3 / Double(size).squareRoot())
            add("matrixInverse", MatrixInverse(), [try Tensor.identity(size, dtype: dtype) + noise], size * size)
        }
        for (rows, outputs, columns) in [(1, 1, 1), (3, 5, 33), (9, 3, 65), (0, 3, 4), (2, 3, 0), (8, 33, 200)] {
            let (x, weight, bias) = (try draw(rows, columns), try draw(outputs, columns), try draw(outputs))
            add("linear", LinearProduct(), [x, weight], columns + rows)
            let view = try draw(columns, outputs).transposed()
            add("linear of a view", LinearProduct(), [x, view, bias], columns + rows)
            for stored in DType.weightTypes where stored.computationType == dtype {
                add("linear \(stored)", LinearProduct(), [x, try weight.cast(to: stored), bias], columns + rows)
            }
        }
        for (batch, prefix, time, width, order) in [
            (1, 0, 1, 1, 1), (2, 0, 9, 3, 1), (2, 4, 8, 3, 2), (3, 9, 1, 5, 1), (1, 2, 30, 4, 3), (2, 3, 0, 2, 1),
            (2, 40, 60, 33, 2), (0, 2, 3, 2, 1),
        ] {
            let length = prefix + time
            let symbols = (0..<batch * length).map { _ in Int32.random(in: 0..<2, using: &generator) }
            let inputs = [
                try draw(batch, length, width), try Tensor(symbols, shape: [batch, length]).cast(to: dtype),
            ]
            add("nGramMean", NGramMean(order: order, time: time), inputs, length)
        }
        for shape in [[1], [33], [3, 100], [0, 4]] as [Shape] {
            let x = try generator.normal(shape, dtype: dtype)
            add("dropout", try DropoutOperation(probability: 0.4, count: x.count, using: &generator), [x], 1)
        }
        return cases
    }

    /// Where a derivative in float64 can be compared with differences in reasonable time.
    var isSmall: Bool { inputs.allSatisfy { $0.count <= 700 } }

    /// Outputs and the inputs' derivatives, for fixed random cotangents.
    func results(_ mode: FusedMode) throws -> [Tensor] {
        let (outputs, pullback) = try valuesAndPullback(of: inputs) { try operation($0, mode: mode) }
        var generator = Generator(seed: 5)
        let cotangents = try outputs.map { try generator.normal($0.shape, dtype: $0.dtype) }
        return try outputs + pullback(cotangents).filter { $0.dtype == inputs[0].dtype }
    }

    /// Says where kernel and reference differ.
    func mismatch(_ tolerance: (FusedCase) -> (Tensor, Tensor) throws -> String?) throws -> String? {
        let compare = tolerance(self)
        for (index, (kernel, reference)) in try zip(results(.kernel), results(.reference)).enumerated() {
            if let difference = try compare(kernel, reference) { return "\(self), result \(index): \(difference)" }
        }
        return nil
    }
}

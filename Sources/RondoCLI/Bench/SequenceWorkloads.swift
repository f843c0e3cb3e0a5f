import RondoTensor

/// An operation on sequences with random inputs, to be timed forward and backward.
private struct SequenceCase {
    var workload: String
    var shape: [String: Int]
    var unit = "tokens/s"
    /// Units of work of one call.
    var work: Int
    /// What derivatives are taken of.
    var inputs: [Tensor]
    var repetitions = 5
    /// The positions that are computed, if fewer than those of the shape.
    var measuredTime: Int?

    /// Times the operation and its derivatives of every input; the mean of squares stands for a loss.
    func measured(_ operation: ([Tensor]) throws -> Tensor) throws -> Measurement {
        let seconds = try Stopwatch.median(repetitions: repetitions) {
            _ = try valueAndGradient(of: inputs) { try operation($0).square().mean() }
        }
        let scale = measuredTime.map { Double(shape["time"] ?? $0) / Double($0) } ?? 1
        return Measurement(
            workload: workload, shape: shape, seconds: seconds * scale, unit: unit,
            rate: Double(work) / (seconds * scale), measuredTime: measuredTime)
    }
}

/// The extents of attention-like operations.
private struct HeadShape {
    var batch: Int
    var heads: Int
    var time: Int
    var key: Int
    var value: Int

    var extents: [String: Int] { ["batch": batch, "heads": heads, "time": time, "key": key, "value": value] }
    var rows: Shape { [batch, time, heads] }
    var state: Shape { [batch, heads, key, value] }
}

extension Workload {
    /// Forward and backward through the operations that mixers are made of.
    static let sequenceOperations = [
        scan, scalarDecayAttention, softmaxAttention, longConvolution, gatedLinearAttention, deltaRule,
    ]

    /// Elementwise: h = a h + b.
    private static let scan = Workload(
        name: "scan", summary: "the diagonal linear recurrence, forward and backward, three shapes"
    ) { report in
        var generator = Generator(seed: 0)
        for (batch, time, width) in [(8, 512, 256), (8, 2048, 256), (1, 65536, 64)] {
            let a = try generator.uniform([batch, time, width], low: 0, high: 1)
            let b = try generator.normal([batch, time, width])
            let initial = try Tensor.zeros([batch, width])
            let shape = ["batch": batch, "time": time, "width": width]
            let timed = SequenceCase(
                workload: "scan", shape: shape, unit: "elements/s", work: a.count, inputs: [a, b], repetitions: 9)
            try report(timed.measured { try DiagonalScan()([$0[0], $0[1], initial])[0] })
        }
    }

    /// The core of Mamba-2 and RetNet, with a key for every head.
    private static let scalarDecayAttention = Workload(
        name: "scalar_decay_attention_train", summary: "linear attention with a scalar decay, forward and backward"
    ) { report in
        var generator = Generator(seed: 0)
        for size in [
            HeadShape(batch: 4, heads: 4, time: 2048, key: 64, value: 64),
            HeadShape(batch: 1, heads: 8, time: 4096, key: 64, value: 128),
        ] {
            let inputs = [
                try generator.normal(size.rows + [size.key]), try generator.normal(size.rows + [size.key]),
                try generator.normal(size.rows + [size.value]), try generator.normal(size.rows).logSigmoid(),
            ]
            let initial = try Tensor.zeros(size.state)
            let timed = SequenceCase(
                workload: "scalar_decay_attention_train", shape: size.extents, work: size.batch * size.time,
                inputs: inputs)
            try report(
                timed.measured { try LinearAttention(decay: .scalar)([$0[0], $0[1], $0[2], initial, $0[3]])[0] })
        }
    }

    /// What the recurrences compete with.
    private static let softmaxAttention = Workload(
        name: "softmax_attention_train", summary: "causal softmax attention, forward and backward"
    ) { report in
        var generator = Generator(seed: 0)
        for (batch, heads, time, key) in [(4, 4, 2048, 64), (1, 8, 4096, 64)] {
            let inputs = try (0..<3).map { _ in try generator.normal([batch, time, heads, key]) }
            let shape = ["batch": batch, "heads": heads, "time": time, "key": key]
            let timed = SequenceCase(
                workload: "softmax_attention_train", shape: shape, work: batch * time, inputs: inputs, repetitions: 3)
            let scale = 1 / Double(key).squareRoot()
            try report(timed.measured { try CausalAttention(scale: scale)($0)[0] })
        }
    }

    /// Through Fourier transforms, as S4 and Hyena are trained.
    private static let longConvolution = Workload(
        name: "long_convolution_train", summary: "a convolution as long as the sequence, forward and backward"
    ) { report in
        var generator = Generator(seed: 0)
        let (batch, time, width) = (4, 16384, 64)
        let inputs = [try generator.normal([batch, time, width]), try generator.normal([width, time])]
        let timed = SequenceCase(
            workload: "long_convolution_train", shape: ["batch": batch, "time": time, "width": width],
            unit: "elements/s", work: inputs[0].count, inputs: inputs)
        try report(timed.measured { try LongConvolution()($0)[0] })
    }
}

// MARK: - Against the step form

extension Workload {
    private static let matrixShape = HeadShape(batch: 4, heads: 4, time: 2048, key: 64, value: 64)
    /// So many steps are recorded; what a step costs does not depend on their number.
    private static let recordedSteps = 256

    /// Linear attention with a decay for each channel of k.
    private static let gatedLinearAttention = Workload(
        name: "gla_train", summary: "gated linear attention, forward and backward, and its step form"
    ) { report in
        try compare(
            report, "gla", matrixShape, LinearAttention(decay: .vector),
            operands: { time, generator in
                let keys: Shape = [matrixShape.batch, time, matrixShape.heads, matrixShape.key]
                return [
                    try generator.normal(keys), try generator.normal(keys), try generator.normal(keys),
                    try generator.normal(keys).logSigmoid(),
                ]
            }, arranged: { x, state in [x[0], x[1], x[2], state, x[3]] })
    }

    /// DeltaNet: keys of norm 1.
    private static let deltaRule = Workload(
        name: "delta_rule_train", summary: "the delta rule, forward and backward, and its step form"
    ) { report in
        try compare(
            report, "delta_rule", matrixShape, DeltaRule(.delta),
            operands: { time, generator in
                let rows: Shape = [matrixShape.batch, time, matrixShape.heads]
                let keys: Shape = rows + [matrixShape.key]
                let k = try generator.normal(keys)
                return [
                    try generator.normal(keys), try k / k.square().sum([-1], keepingAxes: true).sqrt(),
                    try generator.normal(keys), try generator.normal(rows).sigmoid(),
                ]
            }, arranged: { x, state in [x[0], x[1], x[2], x[3], state] })
    }

    /// Reports the fused operation as `<name>_train`, and one step after the other, recorded by the engine's own
    /// differentiation, as `<name>_steps_train`.
    private static func compare(
        _ report: BenchReport, _ name: String, _ size: HeadShape, _ operation: some FusedOperation,
        operands: (_ time: Int, _ generator: inout Generator) throws -> [Tensor],
        arranged: (_ operands: [Tensor], _ state: Tensor) -> [Tensor]
    ) throws {
        var generator = Generator(seed: 0)
        let initial = try Tensor.zeros(size.state)
        var timed = SequenceCase(
            workload: "\(name)_train", shape: size.extents, work: size.batch * size.time,
            inputs: try operands(size.time, &generator))
        try report(timed.measured { try operation(arranged($0, initial))[0] })
        timed.workload = "\(name)_steps_train"
        timed.inputs = try operands(recordedSteps, &generator)
        timed.measuredTime = recordedSteps
        timed.repetitions = 3
        try report(timed.measured { try operation(arranged($0, initial), mode: .reference)[0] })
    }
}

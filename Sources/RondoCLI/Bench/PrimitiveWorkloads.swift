import RondoNN
import RondoTensor
import RondoTrain

extension Workload {
    /// What this machine can do at most, measured in the same sitting: the other figures are read against it.
    static let limits = Workload(
        name: "limits", summary: "GEMM peak and memory bandwidth of this machine"
    ) { report in
        var generator = Generator(seed: 0)
        let a = try generator.normal([2048, 1024])
        let b = try generator.normal([1024, 1024])
        let seconds = try Stopwatch.median(repetitions: 15) { _ = try a.matmul(b) }
        try report(
            Measurement(
                workload: "gemm_peak", shape: ["m": 2048, "n": 1024, "k": 1024], seconds: seconds, unit: "flop/s",
                rate: 2.0 * 2048 * 1024 * 1024 / seconds))
        try report(memoryBandwidth())
    }

    /// Copies what is far larger than the caches: one read and one write of each byte.
    static func memoryBandwidth() throws -> Measurement {
        var generator = Generator(seed: 0)
        let large = try generator.normal([32 << 20])
        let copy = try Stopwatch.median(repetitions: 9) { _ = try large.copied() }
        return Measurement(
            workload: "memory_bandwidth", shape: ["bytes": large.byteCount], seconds: copy, unit: "bytes/s",
            rate: 2 * Double(large.byteCount) / copy)
    }

    /// Elementwise and row operations over 16 MiB with fresh results, the loss, and the optimiser.
    static let primitives = Workload(
        name: "primitives", summary: "elementwise, rows, cross-entropy, AdamW"
    ) { report in
        var generator = Generator(seed: 0)
        let (rows, columns) = (4096, 1024)
        let x = try generator.normal([rows, columns])
        let calls: [(String, () throws -> Tensor)] = [
            ("mul_add", { try x.affine(2, 1) }), ("tanh", { try x.tanh() }), ("exp", { try x.exp() }),
            ("sigmoid", { try x.sigmoid() }), ("row_sum", { try x.sum([-1]) }), ("softmax", { try x.softmax() }),
            ("layer_norm", { try Normalization(.layer)([x])[0] }),
            ("transpose_copy", { try x.transposed().contiguous() }),
        ]
        for (name, call) in calls {
            let seconds = try Stopwatch.median(repetitions: 15, warmup: 3) { _ = try call() }
            try report(
                Measurement(
                    workload: name, shape: ["rows": rows, "cols": columns], seconds: seconds, unit: "elements/s",
                    rate: Double(x.count) / seconds))
        }
        try crossEntropy(&generator, report)
        try adamW(&generator, report)
    }

    private static func crossEntropy(_ generator: inout Generator, _ report: BenchReport) throws {
        let (rows, classes) = (4096, 8192)
        let logits = try generator.normal([rows, classes])
        let targets = try Tensor((0..<rows).map { _ in Int32.random(in: 0..<Int32(classes), using: &generator) })
        let seconds = try Stopwatch.median(repetitions: 5) {
            _ = try valueAndGradient(of: [logits]) { try CrossEntropy()([$0[0], targets])[0] }
        }
        try report(
            Measurement(
                workload: "cross_entropy_train", shape: ["rows": rows, "classes": classes], seconds: seconds,
                unit: "elements/s", rate: Double(logits.count) / seconds))
    }

    private static func adamW(_ generator: inout Generator, _ report: BenchReport) throws {
        var model = MatrixStack(try (0..<10).map { _ in try generator.normal([1024, 1024]) })
        let gradients = ParameterSet(
            paths: model.parameters.paths, tensors: try (0..<10).map { _ in try generator.normal([1024, 1024]) })
        let optimizer = AdamW(learningRate: 1e-4)
        var state = try OptimizerState(for: optimizer, module: model)
        let seconds = try Stopwatch.median(repetitions: 9, warmup: 2) {
            try state.update(&model, gradients: gradients, by: optimizer)
        }
        try report(
            Measurement(
                workload: "adamw_update", shape: ["parameters": 10 << 20], seconds: seconds, unit: "parameters/s",
                rate: Double(10 << 20) / seconds))
    }

    /// Matrix products, against the library that does them.
    static let gemm = Workload(name: "gemm", summary: "float32 matrix products") { report in
        var generator = Generator(seed: 0)
        for (m, n, k) in [(1024, 1024, 1024), (4096, 1024, 256), (32, 1024, 256), (1, 4096, 1024)] {
            let a = try generator.normal([m, k])
            let b = try generator.normal([k, n])
            let seconds = try Stopwatch.median(repetitions: 31, warmup: 3) { _ = try a.matmul(b) }
            try report(
                Measurement(
                    workload: "gemm", shape: ["m": m, "n": n, "k": k], seconds: seconds, unit: "flop/s",
                    rate: 2 * Double(m * n * k) / seconds))
        }
    }
}

/// Ten matrices to update.
private struct MatrixStack: Module {
    var matrices: [Tensor]

    init(_ matrices: [Tensor]) { self.matrices = matrices }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        for index in matrices.indices { try visit("matrices.\(index)", &matrices[index]) }
    }
}

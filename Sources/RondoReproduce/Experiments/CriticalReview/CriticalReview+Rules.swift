import RondoData
import RondoNN
import RondoTensor
import RondoTracking
import RondoTrain

extension Experiment {
    static func trainingRules(_ trial: inout Trial) throws {
        try truncation(&trial)
        try clipping(&trial)
        try growth(&trial)
    }

    /// Gradients by truncated back-propagation against those of one pass, in float64.
    private static func truncation(_ trial: inout Trial) throws {
        let length = 24
        for (name, cell) in [("Elman", RecurrentCell.elmanTanh), ("LSTM", .lstm), ("GRU", .gru)] {
            let model = try CellClassifier(
                cell, tokens: 6, units: 8, classes: 6, dtype: .float64, using: &trial.generator)
            let tokens = try Tensor(
                (0..<2 * length).map { _ in Int32.random(in: 0..<6, using: &trial.generator) }, shape: [2, length])
            let targets = try Tensor(
                (0..<2 * length).map { _ in Int32.random(in: 0..<6, using: &trial.generator) }, shape: [2, length])
            let start = try model.stack.initialState(batch: 2)
            let (_, exact) = try model.valueAndGradients { model in
                var state = start
                return try model.loss(tokens, targets, state: &state) * Double(length)
            }
            func difference(_ interval: Int, _ span: Int) throws -> Double {
                let rule = try TruncatedBackpropagation(interval: interval, span: span)
                let (_, gradients) = try rule.gradients(model, length: length, state: start) {
                    model, positions, state in
                    try model.loss(
                        tokens.sliced(1, positions).contiguous(), targets.sliced(1, positions).contiguous(),
                        state: &state) * Double(positions.count)
                }
                return try zip(gradients.tensors, exact.tensors).map { try ($0 - $1).abs().max().scalar() }.max() ?? 0
            }
            trial.check(
                "\(name): largest difference of gradients, k1 = T, k2 = T", try difference(length, length),
                .atMost(1e-12))
            trial.check("\(name): the same, k1 = T, k2 = 2 T", try difference(length, 2 * length), .atMost(1e-12))
            trial.check("\(name): the same, k1 = 1, k2 = T", try difference(1, length), .atMost(1e-12))
            trial.check("\(name): k1 = k2 = 3 is another gradient", try difference(3, 3), .atLeast(1e-3))
        }
    }

    private static func clipping(_ trial: inout Trial) throws {
        let shapes: [Shape] = [[7, 3], [5], [2, 2, 2]]
        var worst = 0.0
        for scale in [1e-3, 1, 1e3, 1e18, 1e200] {
            let tensors = try shapes.map { try trial.generator.normal($0, dtype: .float64) * scale }
            let gradients = ParameterSet(paths: ["a", "b", "c"], tensors: tensors)
            let norm = try GradientNorm(of: gradients).value
            for limit in [0.5, 5, 50] {
                let clipped = try GradientNorm(of: GradientClipping.norm(limit)(gradients)).value
                let expected = min(norm, limit)
                worst = max(worst, abs(clipped - expected) / expected)
            }
        }
        trial.check("clipping: largest relative error of min(‖g‖, θ), ‖g‖ up to 1e201", worst, .atMost(1e-12))
        let single = ParameterSet(paths: ["a"], tensors: [try Tensor([3, -4, 0.5] as [Double])])
        let limited = try GradientClipping.value(1)(single).tensors[0].array(of: Double.self)
        trial.check("clipping by value at 1 of (3, -4, 0.5) is (1, -1, 0.5)", limited == [1, -1, 0.5])
        let broken = ParameterSet(paths: ["a"], tensors: [try Tensor([1, Double.nan])])
        trial.check("a gradient of NaN is refused", (try? GradientClipping.norm(1)(broken)) == nil)
    }

    /// Derivatives of a linear network whose matrix has a chosen spectral radius.
    private static func growth(_ trial: inout Trial) throws {
        var curves: [LossChart.Series] = []
        for radius in [0.5, 1, 1.5] {
            var configuration = RecurrentConfiguration(cell: .elmanIdentity, inputSize: 6, hiddenSize: 32)
            configuration.initialization = .spectralRadius
            configuration.spectralRadius = radius
            var generator = Generator(seed: trial.seed)
            var model = try CellClassifier(
                .elmanIdentity, tokens: 6, units: 32, classes: 2, dtype: .float64, using: &generator)
            model.stack = try RecurrentStack(configuration, dtype: .float64, using: &generator)
            let points = try stride(from: 5, through: 60, by: 5).map { length in
                CurvePoint(Double(length), try model.jacobianNorms(Array(repeating: 2, count: length))[0])
            }
            let last = points.last?.value ?? .nan
            let name = "‖∂h(60)/∂h(1)‖ of a linear network, ρ = \(Figure.text(radius))"
            switch radius {
            case 0.5: trial.check(name, last, .atMost(1e-12))
            case 1.5: trial.check(name, last, .atLeast(1e6))
            default: trial.show(name, last)
            }
            curves.append(.init(name: "ρ = \(Figure.text(radius))", points: points, style: .points))
        }
        trial.chart(
            LossChart(
                title: "Derivatives of a linear network", xLabel: "length", yLabel: "‖∂h(T)/∂h(1)‖",
                isLogarithmic: true, series: curves))
    }
}

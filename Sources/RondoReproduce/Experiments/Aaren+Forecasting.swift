import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain

extension Experiment {
    /// 96 hours are read, 96 forecast.
    private static let hours = 96

    /// Aaren against a Transformer of the same blocks, on the usual split of ETTh1.
    static func forecasting(_ trial: inout Trial) throws {
        let series = try trial.hourlySeries()
        trial.note("Data: \(series.source). 96 hours are read, 96 forecast; five epochs, three seeds of each model.")
        var errors: [String: [Double]] = [:]
        for mixer in ["aaren", "attention"] {
            for seed in 0..<3 {
                var configuration = LanguageModelConfiguration(mixer: mixer, dModel: 64, nLayers: 2)
                (configuration.norm, configuration.feedForward) = (.layer, .gelu)
                try trial.record(mixer, configuration)
                let error = try forecastError(&trial, series, configuration, seed: trial.seed &* 3 &+ UInt64(seed))
                errors[mixer, default: []].append(error)
            }
        }
        let last = try repeatingError(series)
        func mean(_ mixer: String) -> Double { (errors[mixer] ?? []).reduce(0, +) / 3 }
        trial.check(
            "mean squared error of Aaren / of the Transformer", mean("aaren") / mean("attention"),
            .within(0.9...1.1))
        trial.check("mean squared error of Aaren / of repeating the last value", mean("aaren") / last, .atMost(0.95))
        trial.check("of the Transformer / of repeating the last value", mean("attention") / last, .atMost(0.95))
        trial.table(
            "Mean squared error on the test months", ["model", "seeds", "mean"],
            ["aaren", "attention"].map { mixer in
                [mixer, (errors[mixer] ?? []).map(Figure.text).joined(separator: ", "), Figure.text(mean(mixer))]
            } + [["last value", "", Figure.text(last)]])
    }

    private static func forecastError(
        _ trial: inout Trial, _ series: HourlySeries, _ configuration: LanguageModelConfiguration, seed: UInt64
    ) throws -> Double {
        var generator = Generator(seed: seed)
        let model = try SignalModel(
            configuration, inputSize: series.width, outputSize: hours * series.width, using: &generator)
        var optimizer = OptimizerConfiguration(.adamw, learningRate: 1e-3)
        (optimizer.weightDecay, optimizer.beta2) = (0, 0.999)
        var learner = try Learner(model, optimizer: optimizer.makeOptimizer())
        let starts = Array(series.training.lowerBound...series.training.upperBound - 2 * hours)
        for epoch in 0..<5 {
            let order = starts.shuffled(using: &generator)
            for first in stride(from: 0, to: order.count - 31, by: 32) {
                let window = try series.windows(Array(order[first..<first + 32]), past: hours, future: hours)
                let loss = try learner.step { model in
                    try Loss.meanSquaredError(forecast(model, window.past, series.width), window.future)
                }.loss
                try trial.progress("\(configuration.mixer), epoch \(epoch + 1) of 5, loss \(Figure.text(loss))")
            }
        }
        return try testError(series) { try forecast(learner.model, $0, series.width) }
    }

    /// What the model says after the last position of the past, `[count, hours, width]`.
    private static func forecast(_ model: SignalModel, _ past: Tensor, _ width: Int) throws -> Tensor {
        var state = try model.initialState(batch: past.shape[0])
        var unused = Generator(seed: 0)
        let outputs = try model(past, state: &state, training: false, using: &unused)
        return try outputs.selecting(1, -1).reshaped([past.shape[0], hours, width])
    }

    private static func repeatingError(_ series: HourlySeries) throws -> Double {
        try testError(series) { past in
            try past.sliced(1, hours - 1..<hours).broadcast(to: past.shape).contiguous()
        }
    }

    /// The mean squared error over the test months, in the scale of the whole series.
    private static func testError(_ series: HourlySeries, _ forecast: (Tensor) throws -> Tensor) throws -> Double {
        let starts = Array(
            stride(from: series.test.lowerBound - hours, through: series.test.upperBound - 2 * hours, by: 4))
        var (sum, count) = (0.0, 0)
        for first in stride(from: 0, to: starts.count, by: 128) {
            let chosen = Array(starts[first..<min(first + 128, starts.count)])
            let window = try series.windows(chosen, past: hours, future: hours)
            let error = try (forecast(window.past) - window.future) * window.deviation
            sum += try error.square().mean().scalar() * Double(chosen.count)
            count += chosen.count
        }
        return sum / Double(count)
    }
}

import RondoIO
import RondoMixers
import RondoTracking

/// The picture of several runs: bits per byte against time, a panel for each family of mixers.
enum RunComparisonChart {
    /// Draws runs.
    ///
    /// - Parameters:
    ///   - runs: The runs, in the order of the legend within a panel.
    ///   - path: Where the picture goes.
    /// - Throws: `RondoError` that names a file.
    static func write(_ runs: [Run], to path: String) throws {
        var panels: [(title: String, series: [LossChart.Series])] = []
        for run in runs {
            let title = title(of: run)
            let series = try series(of: run)
            if let index = panels.firstIndex(where: { $0.title == title }) {
                panels[index].series.append(series)
            } else {
                panels.append((title, [series]))
            }
        }
        let charts = panels.map { LossChart(title: $0.title, xLabel: "seconds", series: $0.series) }
        try LossChart.write(charts, to: path)
    }

    /// Evaluations if there are several, else the running mean of the training loss.
    private static func series(of run: Run) throws -> LossChart.Series {
        let curves = try MetricsLogger.curves(FileSystem.join(run.folder, "metrics.jsonl"), by: .seconds)
        if let points = curves["eval/bits_per_byte"], points.count > 2 {
            return .init(name: run.name, points: points, style: .points)
        }
        return .init(name: run.name, points: curves["train/bits_per_byte"] ?? [], style: .mean)
    }

    private static func title(of run: Run) -> String {
        guard let mixer = try? MixerRegistry.mixer(named: run.model) else { return "Mixtures and others" }
        return mixer.card.family.title
    }
}

public import RondoTracking
public import RondoTrain

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension RaceReport {
    /// The training losses of the largest budget against the compute that was spent.
    public var lossChart: LossChart {
        LossChart(
            title: "training loss", xLabel: "compute (\(unit))", yLabel: "bits per byte",
            series: contestants.map { contestant in
                LossChart.Series(
                    name: contestant.entry.name,
                    points: contestant.curve.map { CurvePoint($0.compute, $0.bitsPerByte) }, style: .mean)
            })
    }

    /// The normalised perplexities against the budgets, both as logarithms: trends are straight lines.
    public var scalingChart: LossChart {
        LossChart(
            title: "scaling", xLabel: "log10 of compute (\(unit))", yLabel: "perplexity of a byte", isLogarithmic: true,
            series: contestants.map { contestant in
                LossChart.Series(
                    name: contestant.entry.name,
                    points: contestant.results.map { CurvePoint(log10($0.compute), $0.mean) }, style: .points)
            })
    }

    /// The contestants and their perplexities at every budget.
    public var table: (header: [String], rows: [[String]]) {
        let budgets = contestants.map(\.results).max { $0.count < $1.count }?.map(\.compute) ?? []
        let header =
            ["mixer", "width", "parameters", "multiply-adds", "tokens/s"]
            + budgets.map { "ppl at \(Figure.text($0)) \(unit)" } + ["trend"]
        let rows = contestants.map { contestant in
            let entry = contestant.entry
            let results = budgets.indices.map { index -> String in
                guard index < contestant.results.count else { return "" }
                let result = contestant.results[index]
                let spread = result.perplexities.count > 1 ? " ± \(Figure.text(result.deviation))" : ""
                return Figure.text(result.mean) + spread
            }
            let trend = contestant.fit.map { "e^\(Figure.text($0.a)) h^\(Figure.text($0.b))" } ?? ""
            return [
                entry.name, "\(entry.dModel)", "\(entry.parameters)", "\(entry.multiplyAdds.total)",
                "\(entry.tokensPerSecond)",
            ] + results + [trend]
        }
        return (header, rows)
    }

    /// Where trends meet, in words.
    public var crossingsInWords: [String] {
        crossings.map { crossing in
            let place = crossing.isMeasured ? "among the budgets measured" : "beyond what was measured"
            return "The trends of \(crossing.first) and \(crossing.second) meet at \(Figure.text(crossing.compute)) "
                + "\(unit), \(place)."
        }
    }
}

import RondoDiagnostics
import RondoTracking

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The pictures of a diagnosis.
struct DiagnosisCharts {
    let diagnosis: ModelDiagnosis

    /// As many curves as have colours of their own.
    private static let most = 12

    /// The loss, with its spread.
    var loss: LossChart {
        let isLogarithmic = diagnosis.options.bucketing == .powersOfTwo
        let buckets = diagnosis.loss.buckets
        func points(_ value: (LossByPosition.Bucket) -> Double) -> [CurvePoint] {
            buckets.map { CurvePoint(isLogarithmic ? Double($0.end) : Double($0.start + $0.end) / 2, value($0)) }
        }
        var chart = LossChart(
            title: "Loss by position", xLabel: isLogarithmic ? "up to position" : "position", yLabel: "nats a token",
            series: [
                .init(name: "mean", points: points(\.mean), style: .points),
                .init(name: "mean + spread of rows", points: points { $0.mean + $0.spread }, style: .mean),
                .init(name: "mean - spread of rows", points: points { $0.mean - $0.spread }, style: .mean),
            ])
        chart.isXLogarithmic = isLogarithmic
        return chart
    }

    /// Norm, rank, and the share of large elements.
    var states: [LossChart] {
        let leaves = diagnosis.states.leaves.prefix(Self.most)
        func chart(
            _ title: String, _ label: String, isLogarithmic: Bool = false, _ value: (StateTrace.Point) -> Double?
        ) -> LossChart? {
            let series = leaves.compactMap { leaf -> LossChart.Series? in
                let points = leaf.points.compactMap { point in
                    value(point).map { CurvePoint(Double(point.position), $0) }
                }
                return points.isEmpty ? nil : .init(name: leaf.name, points: points, style: .points)
            }
            guard !series.isEmpty else { return nil }
            var chart = LossChart(
                title: title, xLabel: "position", yLabel: label, isLogarithmic: isLogarithmic, series: series)
            chart.isXLogarithmic = true
            return chart
        }
        return [
            chart("Norm of the largest head", "Frobenius norm", isLogarithmic: true) { $0.norms.max() },
            chart("Effective rank, mean over heads", "directions") { point in
                point.effectiveRanks.isEmpty
                    ? nil : point.effectiveRanks.reduce(0, +) / Double(point.effectiveRanks.count)
            },
            chart("Elements far above their early level", "share") { $0.exceeding },
        ].compactMap { $0 }
    }

    /// Singular values of matrix states by position.
    var spectra: [HeatMap] {
        diagnosis.states.leaves.filter { ($0.points.last?.spectrum.count ?? 0) > 1 }.prefix(4).map { leaf in
            let count = leaf.points.last?.spectrum.count ?? 0
            return HeatMap(
                title: "Singular values of \(leaf.name)", xLabel: "position", yLabel: "from the largest (bottom)",
                valueLabel: "log10", columns: leaf.points.map { "\($0.position)" },
                rows: (0..<count).map { "\($0 + 1)" },
                values: (0..<count).map { index in
                    leaf.points.map { $0.spectrum[index] > 0 ? log10($0.spectrum[index]) : .nan }
                })
        }
    }

    /// The derivative by distance.
    var horizon: LossChart {
        LossChart(
            title: "How far back the loss looks", xLabel: "distance", yLabel: "norm of the derivative",
            isLogarithmic: true,
            series: [
                .init(
                    name: "mean over rows",
                    points: diagnosis.horizon.norms.enumerated().map { CurvePoint(Double($0.offset), $0.element) },
                    style: .smoothed)
            ])
    }

    /// The probability of the second token of a pair.
    func recall(_ recall: RecallByDistance) -> LossChart {
        func points(_ value: (RecallByDistance.Point) -> Double) -> [CurvePoint] {
            recall.points.map { CurvePoint(Double($0.distance), value($0)) }
        }
        var chart = LossChart(
            title: "Probability of the second token", xLabel: "distance", yLabel: "probability",
            series: [
                .init(name: "pair planted", points: points(\.probability), style: .points),
                .init(name: "not planted", points: points(\.baseline), style: .points),
            ])
        chart.isXLogarithmic = true
        return chart
    }

    /// The timescales of each state's units, from the fastest to the slowest.
    var timescales: LossChart {
        let series = diagnosis.timescales.filter { !$0.timescales.isEmpty }.prefix(Self.most).map { state in
            LossChart.Series(
                name: state.name,
                points: state.timescales.enumerated().map {
                    CurvePoint((Double($0.offset) + 0.5) / Double(state.timescales.count), $0.element)
                }, style: .points)
        }
        return LossChart(
            title: "Timescales of units", xLabel: "share of units that are faster", yLabel: "steps",
            isLogarithmic: true, series: series)
    }

    /// How many eigenvalues have which modulus.
    var moduli: LossChart {
        let series = diagnosis.transitions.prefix(4).map { spectrum in
            let width = spectrum.histogramEnd / Double(spectrum.histogram.count)
            return LossChart.Series(
                name: "layer \(spectrum.layer)",
                points: spectrum.histogram.enumerated().map {
                    CurvePoint((Double($0.offset) + 0.5) * width, Double($0.element) / Double(max(1, spectrum.count)))
                }, style: .bars)
        }
        return LossChart(title: "Moduli of eigenvalues", xLabel: "modulus", yLabel: "share", series: series)
    }

    /// Eigenvalues in the complex plane; `nil` if all are real.
    var plane: LossChart? {
        let turning = diagnosis.transitions.filter { $0.complexShare > 0 }.prefix(Self.most)
        guard !turning.isEmpty else { return nil }
        return LossChart(
            title: "Eigenvalues in the complex plane", xLabel: "real part", yLabel: "imaginary part",
            series: turning.map { spectrum in
                .init(
                    name: "layer \(spectrum.layer)", points: spectrum.sample.map { CurvePoint($0[0], $0[1]) },
                    style: .scatter)
            })
    }
}

import RondoDiagnostics
import RondoIO
import RondoModels
import RondoTracking

/// A diagnosis for people and for programs.
struct DiagnosisReport {
    let diagnosis: ModelDiagnosis
    let modelName: String
    let textName: String
    let model: LanguageModelConfiguration

    /// All numbers.
    /// - Throws: `RondoError` if one is not finite.
    func json() throws -> JSONValue {
        var object = JSONObject()
        object["model"] = .string(modelName)
        object["text"] = .string(textName)
        for (key, value) in try StrictJSON.tree(of: diagnosis).objectValue?.members ?? [] { object[key] = value }
        return .object(object)
    }

    // MARK: - In words

    /// The main findings, for the terminal.
    var summary: String {
        var sections = [lossTable.text()]
        if !stateTable.rows.isEmpty { sections.append(stateTable.text()) }
        sections.append(horizonText)
        if let recall = diagnosis.recall { sections.append(recallTable(recall).text()) }
        if !diagnosis.timescales.isEmpty { sections.append(timescaleTable.text()) }
        if !diagnosis.transitions.isEmpty { sections.append(transitionTable.text()) }
        sections.append(findings.map(\.text).joined(separator: "\n"))
        return sections.joined(separator: "\n\n")
    }

    /// What stands out.
    var findings: [(text: String, isGood: Bool)] {
        var lines: [(String, Bool)] = []
        if let position = diagnosis.firstNotFinite {
            lines.append(("Numbers are not finite from about position \(position) on.", false))
        }
        let trained = diagnosis.options.trainingLength
        let buckets = diagnosis.loss.buckets
        let reference = diagnosis.states.reference
        if let early = buckets.last(where: { $0.end <= max(reference, buckets[0].end) }), let last = buckets.last {
            let (rise, noise) = (last.mean - early.mean, 2 * max(early.spread, last.spread))
            let place = trained == nil ? "position \(early.end)" : "the training length"
            if rise > max(0.1, noise) {
                lines.append(
                    ("The loss is \(Format.decimals(rise, 2)) nats higher at the end than at \(place).", false))
            } else {
                lines.append(("The loss does not rise beyond \(place).", true))
            }
        }
        let growing = diagnosis.states.growing()
        if let first = growing.first {
            let more = growing.count > 1 ? ", \(growing.count) heads or states in all" : ""
            lines.append(
                (
                    "The state \(first.name), head \(first.head), is \(Format.decimals(first.growth, 1)) times as large at "
                        + "the end as at position \(reference)\(more).", false
                ))
        } else if !diagnosis.states.leaves.isEmpty {
            lines.append(("No state grows to twice its norm after position \(reference).", true))
        }
        return lines
    }

    private var lossTable: Table {
        var table = Table(columns: [("POSITIONS", .left), ("NATS A TOKEN", .right), ("SPREAD", .right)])
        table.rows = diagnosis.loss.buckets.map {
            ["\($0.start)-\($0.end - 1)", Format.decimals($0.mean, 4), Format.decimals($0.spread, 4)]
        }
        return table
    }

    private var stateTable: Table {
        var table = Table(columns: [
            ("STATE", .left), ("SHAPE", .left), ("NORM", .right), ("GROWTH", .right), ("RANK", .right),
            ("EXCEEDING", .right), ("SATURATED", .right),
        ])
        table.rows = diagnosis.states.leaves.compactMap { leaf in
            guard let last = leaf.points.last else { return nil }
            let ranks = last.effectiveRanks
            return [
                leaf.name, leaf.shape.map { "\($0)" }.joined(separator: " x "), Figures.short(last.norms.max() ?? 0),
                Figures.short(leaf.growth(from: diagnosis.states.reference).max() ?? 1),
                ranks.isEmpty ? "" : Format.decimals(ranks.reduce(0, +) / Double(ranks.count), 1),
                Format.percent(last.exceeding), leaf.isBounded ? Format.percent(last.saturated) : "",
            ]
        }
        return table
    }

    private var horizonText: String {
        let horizon = diagnosis.horizon
        let shares = [0.1, 0.01, 0.001].map {
            "\(Format.decimals($0 * 100, $0 < 0.01 ? 1 : 0)) %: \(horizon.reach(share: $0))"
        }
        return "Memory horizon (last distance at which the derivative has a share of its largest value): "
            + shares.joined(separator: ", ")
    }

    private func recallTable(_ recall: RecallByDistance) -> Table {
        var table = Table(columns: [("DISTANCE", .right), ("PLANTED", .right), ("ELSE", .right), ("GAIN", .right)])
        table.rows = recall.points.map {
            ["\($0.distance)", Figures.short($0.probability), Figures.short($0.baseline), Format.decimals($0.gain, 2)]
        }
        return table
    }

    private var timescaleTable: Table {
        var table = Table(columns: [
            ("STATE", .left), ("UNITS", .right), ("MEDIAN TIMESCALE", .right), ("LONGEST", .right), ("SILENT", .right),
        ])
        table.rows = diagnosis.timescales.map {
            [
                $0.name, "\($0.timescales.count)", $0.median.map(Figures.short) ?? "",
                $0.timescales.last.map(Figures.short) ?? "", "\($0.silent)",
            ]
        }
        return table
    }

    private var transitionTable: Table {
        var table = Table(columns: [
            ("LAYER", .right), ("MIXER", .left), ("MEAN MODULUS", .right), ("1 %", .right), ("50 %", .right),
            ("99 %", .right), ("NEGATIVE", .right), ("TURNING", .right),
        ])
        table.rows = diagnosis.transitions.map {
            [
                "\($0.layer)", $0.mixer, Format.decimals($0.meanModulus, 4), Format.decimals($0.quantiles[0], 4),
                Format.decimals($0.quantiles[2], 4), Format.decimals($0.quantiles[4], 4),
                Format.percent($0.negativeShare),
                Format.percent($0.complexShare),
            ]
        }
        return table
    }

    // MARK: - The page

    /// The page with pictures.
    var html: HTMLReport {
        var page = HTMLReport(title: "Diagnosis of \(modelName)")
        let options = diagnosis.options
        let trained = options.trainingLength.map { ", trained at length \($0)" } ?? ""
        page.paragraph(
            "\(model.mixerSummary), width \(model.dModel)\(trained); \(options.rows) rows of \(options.length) tokens of "
                + "\(textName).")
        for finding in findings { page.verdict(finding.text, isGood: finding.isGood) }
        let charts = DiagnosisCharts(diagnosis: diagnosis)
        page.heading("Loss by position")
        page.chart(charts.loss)
        add(lossTable, to: &page)
        if !diagnosis.states.leaves.isEmpty {
            page.heading("States as they fill")
            page.paragraph(
                "Growth compares with position \(diagnosis.states.reference). Rank is e to the entropy of the singular values, "
                    + "mean over heads; exceeding is the share of elements above \(Figures.short(diagnosis.states.excess)) "
                    + "times the level at that position.")
            add(stateTable, to: &page)
            for chart in charts.states { page.chart(chart) }
            for map in charts.spectra { page.chart(map) }
        }
        page.heading("Memory horizon")
        page.paragraph(horizonText)
        page.chart(charts.horizon)
        if let recall = diagnosis.recall {
            page.heading("Recall of planted pairs")
            page.paragraph(
                "Two rare tokens are planted, and the first comes again at the end: the probability of the second, where "
                    + "the pair was planted and where it was not.")
            page.chart(charts.recall(recall))
            add(recallTable(recall), to: &page)
        }
        if !diagnosis.timescales.isEmpty {
            page.heading("Timescales of units")
            page.chart(charts.timescales)
            add(timescaleTable, to: &page)
        }
        if !diagnosis.transitions.isEmpty {
            page.heading("Eigenvalues by which the state is kept")
            page.chart(charts.moduli)
            if let plane = charts.plane { page.chart(plane) }
            add(transitionTable, to: &page)
        }
        return page
    }

    private func add(_ table: Table, to page: inout HTMLReport) {
        page.table(table.columns.map { $0.heading.capitalizedFirst }, table.rows)
    }
}

/// Numbers in tables.
enum Figures {
    /// About three significant digits.
    static func short(_ value: Double) -> String {
        let size = value.magnitude
        if size != 0, size < 0.001 || size >= 1e5 { return Format.scientific(value) }
        return Format.decimals(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4)
    }
}

extension LanguageModelConfiguration {
    /// The mixers and how many layers there are.
    fileprivate var mixerSummary: String {
        let names = everyLayer.reduce(into: [String]()) { if !$0.contains($1.mixer) { $0.append($1.mixer) } }
        return "\(names.joined(separator: " and ")), \(everyLayer.count) layers"
    }
}

extension String {
    /// Small letters after the first.
    fileprivate var capitalizedFirst: String { prefix(1) + dropFirst().lowercased() }
}

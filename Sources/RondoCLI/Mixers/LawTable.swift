import RondoConformance
import RondoIO

/// Results of laws as a table of mixers and laws, as details of what is broken, and as JSON.
struct LawTable {
    var results: [LawResult]

    private var mixers: [String] { unique(results.map(\.mixer)) }
    private var laws: [Law] { Law.allCases.filter { law in results.contains { $0.law == law } } }
    var broken: [LawResult] { results.filter { !$0.passed } }

    /// Mixers below each other, laws side by side, in as many tables as the width of the terminal asks for.
    func text(width: Int?) -> String {
        let (mixers, laws) = (mixers, laws)
        let cells = Dictionary(
            uniqueKeysWithValues: laws.map { law in (law, mixers.map { cell(law, of: $0) }) })
        let first = (["MIXER"] + mixers).map(\.count).max() ?? 0
        return Self.groups(laws, width: width.map { $0 - first }).map { group in
            var table = Table(columns: [("MIXER", .left)] + group.map { (Self.heading(of: $0), .right) })
            table.rows = mixers.indices.map { row in [mixers[row]] + group.map { cells[$0]?[row] ?? "" } }
            return table.text(width: width)
        }.joined(separator: "\n\n")
    }

    /// What was broken, on which example, and how.
    var details: String {
        broken.map { "\($0.mixer), \($0.law.rawValue) (\($0.example)): \($0.failure ?? "")" }.joined(separator: "\n")
    }

    /// How many mixers keep how many laws.
    var conclusion: String {
        let skipped = Set(results.filter { $0.skipped != nil }.map(\.law)).count
        let unchecked = skipped > 0 ? "; \(skipped) could not be checked" : ""
        guard !broken.isEmpty else {
            return "\(mixers.count) \(mixers.count == 1 ? "mixer keeps" : "mixers keep") \(laws.count - skipped) "
                + "\(laws.count - skipped == 1 ? "law" : "laws")\(unchecked)."
        }
        let names = unique(broken.map(\.mixer))
        return "Laws are broken by \(names.joined(separator: ", "))\(unchecked)."
    }

    /// One object for each law, example and type.
    var json: JSONValue {
        .array(
            results.map { result in
                [
                    "mixer": .string(result.mixer), "example": .string(result.example),
                    "law": .string(result.law.rawValue), "passed": .bool(result.passed), "error": .real(result.error),
                    "tolerance": .real(result.tolerance), "failure": result.failure.map { .string($0) } ?? .null,
                    "skipped": result.skipped.map { .string($0) } ?? .null,
                ]
            })
    }

    /// "FAIL", "-" if unchecked, "0.03" of the tolerance, or "exact" where bits were compared and equal.
    private func cell(_ law: Law, of mixer: String) -> String {
        let own = results.filter { $0.law == law && $0.mixer == mixer }
        if own.contains(where: { !$0.passed }) { return "FAIL" }
        if own.allSatisfy({ $0.skipped != nil }) { return own.isEmpty ? "" : "-" }
        let compared = own.filter { $0.tolerance > 0 }
        guard let worst = compared.map({ $0.error / $0.tolerance }).max() else { return "exact" }
        return worst > 0 && worst < 0.005 ? "<0.01" : Format.decimals(worst, 2)
    }

    private static func heading(of law: Law) -> String { law.rawValue.uppercased() }

    /// Laws whose columns fit the width side by side.
    private static func groups(_ laws: [Law], width: Int?) -> [[Law]] {
        guard let width else { return [laws] }
        var groups: [[Law]] = []
        var used = 0
        for law in laws {
            let needed = max(heading(of: law).count, 5) + 2
            if groups.isEmpty || used + needed > width {
                groups.append([])
                used = 0
            }
            groups[groups.count - 1].append(law)
            used += needed
        }
        return groups
    }

    private func unique(_ names: [String]) -> [String] {
        names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}

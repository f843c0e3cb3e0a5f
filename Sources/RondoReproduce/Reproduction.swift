public import RondoIO
import RondoTensor
public import RondoTracking

/// What an experiment found.
public struct Reproduction {
    /// What one of its parts found.
    public struct PartResult {
        /// The part.
        public var part: Experiment.Part
        /// What it recorded.
        public var trial: Trial
        /// How long it took.
        public var seconds: Double
        /// Why it could not be finished, if so.
        public var failure: String?

        /// Whether every check passed, and there was one.
        public var passed: Bool { failure == nil && !trial.checks.isEmpty && trial.checks.allSatisfy(\.passed) }
    }

    /// The experiment.
    public var experiment: Experiment
    /// The seed.
    public var seed: UInt64
    /// Whether the full parts ran too.
    public var isFull: Bool
    /// The parts that ran.
    public var parts: [PartResult]

    /// Whether every part passed.
    public var passed: Bool { parts.allSatisfy(\.passed) }
    /// How long all parts took.
    public var seconds: Double { parts.reduce(0) { $0 + $1.seconds } }

    /// Runs an experiment.
    ///
    /// - Parameters:
    ///   - experiment: What is run.
    ///   - isFull: Whether its full parts run too.
    ///   - seed: The seed of everything random.
    ///   - dataFolder: A folder with real data, for parts that can use it.
    ///   - onPart: Told the result of each part as it ends.
    ///   - onProgress: Told the part and what it is doing; it throws ``Interrupted`` to stop.
    /// - Returns: What it found.
    /// - Throws: ``Interrupted`` when asked to stop; errors of parts are results.
    public static func run(
        _ experiment: Experiment, isFull: Bool, seed: UInt64, dataFolder: String? = nil,
        onPart: (PartResult) throws -> Void = { _ in },
        onProgress: @escaping (_ part: String, _ text: String) throws -> Void = { _, _ in }
    ) throws -> Reproduction {
        var result = Reproduction(experiment: experiment, seed: seed, isFull: isFull, parts: [])
        for part in experiment.parts where isFull || !part.isFull {
            let clock = ContinuousClock.now
            let name = part.name
            var trial = Trial(seed: seed, isFull: isFull, dataFolder: dataFolder) { try onProgress(name, $0) }
            var failure: String?
            do {
                try trial.progress("...")
                try part.run(&trial)
            } catch let interruption as Interrupted {
                throw interruption
            } catch {
                failure = "\(error)"
            }
            let (seconds, fraction) = (ContinuousClock.now - clock).components
            let outcome = PartResult(
                part: part, trial: trial, seconds: Double(seconds) + Double(fraction) * 1e-18, failure: failure)
            result.parts.append(outcome)
            try onPart(outcome)
        }
        return result
    }

    /// Thrown to stop an experiment.
    public struct Interrupted: Error {
        /// Creates it.
        public init() {}
    }
}

// MARK: - Reports

extension Reproduction {
    /// Everything as JSON.
    public var json: JSONValue {
        [
            "slug": .string(experiment.slug), "title": .string(experiment.title), "source": .string(experiment.source),
            "claim": .string(experiment.claim), "status": .string(experiment.status.name),
            "missing": experiment.missing.map { .string($0) } ?? .null, "mode": .string(isFull ? "full" : "quick"),
            "seed": .integer(seed), "passed": .bool(passed), "seconds": .real(seconds),
            "parts": .array(parts.map(\.json)),
        ]
    }

    /// A page with claim, figures, pictures and settings.
    public var html: HTMLReport {
        var page = HTMLReport(title: experiment.title)
        page.paragraph(experiment.source)
        page.paragraph("Claim: \(experiment.claim)")
        page.verdict(
            "\(passed ? "Holds here" : "Does not hold here") (\(isFull ? "full" : "quick") mode, seed \(seed), "
                + "\(Figure.text((seconds * 10).rounded() / 10)) s)", isGood: passed)
        if let missing = experiment.missing { page.paragraph("Not shown yet: \(missing)") }
        for part in parts { part.add(to: &page) }
        page.heading("Repeat it")
        page.code("rondo reproduce \(experiment.slug)\(isFull ? " --full" : "") --seed \(seed)")
        page.paragraph(
            "Instruction set \(Runtime.instructionSet.rawValue), matrix products by \(Runtime.gemmLibrary). Times depend "
                + "on the machine; the other figures depend on the seed alone.")
        return page
    }
}

extension Reproduction.PartResult {
    fileprivate var json: JSONValue {
        [
            "name": .string(part.name), "title": .string(part.title), "paper": .string(part.paper),
            "mode": .string(part.isFull ? "full" : "quick"), "passed": .bool(passed), "seconds": .real(seconds),
            "failure": failure.map { .string($0) } ?? .null,
            "checks": .array(
                trial.checks.map { check in
                    [
                        "name": .string(check.name), "value": .real(check.value),
                        "criterion": .string(check.criterion.text), "passed": .bool(check.passed),
                    ]
                }),
            "tables": .array(
                trial.tables.map { table in
                    [
                        "title": .string(table.title), "header": .array(table.header.map { .string($0) }),
                        "rows": .array(table.rows.map { .array($0.map { .string($0) }) }),
                    ]
                }),
            "notes": .array(trial.notes.map { .string($0) }), "settings": .object(trial.settings),
        ]
    }

    fileprivate func add(to page: inout HTMLReport) {
        page.heading(part.title)
        page.paragraph("The paper: \(part.paper)")
        if let failure { page.verdict("Stopped by an error: \(failure)", isGood: false) }
        page.table(
            ["measured", "ours", "asked", "verdict"],
            trial.checks.map { check in
                let verdict = check.criterion == .none ? "" : check.passed ? "pass" : "FAIL"
                return [check.name, Figure.text(check.value), check.criterion.text, verdict]
            })
        for chart in trial.charts { page.chart(chart) }
        for table in trial.tables {
            page.subheading(table.title)
            page.table(table.header, table.rows)
        }
        for note in trial.notes { page.paragraph(note) }
        if trial.settings.count > 0 {
            page.subheading("Settings")
            page.code(JSONValue.object(trial.settings).text(.pretty))
        }
        page.paragraph("\(Figure.text((seconds * 10).rounded() / 10)) s")
    }
}

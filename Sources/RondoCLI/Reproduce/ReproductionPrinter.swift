import RondoReproduce

/// Shows experiments as they run.
final class ReproductionPrinter {
    private let console: Console
    /// Whether only progress is shown, because results are printed as JSON.
    private let isSilent: Bool
    private let started = Timer()
    private var lastDrawn = -1.0

    init(console: Console, isSilent: Bool) {
        self.console = console
        self.isSilent = isSilent
    }

    func begin(_ experiment: Experiment) throws {
        guard !isSilent else { return }
        try OutputStream.data.writeLine(
            "\(experiment.slug): \(experiment.title)\n  \(experiment.source)\n\n  Claim: \(experiment.claim)\n")
    }

    /// Draws the progress line, now and then; stops the experiment if the user asked for it.
    func progress(_ part: String, _ text: String) throws {
        guard !Interruption.isRequested else { throw Reproduction.Interrupted() }
        let seconds = started.seconds
        guard seconds - lastDrawn >= 0.1 else { return }
        lastDrawn = seconds
        console.showProgress("\(part): \(text)  \(Format.duration(seconds))")
    }

    func show(_ part: Reproduction.PartResult) throws {
        console.clearProgress()
        guard !isSilent else { return }
        var lines = ["  \(part.part.title)", "    paper: \(part.part.paper)"]
        if let failure = part.failure { lines.append("    FAIL  stopped by an error: \(failure)") }
        let names = part.trial.checks.map(\.name.count).max() ?? 0
        let values = part.trial.checks.map { Figure.text($0.value).count }.max() ?? 0
        for check in part.trial.checks {
            let verdict = check.criterion == .none ? "    " : check.passed ? "pass" : "FAIL"
            let name = check.name + String(repeating: " ", count: names - check.name.count)
            let value = Figure.text(check.value)
            let padding = String(repeating: " ", count: values - value.count)
            lines.append("    \(verdict)  \(name)  \(padding)\(value)  \(check.criterion.text)")
        }
        if part.failure == nil, part.trial.checks.isEmpty { lines.append("    FAIL  nothing was measured") }
        lines += part.trial.notes.map { "    \($0)" }
        lines.append("    \(Format.duration(part.seconds))\n")
        try OutputStream.data.writeLine(lines.joined(separator: "\n"))
    }

    func end(_ result: Reproduction, folder: String?) throws {
        let slug = result.experiment.slug
        let verdict = result.passed ? "the claim holds here" : "the claim does not hold here"
        let report = folder.map { "; report: \($0)/\(slug).html" } ?? ""
        guard !isSilent else { return }
        if let missing = result.experiment.missing { try OutputStream.data.writeLine("  Not shown yet: \(missing)\n") }
        try OutputStream.data.writeLine("  \(slug): \(verdict)\(report)\n")
    }
}

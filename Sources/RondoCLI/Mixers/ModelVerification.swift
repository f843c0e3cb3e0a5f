import RondoIO
import RondoModels
import RondoTensor

/// Checks that a model with its own weights gives the same scores in every form in which it can read.
struct ModelVerification {
    /// One form beside the whole pass.
    struct Outcome {
        var form: String
        /// The largest difference to the whole pass, relative to the largest score.
        var error: Double
        /// What rounding explains.
        var tolerance: Double
        var isKept: Bool { error <= tolerance }
    }

    private static let lengths = [33, 20, 7]

    private static let forms: [(name: String, form: ReadingForm)] = [
        ("in pieces", .chunk(cuts: [1, 2, 9, 17])), ("step by step", .step),
        ("padded on the left", .prefill(padding: .left)), ("padded on the right", .prefill(padding: .right)),
    ]

    /// Reads rows of random tokens in every form.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - onForm: Told the form before it is read; `false` stops.
    /// - Returns: The outcomes, as far as it came.
    /// - Throws: `RondoError` if the model cannot read.
    static func check(_ model: LanguageModel, onForm: (String) -> Bool) throws -> [Outcome] {
        var generator = Generator(seed: 1)
        let rows = lengths.map { length in
            (0..<length).map { _ in Int32.random(in: 0..<Int32(model.configuration.vocabSize), using: &generator) }
        }
        guard onForm("whole"), let whole = try model.logits(of: rows, form: .parallel) else { return [] }
        let scale: Double = try whole.cast(to: .float64).abs().max().scalar()
        // Deep models amplify the rounding of float32: random ones of 24 layers reach 6e-4.
        let tolerance = model.dtype == .float64 ? 1e-9 : 2e-3
        var outcomes: [Outcome] = []
        for (name, form) in forms {
            guard onForm(name), let other = try model.logits(of: rows, form: form) else { break }
            let difference: Double = try (whole - other).cast(to: .float64).abs().max().scalar()
            // Not finite scores are no agreement.
            let error = scale > 0 && difference.isFinite ? difference / scale : .infinity
            outcomes.append(Outcome(form: name, error: error, tolerance: tolerance))
        }
        return outcomes
    }

    /// The outcomes as a table.
    static func text(_ outcomes: [Outcome]) -> String {
        var table = Table(columns: [("FORM", .left), ("ERROR", .right), ("ALLOWED", .right), ("", .left)])
        table.rows = outcomes.map {
            [$0.form, Format.scientific($0.error), Format.scientific($0.tolerance), $0.isKept ? "kept" : "BROKEN"]
        }
        return table.text()
    }

    /// The outcomes for programs.
    static func json(_ outcomes: [Outcome]) -> JSONValue {
        .array(
            outcomes.map {
                [
                    "form": .string($0.form), "error": .real($0.error), "allowed": .real($0.tolerance),
                    "kept": .bool($0.isKept),
                ]
            })
    }
}

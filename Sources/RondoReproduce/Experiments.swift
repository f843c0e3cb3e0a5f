import RondoIO
import RondoTensor

/// The experiments that can be run.
public enum Experiments {
    /// All of them: one line each.
    public static let all: [Experiment] = [
        .flashRNN,
        .paraRNN,
        .m2RNN,
        .minmaxRNC,
        .emergentTimescales,
        .gradientNoise,
        .s4,
        .lssl,
        .stuffedMamba,
        .gla,
        .negativeEigenvalues,
        .aaren,
        .criticalReview,
        .languini,
        .inContextLanguages,
        .selectivity,
    ]

    /// The experiment of a paper.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` that suggests the closest name, or says that it is planned.
    public static func experiment(_ slug: String) throws -> Experiment {
        if let match = all.first(where: { $0.slug == slug }) { return match }
        if Catalogue.papers.contains(where: { $0.slug == slug }) {
            throw RondoError(
                .invalidArgument,
                "'\(slug)' is planned, but cannot be reproduced yet; `rondo reproduce --list` shows what can")
        }
        let advice = Suggestion.advice(for: slug, known: Catalogue.papers.map(\.slug), noun: "papers")
        throw RondoError(.invalidArgument, "there is no paper '\(slug)'\(advice)")
    }

    /// How much of a paper is shown.
    public static func status(of paper: Catalogue.Paper) -> ReproductionStatus {
        all.first { $0.slug == paper.slug }?.status ?? .planned
    }
}

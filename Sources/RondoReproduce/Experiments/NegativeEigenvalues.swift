import RondoData
import RondoIO
import RondoModels
import RondoTrain

extension Experiment {
    /// Grazzi et al., 2024.
    static let negativeEigenvalues = Experiment(
        slug: "negative-eigenvalues",
        title: "Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues",
        source: "R. Grazzi, J. Siems, A. Zela, J. K. H. Franke, F. Hutter, M. Pontil; ICLR 2025; arXiv 2411.12537",
        claim: """
            Linear recurrences whose transition has only eigenvalues in [0, 1] cannot compute parity at lengths beyond \
            those they were trained at; with eigenvalues in [-1, 1], at the same cost, they can.
            """,
        missing: "exact constructions, Mamba, S3 and S5",
        parts: [
            .quick(
                "trained-parity", "DeltaNet learns parity at any length if eigenvalues may be negative",
                paper: """
                    Scaled accuracy beyond the training length (3-40, tested at 40-256): 1.000 with [-1, 1], 0.017 \
                    with [0, 1].
                    """,
                run: trainedParity)
        ])

    private static func trainedParity(_ trial: inout Trial) throws {
        for (name, allowsNegative) in [("eigenvalues in [-1, 1]", true), ("eigenvalues in [0, 1]", false)] {
            var model = LanguageModelConfiguration(mixer: "delta_net", dModel: 32, nLayers: 1)
            model.mixerOptions = [
                "heads": .integer(2), "conv_width": .integer(0),
                "eigenvalues": .string(allowsNegative ? "symmetric" : "positive"),
            ]
            var training = TaskTraining(model: model)
            (training.steps, training.minLength, training.maxLength, training.seed) = (200, 32, 32, trial.seed)
            var trainer = try TaskTrainer(ParityTask(), training)
            try trial.record(name, training)
            try trainer.run { step, loss in
                try trial.progress("\(name): step \(step) of \(training.steps), loss \(Figure.text(loss))")
            }
            let score = try trainer.score(length: 256).accuracy ?? 0
            trial.check("accuracy at length 256, \(name)", score, allowsNegative ? .atLeast(0.99) : .atMost(0.6))
        }
    }
}

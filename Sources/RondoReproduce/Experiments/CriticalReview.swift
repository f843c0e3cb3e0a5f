import RondoTrain

extension Experiment {
    /// Lipton, Berkowitz and Elkan, 2015.
    static let criticalReview = Experiment(
        slug: "critical-review",
        title: "A Critical Review of Recurrent Neural Networks for Sequence Learning",
        source: "Z. C. Lipton, J. Berkowitz, C. Elkan; 2015; arXiv 1506.00019",
        claim: """
            Derivatives of plain recurrent networks vanish or explode with the distance in time. The LSTM's additive cell \
            keeps them, forget gates free it in continual streams, a backward direction sees what no causal network can, \
            and an addressable memory generalises to longer sequences.
            """,
        missing: """
            settings in which the forget gate's advantage shows and the neural Turing machine copies with every seed, and \
            the translations and captions that the survey cites
            """,
        parts: [
            .quick(
                "latch", "A bit is remembered over 60 positions of noise, or not",
                paper: """
                    Derivatives of a simple network vanish with the lag, the LSTM's constant error carousel avoids it \
                    (qualitative; the thresholds are those of an independent program with these settings).
                    """,
                run: latch),
            .quick(
                "future", "What comes later needs a backward direction",
                paper: """
                    y(t) = x(t + 3) of fair bits: no causal model can do better than 0.5; a bidirectional one can be \
                    perfect (Schuster and Paliwal, 1997).
                    """,
                run: future),
            .quick(
                "forget-gate", "Streams without resets need a forget gate",
                paper: """
                    Forget gates outperform the LSTM of 1997 on continual input (qualitative, after Gers et al., 2000).
                    """,
                run: forgetGate),
            .full(
                "forget-gate-long-training", "Trained on long streams, the LSTM without a forget gate keeps up",
                paper: """
                    As before, but trained on streams of 500 positions with the state carried over: what the claim does \
                    not cover.
                    """,
                run: forgetGateLongTraining),
            .quick(
                "training-rules", "Truncation, clipping and growth are what their definitions say",
                paper: """
                    Truncated back-propagation with k1 = T and k2 at least T is exact; clipping makes norms min(‖g‖, θ); \
                    a matrix of spectral radius ρ makes derivatives grow as ρ^lag.
                    """,
                run: trainingRules),
            .quick(
                "bleu", "BLEU clips counts", paper: "The seven times \"the\" of Papineni et al., 2002: p₁ = 2/7.",
                run: bleu),
            .quick(
                "labelling", "Labels are learned without being told where they stand",
                paper: """
                    Connectionist temporal classification, which the handwriting systems that the survey cites use: p(l|x) \
                    is the sum over all paths that stand for l (qualitative). Here: sounds of 2 to 5 frames in noise.
                    """,
                run: labelling),
            .full(
                "ntm-copy", "A memory under soft addresses copies sequences longer than any it was trained on",
                paper: """
                    Neural Turing machines generalise copying to longer sequences, LSTMs do not (qualitative, after \
                    Graves et al., 2014). Here: 8-bit vectors, lengths 1-6, tested at 12.
                    """,
                run: turingMachineCopy),
        ])

    /// Adam as in its paper, without weight decay.
    static func plainAdam(_ learningRate: Double) -> AdamW {
        AdamW(learningRate: learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0)
    }
}

import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension Workload {
    /// One optimiser step of a byte-level model: forward, loss, backward, clip, AdamW.
    static let languageModelTraining = Workload(
        name: "language_model_train", summary: "one whole training step of a 2 x 512 byte-level LSTM"
    ) { report in
        let (batch, time, width, layers) = (32, 128, 512, 2)
        var generator = Generator(seed: 0)
        var shape = LanguageModelConfiguration(mixer: "lstm", dModel: width, nLayers: layers)
        // The same computation as the peer's: layers on top of each other, nothing between.
        (shape.norm, shape.residual) = (.none, false)
        var model = try LanguageModel(shape, using: &generator)
        let optimizer = AdamW(learningRate: 3e-4)
        var optimizerState = try OptimizerState(for: optimizer, module: model)
        var state = try model.initialState(batch: batch)
        func tokens() throws -> Tensor {
            try Tensor(
                (0..<batch * time).map { _ in Int32.random(in: 0..<256, using: &generator) }, shape: [batch, time])
        }
        let (inputs, targets) = (try tokens(), try tokens())
        let seconds = try Stopwatch.median(repetitions: 7, warmup: 2) {
            let before = state
            let step = try model.valueGradientsAndExtra { tracked in
                var unused = Generator(seed: 0)
                return try tracked.loss(inputs, targets, state: before, training: true, using: &unused)
            }
            state = step.extra
            let scale = try GradientNorm(of: step.gradients).scale(limit: 1)
            try optimizerState.update(&model, gradients: step.gradients, by: optimizer, gradientScale: scale)
        }
        try report(
            Measurement(
                workload: "language_model_train",
                shape: ["batch": batch, "time": time, "width": width, "layers": layers, "vocabulary": 256],
                seconds: seconds, unit: "tokens/s", rate: Double(batch * time) / seconds,
                processPeakBytes: peakResidentBytes))
    }

    /// Loss and gradients of models of about two million parameters, with the peers' shapes.
    static let stateSpaceModels = [
        smallModelTraining("mamba_2m_train", mixer: "mamba", options: ["state_size": .number(literal: "16")]),
        smallModelTraining(
            "mamba2_2m_train", mixer: "mamba2",
            options: ["state_size": .number(literal: "64"), "head_size": .number(literal: "64")]),
    ]

    private static func smallModelTraining(_ name: String, mixer: String, options: JSONValue) -> Workload {
        Workload(name: name, summary: "loss and gradients of a 4-layer \(mixer) model, batch 4, 256 tokens") { report in
            let (batch, time, vocabulary) = (4, 256, 1024)
            var generator = Generator(seed: 0)
            var shape = LanguageModelConfiguration(mixer: mixer, dModel: 256, nLayers: 4)
            (shape.vocabSize, shape.tieEmbeddings, shape.mixerOptions) = (vocabulary, true, options)
            let model = try LanguageModel(shape, using: &generator)
            let state = try model.initialState(batch: batch)
            let tokens = (0..<batch * (time + 1)).map { _ in Int32.random(in: 0..<1000, using: &generator) }
            let text = try Tensor(tokens, shape: [batch, time + 1])
            let (inputs, targets) = (try text.sliced(1, 0..<time), try text.sliced(1, 1..<time + 1))
            let seconds = try Stopwatch.median(repetitions: 5) {
                _ = try model.valueAndGradients { tracked in
                    var unused = Generator(seed: 0)
                    return try tracked.loss(inputs, targets, state: state, training: true, using: &unused).loss
                }
            }
            try report(
                Measurement(
                    workload: name, shape: ["batch": batch, "time": time], seconds: seconds, unit: "tokens/s",
                    rate: Double(batch * time) / seconds, parameters: model.parameterCount))
        }
    }

    /// The largest resident memory of this process so far.
    private static var peakResidentBytes: Int {
        var usage = rusage()
        #if canImport(Glibc)
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
            getrusage(RUSAGE_SELF, &usage)
        #endif
        return usage.ru_maxrss * 1024
    }
}

import RondoModels
import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension TrainingConfiguration {
    /// Refuses what cannot be trained, before any work is done.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` that names the key and its range.
    public func validate() throws {
        do { try model.validate() } catch let error as RondoError {
            throw RondoError(error.code, "model.\(error.message)")
        }
        try optimizer.validate()
        try schedule.validate()
        try gradientNoise.validate()
        try requireValue(
            (0...65_536).contains(adapters.loraRank), "adapters.lora_rank", adapters.loraRank, "from 0 to 65536")
        try requireValue(
            !adapters.isUsed || initialModel != nil, "adapters", "(without a model)",
            "used with initial_model: there must be a model to adapt")
        try requireValue(
            !adapters.isUsed || emaDecay == 0, "ema_decay", emaDecay,
            "0 where adapters are trained: no average of them is kept")
        try validateLength()
        try validateLoop()
        try validateMemory()
    }

    private func validateLength() throws {
        let limits = [steps != nil, epochs != nil, minutes != nil].count { $0 }
        try requireValue(
            limits == 1, "steps, epochs, minutes", "(\(limits) of them are given)",
            "exactly one of the three; set the others to null")
        if let steps { try requireValue(steps >= 1, "steps", steps, "at least 1") }
        if let epochs { try requireValue(epochs > 0 && epochs <= 1e9, "epochs", epochs, "above 0 and at most 1e9") }
        if let minutes {
            try requireValue(minutes > 0 && minutes <= 1e7, "minutes", minutes, "above 0 and at most 1e7")
        }
    }

    private func validateLoop() throws {
        try requireValue((1...1 << 20).contains(batchSize), "batch_size", batchSize, "from 1 to 1048576")
        try requireValue((1...1 << 20).contains(windowLength), "window_length", windowLength, "from 1 to 1048576")
        try requireValue((1...1 << 20).contains(accumulation), "accumulation", accumulation, "from 1 to 1048576")
        try requireValue(clipNorm >= 0 && clipNorm.isFinite, "clip_norm", clipNorm, "0 (off) or more")
        try requireValue((0..<1).contains(emaDecay), "ema_decay", emaDecay, "at least 0 (off) and below 1")
        try requireValue((0..<1).contains(labelSmoothing), "label_smoothing", labelSmoothing, "at least 0 and below 1")
        try requireValue(
            (0..<1).contains(data.validationFraction), "data.validation_fraction", data.validationFraction,
            "at least 0 and below 1")
        for (key, value, least) in [
            ("evaluation.interval", evaluation.interval, 0), ("evaluation.limit_bytes", evaluation.limitBytes, 0),
            ("evaluation.batch_size", evaluation.batchSize, 1), ("evaluation.patience", evaluation.patience, 0),
            ("checkpoints.interval", checkpoints.interval, 0), ("checkpoints.keep_last", checkpoints.keepLast, 1),
            ("threads", threads, 0),
        ] {
            try requireValue((least...1 << 40).contains(value), key, value, "at least \(least)")
        }
    }

    /// Weights, derivatives, two moments and the average, and what a window keeps for the backward pass.
    private func validateMemory() throws {
        let weights = model.parameterEstimate * (emaDecay > 0 ? 5 : 4)
        let bytes = 4 * (weights + Double(batchSize) * Double(windowLength) * model.activationEstimate)
        let memory = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
        guard bytes < memory else {
            let gibibytes = { (bytes: Double) in (bytes / 107_374_182.4).rounded() / 10 }
            throw RondoError(
                .invalidArgument,
                "training needs about \(gibibytes(bytes)) GiB, this machine has \(gibibytes(memory)); make "
                    + "model.d_model, model.n_layers, batch_size or window_length smaller")
        }
    }
}

import ArgumentParser
import RondoModels
import RondoNN
import RondoTensor
import RondoTrain

/// What the help texts name as defaults.
private let defaults = TrainingConfiguration()

extension ArgumentHelp {
    /// A help text that ends with the default, which the configuration knows and the flag does not.
    fileprivate static func text(
        _ text: String, default value: some CustomStringConvertible, _ valueName: String? = nil
    ) -> ArgumentHelp {
        ArgumentHelp("\(text) (default: \(value)).", valueName: valueName)
    }
}

/// The flags of `rondo train` that are keys of its configuration; none has a default of its own.
struct TrainSettings: SettingsOptions {
    @OptionGroup(title: "Model \(ConfigurationLayers.settingsMark)")
    var model: ModelSettings

    @OptionGroup(title: "Text \(ConfigurationLayers.settingsMark)")
    var text: TextSettings

    @OptionGroup(title: "Training \(ConfigurationLayers.settingsMark)")
    var loop: LoopSettings

    var settings: [Setting] { model.settings + text.settings + loop.settings }
}

/// The shape of the model.
struct ModelSettings: SettingsOptions {
    @Option(
        help: .text("The recurrent cell; `rondo models` lists them", default: defaults.model.recurrent.cell.rawValue))
    var cell: RecurrentCell?

    @Option(help: .text("Recurrent layers", default: defaults.model.recurrent.layers, "n"))
    var layers: Int?

    @Option(help: .text("Width of every layer", default: defaults.model.recurrent.hiddenSize, "n"))
    var hidden: Int?

    @Option(help: .text("Width of the vector of a byte", default: defaults.model.embeddingSize, "n"))
    var embedding: Int?

    @Option(help: ArgumentHelp("Blocks of the recurrent matrices; 1 is dense (default: 1).", valueName: "n"))
    var heads: Int?

    @Option(help: ArgumentHelp("Share of elements dropped between layers and at the output.", valueName: "x"))
    var dropout: Double?

    @Flag(inversion: .prefixedNo, help: "Use the embedding as the output matrix as well.")
    var tieEmbeddings: Bool?

    var settings: [Setting] {
        [
            Setting("cell", "model.recurrent.cell", cell?.rawValue),
            Setting("layers", "model.recurrent.layers", layers),
            Setting("hidden", "model.recurrent.hidden_size", hidden),
            Setting("embedding", "model.embedding_size", embedding),
            Setting("embedding", "model.recurrent.input_size", embedding),
            Setting("heads", "model.recurrent.heads", heads),
            Setting("dropout", "model.recurrent.dropout", dropout),
            Setting("dropout", "model.output_dropout", dropout),
            Setting("tie-embeddings", "model.tie_embeddings", tieEmbeddings),
        ]
    }
}

/// What is read.
struct TextSettings: SettingsOptions {
    @Option(
        help: ArgumentHelp(
            "A file, a folder, or - for standard input; may be repeated (default: Rondo's own text).",
            valueName: "path"),
        completion: .file())
    var text: [String] = []

    @Option(
        help: .text("Share at the end of the text kept for validation", default: defaults.data.validationFraction, "x"))
    var validationFraction: Double?

    var settings: [Setting] {
        [
            Setting("text", "data.text", list: text),
            Setting("validation-fraction", "data.validation_fraction", validationFraction),
        ]
    }
}

/// How long and how the model is trained.
struct LoopSettings: SettingsOptions {
    @Option(help: ArgumentHelp("Train for about so long (default: 5).", valueName: "m"))
    var minutes: Double?

    @Option(help: ArgumentHelp("Train for so many steps.", valueName: "n"))
    var steps: Int?

    @Option(help: ArgumentHelp("Train for so many passes over the text.", valueName: "e"))
    var epochs: Double?

    @Option(help: .text("Streams read side by side", default: defaults.batchSize, "n"))
    var batch: Int?

    @Option(help: .text("Bytes of each stream in a step", default: defaults.windowLength, "n"))
    var window: Int?

    @Option(help: .text("Learning rate", default: defaults.optimizer.learningRate, "x"))
    var lr: Double?

    @Option(help: .text("The optimiser", default: defaults.optimizer.name.rawValue))
    var optimizer: OptimizerConfiguration.Name?

    @Option(help: ArgumentHelp("Weight decay of matrices.", valueName: "x"))
    var weightDecay: Double?

    @Option(help: "The course of the learning rate (default: cosine).")
    var schedule: ScheduleConfiguration.Kind?

    @Option(help: .text("Steps over which the learning rate grows", default: defaults.schedule.warmupSteps, "n"))
    var warmup: Int?

    @Option(help: .text("Largest norm of the derivatives; 0 for no limit", default: defaults.clipNorm, "x"))
    var clip: Double?

    @Option(help: .text("Steps between evaluations; 0 for the end only", default: defaults.evaluation.interval, "n"))
    var evaluateEvery: Int?

    @Option(help: .text("Steps between checkpoints; 0 for the end only", default: defaults.checkpoints.interval, "n"))
    var saveEvery: Int?

    @Option(help: .text("Checkpoints kept besides the best", default: defaults.checkpoints.keepLast, "n"))
    var keep: Int?

    @Option(help: ArgumentHelp("Evaluations without progress before stopping; 0 for never.", valueName: "n"))
    var patience: Int?

    @Option(help: .text("Seed of everything random", default: defaults.seed, "n"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("Threads; 0 for one a core. It never changes a result.", valueName: "n"))
    var threads: Int?

    /// Limits of the length, of which only one can hold.
    static let limits: Set<String> = ["minutes", "steps", "epochs"]

    var settings: [Setting] {
        [
            Setting("minutes", "minutes", minutes), Setting("steps", "steps", steps),
            Setting("epochs", "epochs", epochs), Setting("batch", "batch_size", batch),
            Setting("window", "window_length", window), Setting("lr", "optimizer.learning_rate", lr),
            Setting("optimizer", "optimizer.name", optimizer?.rawValue),
            Setting("weight-decay", "optimizer.weight_decay", weightDecay),
            Setting("schedule", "schedule.kind", schedule?.rawValue),
            Setting("warmup", "schedule.warmup_steps", warmup), Setting("clip", "clip_norm", clip),
            Setting("evaluate-every", "evaluation.interval", evaluateEvery),
            Setting("save-every", "checkpoints.interval", saveEvery),
            Setting("keep", "checkpoints.keep_last", keep), Setting("patience", "evaluation.patience", patience),
            Setting("seed", "seed", seed), Setting("threads", "threads", threads),
        ]
    }
}

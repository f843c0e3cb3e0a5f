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

    @OptionGroup(title: "Going on from a model \(ConfigurationLayers.settingsMark)")
    var adapters: AdapterSettings

    @OptionGroup(title: "Text \(ConfigurationLayers.settingsMark)")
    var text: TextSettings

    @OptionGroup(title: "Training \(ConfigurationLayers.settingsMark)")
    var loop: LoopSettings

    var settings: [Setting] { model.settings + adapters.settings + text.settings + loop.settings }
}

/// The shape of the model.
struct ModelSettings: SettingsOptions {
    @Option(
        help: .text(
            "The mixer, or several with commas between them to repeat over the layers; `rondo models` lists them",
            default: defaults.model.mixer))
    var mixer: String?

    @Option(help: .text("Layers", default: defaults.model.nLayers, "n"))
    var layers: Int?

    @Option(help: .text("Width of the model", default: defaults.model.dModel, "n"))
    var dModel: Int?

    @Option(
        help: ArgumentHelp(
            "Options of the mixer as JSON; `rondo describe MIXER` lists them (default: the mixer's).", valueName: "json"
        ))
    var mixerOptions: String?

    @Option(help: .text("Norm before each part", default: defaults.model.norm.rawValue))
    var norm: LanguageModelConfiguration.Norm?

    @Option(help: .text("Position-wise part after each mixer", default: defaults.model.feedForward.rawValue))
    var feedForward: LanguageModelConfiguration.FeedForwardKind?

    @Option(help: ArgumentHelp("Share of elements dropped after each part and at the output.", valueName: "x"))
    var dropout: Double?

    @Flag(inversion: .prefixedNo, help: "Add the input of each part to its output.")
    var residual: Bool?

    @Flag(inversion: .prefixedNo, help: "Use the embedding as the output matrix as well.")
    var tieEmbeddings: Bool?

    var settings: [Setting] {
        [
            Setting("mixer", "model.mixer", mixer),
            Setting("layers", "model.n_layers", layers),
            Setting("d-model", "model.d_model", dModel),
            Setting("mixer-options", "model.mixer_options", mixerOptions),
            Setting("norm", "model.norm", norm?.rawValue),
            Setting("feed-forward", "model.feed_forward", feedForward?.rawValue),
            Setting("dropout", "model.dropout", dropout),
            Setting("dropout", "model.output_dropout", dropout),
            Setting("residual", "model.residual", residual),
            Setting("tie-embeddings", "model.tie_embeddings", tieEmbeddings),
        ]
    }
}

/// A model to go on from, and what of it is trained.
struct AdapterSettings: SettingsOptions {
    @Option(
        help: ArgumentHelp("A model, a run or a Hugging Face folder to go on from.", valueName: "dir"),
        completion: .directory)
    var model: String?

    @Option(help: ArgumentHelp("Train only additions of this rank to its matrices (LoRA).", valueName: "rank"))
    var lora: Int?

    @Option(help: ArgumentHelp("Numerator of their scale (default: twice the rank).", valueName: "x"))
    var loraAlpha: Double?

    @Option(
        help: ArgumentHelp(
            "The matrices, by the end of their paths, as mixer.input; may be repeated (default: all of the layers).",
            valueName: "name"))
    var loraTarget: [String] = []

    @Flag(inversion: .prefixedNo, help: "Train only the initial state.")
    var tuneState: Bool?

    var settings: [Setting] {
        [
            Setting("model", "initial_model", model),
            Setting("lora", "adapters.lora_rank", lora),
            Setting("lora-alpha", "adapters.lora_alpha", loraAlpha),
            Setting("lora-target", "adapters.lora_targets", list: loraTarget),
            Setting("tune-state", "adapters.tunes_state", tuneState),
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
        help: ArgumentHelp(
            "A folder with tokenizer.json (default: the model's, or the bytes themselves).", valueName: "dir"),
        completion: .directory)
    var tokenizer: String?

    @Option(
        help: .text("Share at the end of the text kept for validation", default: defaults.data.validationFraction, "x"))
    var validationFraction: Double?

    var settings: [Setting] {
        [
            Setting("text", "data.text", list: text),
            Setting("tokenizer", "data.tokenizer", tokenizer),
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

    @Option(
        help: .text(
            "Variance η of noise added to the derivatives, η / (1 + t)^γ at step t; 0 for none",
            default: defaults.gradientNoise.eta, "x"))
    var gradientNoise: Double?

    @Option(help: .text("Its decay γ", default: defaults.gradientNoise.gamma, "x"))
    var gradientNoiseDecay: Double?

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
            Setting("gradient-noise", "gradient_noise.eta", gradientNoise),
            Setting("gradient-noise-decay", "gradient_noise.gamma", gradientNoiseDecay),
            Setting("evaluate-every", "evaluation.interval", evaluateEvery),
            Setting("save-every", "checkpoints.interval", saveEvery),
            Setting("keep", "checkpoints.keep_last", keep), Setting("patience", "evaluation.patience", patience),
            Setting("seed", "seed", seed), Setting("threads", "threads", threads),
        ]
    }
}

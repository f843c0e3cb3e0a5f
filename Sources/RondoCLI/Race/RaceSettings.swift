import ArgumentParser
import RondoIO
import RondoModels
import RondoNN
import RondoTrain

/// Mixers with commas between them; as text, the JSON list of contestants.
struct ContestantList: ExpressibleByArgument, CustomStringConvertible {
    var contestants: [RaceContestant]

    init?(argument: String) {
        guard let list = try? RaceContestant.list(argument), !list.isEmpty else { return nil }
        contestants = list
    }

    var description: String { (try? StrictJSON.tree(of: contestants).text()) ?? "[]" }
}

/// The flags of `rondo race` that are keys of its configuration.
struct RaceSettings: SettingsOptions {
    @Option(
        help: ArgumentHelp(
            "The contestants with commas between them, each NAME or NAME:{options as JSON}.", valueName: "a,b"))
    var mixers: ContestantList?

    @OptionGroup var text: TextSettings

    @Option(help: ArgumentHelp("The largest budget of one training in minutes.", valueName: "m"))
    var minutes: Double?

    @Option(help: ArgumentHelp("The largest budget of one training in floating-point operations.", valueName: "f"))
    var flops: Double?

    @Option(help: ArgumentHelp("Budgets, each half of the next (default: 3).", valueName: "n"))
    var classes: Int?

    @Option(help: ArgumentHelp("Trainings of each budget (default: 1).", valueName: "n"))
    var seeds: Int?

    @Flag(help: "Give all models the same width instead of the same number of parameters.")
    var sameWidth = false

    @Flag(help: "Count the processor's time instead of the clock's, where other programs disturb.")
    var cpuTime = false

    @Option(help: ArgumentHelp("Layers (default: 2).", valueName: "n"))
    var layers: Int?

    @Option(help: ArgumentHelp("Width of the first contestant's model (default: 256).", valueName: "n"))
    var dModel: Int?

    @Option(help: "Norm before each part (default: rms).")
    var norm: LanguageModelConfiguration.Norm?

    @Option(help: "Position-wise part after each mixer (default: none).")
    var feedForward: LanguageModelConfiguration.FeedForwardKind?

    @Option(help: ArgumentHelp("Streams read side by side (default: 16).", valueName: "n"))
    var batch: Int?

    @Option(help: ArgumentHelp("Tokens of each stream in a step (default: 96).", valueName: "n"))
    var window: Int?

    @Option(help: ArgumentHelp("Learning rate (default: 0.004).", valueName: "x"))
    var lr: Double?

    @Option(help: ArgumentHelp("The first seed (default: 0).", valueName: "n"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("Threads; 0 for one a core.", valueName: "n"))
    var threads: Int?

    var settings: [Setting] {
        let training =
            text.settings + [
                Setting("layers", "model.n_layers", layers), Setting("d-model", "model.d_model", dModel),
                Setting("norm", "model.norm", norm?.rawValue),
                Setting("feed-forward", "model.feed_forward", feedForward?.rawValue),
                Setting("batch", "batch_size", batch), Setting("window", "window_length", window),
                Setting("lr", "optimizer.learning_rate", lr), Setting("seed", "seed", seed),
                Setting("threads", "threads", threads),
            ]
        return [
            Setting("mixers", "contestants", mixers), Setting("minutes", "minutes", minutes),
            Setting("flops", "flops", flops), Setting("classes", "classes", classes),
            Setting("seeds", "seeds", seeds), Setting("same-width", "matching", sameWidth ? "width" : nil),
            Setting("cpu-time", "clock", cpuTime ? "processor" : nil),
        ] + training.map { Setting($0.flag, "training.\($0.key)", $0.value) }
    }
}

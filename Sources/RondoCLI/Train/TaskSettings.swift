import ArgumentParser
import RondoData
import RondoIO
import RondoTensor
import RondoTrain

/// What is learned from examples instead of a text.
struct TaskSettings: SettingsOptions {
    @Option(
        help: ArgumentHelp(
            "Train on this task instead of a text; `rondo tasks` lists them. Defaults then: batch 64, rate 0.003 "
                + "throughout, 1000 steps.",
            valueName: "name"))
    var task: String?

    @Option(help: ArgumentHelp("Options of the task as JSON.", valueName: "json"))
    var taskOptions: String?

    @Option(help: ArgumentHelp("The shortest examples of training (default: the task's).", valueName: "n"))
    var minLength: Int?

    @Option(help: ArgumentHelp("The longest examples of training (default: the task's).", valueName: "n"))
    var maxLength: Int?

    @Option(
        help: ArgumentHelp(
            "Part of the steps over which the longest length grows (default: 0).", valueName: "x"))
    var curriculum: Double?

    @Option(
        help: ArgumentHelp(
            "Lengths at which the model is measured, with commas between them (default: the task's).",
            valueName: "n,n"))
    var lengths: LengthList?

    @Option(help: ArgumentHelp("Examples of each length that are measured (default: 256).", valueName: "n"))
    var examples: Int?

    var settings: [Setting] {
        [
            Setting("task", "task", task), Setting("task-options", "task_options", taskOptions),
            Setting("min-length", "min_length", minLength), Setting("max-length", "max_length", maxLength),
            Setting("curriculum", "curriculum_fraction", curriculum),
            Setting("lengths", "evaluation.lengths", lengths), Setting("examples", "evaluation.examples", examples),
        ]
    }
}

/// Lengths with commas between them; as text, a JSON list.
struct LengthList: ExpressibleByArgument, CustomStringConvertible {
    var lengths: [Int]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        lengths = parts.compactMap { Int($0) }
        guard !lengths.isEmpty, lengths.count == parts.count, lengths.allSatisfy({ $0 > 0 }) else { return nil }
    }

    var description: String { "[" + lengths.map(String.init).joined(separator: ",") + "]" }
}

/// The flags of `rondo train` that are keys of the configuration of a run on a task.
struct TaskRunSettings: SettingsOptions {
    @OptionGroup var model: ModelSettings
    @OptionGroup var task: TaskSettings
    @OptionGroup var loop: LoopSettings

    /// Flags of runs on texts that mean nothing here.
    static let excluded: Set<String> = ["minutes", "epochs", "window", "patience"]

    var settings: [Setting] {
        model.settings + task.settings + loop.settings.filter { !Self.excluded.contains($0.flag) }
    }
}

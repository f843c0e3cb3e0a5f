import ArgumentParser
import RondoTensor

/// `rondo`.
struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rondo",
        abstract: "Train, run and measure recurrent sequence models.",
        discussion: """
            Example:
              rondo train --text book.txt --minutes 5 --out runs/book
              rondo generate --model runs/book --prompt "It was"

            Every option can be given as an environment variable: RONDO_TOP_K=40 is --top-k 40. What counts is the \
            flag, then key=value, then the variable, then the configuration file, then the default.

            Data goes to standard output, everything else to standard error. Exit status: 0 done, 1 failed, \
            2 wrong usage, 130 interrupted (what can be saved has been saved).
            """,
        version: version,
        subcommands: [
            TrainCommand.self, GenerateCommand.self, EvaluateCommand.self, RunsCommand.self, ModelsCommand.self,
            InspectCommand.self, LogitsCommand.self, ImportCommand.self, ExportCommand.self, QuantizeCommand.self,
            TokenizerCommand.self,
            TasksCommand.self,
            DiagnoseCommand.self,
            RaceCommand.self,
            DescribeCommand.self, VerifyCommand.self, ReproduceCommand.self, DoctorCommand.self, BenchCommand.self,
            CompletionsCommand.self,
        ])

    /// The release, without which a bug report is worth little.
    static let release = "0.1.0"

    private static var version: String {
        """
        rondo \(release)
        instruction set: \(Runtime.instructionSet.rawValue) (\(Runtime.cpuFeatures))
        matrix products: \(Runtime.gemmLibrary)
        """
    }
}

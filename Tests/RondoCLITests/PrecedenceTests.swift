import ArgumentParser
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTestSupport
import RondoTrain
import Testing

@testable import RondoCLI

@Suite struct PrecedenceTests {
    private func configuration(
        _ arguments: [String], _ environment: [String: String] = [:]
    ) throws -> TrainingConfiguration {
        try TrainCommand.parse(arguments).resolvedConfiguration(environment: EnvironmentVariables(environment))
    }

    private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
        let folder = try TemporaryFolder()
        try AtomicFile.write(text, to: folder.file("c.json"))
        return try body(folder.file("c.json"))
    }

    @Test func defaultsStandWithoutAnything() throws {
        #expect(try configuration([]) == TrainingConfiguration())
    }

    @Test func strongerLayersWin() throws {
        let key = "model.d_model"
        try withFile(#"{"model": {"d_model": 2}}"#) { (file: String) throws -> Void in
            let file = ["--config", file]
            let environment = ["RONDO_D_MODEL": "3"]
            #expect(try configuration(file).model.dModel == 2)
            #expect(try configuration(file, environment).model.dModel == 3)
            #expect(try configuration(file + ["\(key)=4"], environment).model.dModel == 4)
            #expect(
                try configuration(file + ["\(key)=4", "--d-model", "5"], environment).model.dModel == 5)
        }
    }

    @Test func everySettingReachesItsKey() throws {
        let settings = try TrainSettings.parse([]).settings
        #expect(settings.count > 20)
        let tree = try StrictJSON.tree(of: TrainingConfiguration(), absentAsNull: true)
        for setting in settings {
            let value = setting.key.split(separator: ".").reduce(Optional(tree)) { $0?[String($1)] }
            #expect(value != nil, "--\(setting.flag) sets \(setting.key), which does not exist")
            #expect(setting.value == nil)
        }
    }

    @Test func limitsReplaceEachOther() throws {
        let steps = try configuration(["--steps", "7"])
        #expect(steps.steps == 7 && steps.minutes == nil && steps.epochs == nil)
        let epochs = try configuration(["--epochs", "2"], ["RONDO_STEPS": "7"])
        #expect(epochs.epochs == 2 && epochs.steps == nil && epochs.minutes == nil)
        try withFile(#"{"steps": 9}"#) { (file: String) throws -> Void in
            #expect(try configuration(["--config", file]).steps == 9)
            let replaced = try configuration(["--config", file, "minutes=1"])
            #expect(replaced.steps == nil && replaced.minutes == 1)
        }
        let error = try rondoError { _ = try configuration(["--steps", "7", "--minutes", "1"]) }
        #expect(error.message.contains("exclude each other") && error.code == .invalidArgument)
    }

    @Test func variablesAreCheckedAndNamed() throws {
        for (name, value) in [("RONDO_D_MODEL", "wide"), ("RONDO_NORM", "bach"), ("RONDO_TIE_EMBEDDINGS", "maybe")] {
            let error = try rondoError { _ = try configuration([], [name: value]) }
            #expect(error.message.contains("\(name)=\(value)"), "\(error.message)")
            #expect(error.code == .invalidArgument)
        }
        #expect(try configuration([], ["RONDO_TIE_EMBEDDINGS": "1"]).model.tieEmbeddings)
        #expect(!(try configuration(["model.tie_embeddings=true", "--no-tie-embeddings"]).model.tieEmbeddings))
        #expect(try configuration([], ["RONDO_TEXT": "a b.txt"]).data.text == ["a b.txt"])
    }

    @Test func wrongKeysAreNamedWithTheClosest() throws {
        let override = try rondoError { _ = try configuration(["optimizer.learning_rat=1"]) }
        #expect(override.message.contains("did you mean 'learning_rate'?"))
        try withFile(#"{"widow_length": 2}"#) { (file: String) throws -> Void in
            let error = try rondoError { _ = try configuration(["--config", file]) }
            #expect(error.message.contains(file) && error.message.contains("window_length"))
        }
        let value = try rondoError { _ = try configuration(["batch_size=many"]) }
        #expect(value.message.contains("batch_size"))
    }

    @Test func variablesStandForFlagsOfEveryCommand() throws {
        let tool = try CommandDescription(RootCommand.self)
        let environment = EnvironmentVariables([
            "RONDO_TOP_K": "40", "RONDO_GREEDY": "0", "RONDO_JSON": "true", "RONDO_NOSUCH": "1", "HOME": "/",
        ])
        let addition = try environment.addition(to: ["generate"], of: ["generate"], in: tool)
        #expect(addition.arguments.sorted() == ["--json", "--top-k=40"])
        #expect(addition.unknown == ["RONDO_NOSUCH"])
        for given in [["generate", "--top-k", "1"], ["generate", "--top-k=1"]] {
            let addition = try environment.addition(to: given, of: ["generate"], in: tool)
            #expect(addition.arguments == ["--json"])
        }
        // Settings have layers of their own; the command must not see them twice.
        let train = try EnvironmentVariables(["RONDO_D_MODEL": "3", "RONDO_OUT": "x"]).addition(
            to: ["train"], of: ["train"], in: tool)
        #expect(train.arguments == ["--out=x"] && train.unknown.isEmpty)
    }

    @Test func everyFlagHasItsVariable() throws {
        let tool = try CommandDescription(RootCommand.self)
        let flags = Set(tool.allFlags.map(\.name))
        #expect(flags.isSuperset(of: ["d-model", "top-k", "state-out", "json", "threads", "store", "resume"]))
        #expect(EnvironmentVariables.name(of: "top-k") == "RONDO_TOP_K")
        #expect(tool.descendant(["train"]).flags.contains { $0.name == "out" })
        #expect(!tool.descendant(["train"]).flags.contains { $0.name == "d-model" })
    }
}

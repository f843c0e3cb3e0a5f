import ArgumentParser
import RondoData
import RondoIO
import RondoModels
import RondoNN
import RondoTensor
import RondoTracking
import RondoTrain

/// `rondo train --task`.
extension TrainCommand {
    /// Whether a task is asked for, wherever it is named.
    func isTask(environment: EnvironmentVariables) throws -> Bool {
        if task.task != nil || environment["task"] != nil { return true }
        if overrides.contains(where: { $0.hasPrefix("task=") }) { return true }
        return try config.map { try JSONValue(contentsOf: $0)["task"] != nil } ?? false
    }

    /// Flag, then `key=value`, then environment, then file, then default.
    func resolvedTaskConfiguration(environment: EnvironmentVariables) throws -> TaskRunConfiguration {
        let foreign = settings.adapters.settings + settings.text.settings
        let useless = (foreign + settings.loop.settings.filter { TaskRunSettings.excluded.contains($0.flag) })
            .filter { $0.value != nil }.map { "--\($0.flag)" }
        if let first = useless.first {
            throw ValidationError(
                "\(first) goes with texts; a task makes its own examples (see --min-length, --steps).")
        }
        var layers = ConfigurationLayers()
        if let config { try layers.add(file: config) }
        try layers.add(environment, as: TaskRunSettings.self)
        try layers.add(overrides)
        try layers.add(settings.model)
        try layers.add(task)
        try layers.add(settings.loop)
        return try layers.resolve(TaskRunConfiguration(task: TaskRegistry.all[0].name))
    }

    func beginTask(console: Console) throws {
        let configuration = try resolvedTaskConfiguration(environment: .current)
        Runtime.threadCount = configuration.threads
        let run = try TaskRun(configuration)
        if dryRun { return try printPlan(configuration) }
        let model = configuration.training.model
        let path = out ?? Self.defaultFolder(name ?? "\(configuration.task)-\(model.shortName)\(model.dModel)")
        let folder = try RunFolder(
            creating: path, configuration: StrictJSON.tree(of: configuration, absentAsNull: true))
        try train(run, in: folder, console: console)
    }

    func resumeTask(_ folder: RunFolder, console: Console) throws {
        try requireUnchanged(except: ["steps", "threads"])
        let run: TaskRun
        if let checkpoint = try folder.latestCheckpoint() {
            console.detail("Going on from \(checkpoint.path)")
            run = try TaskRun(resuming: checkpoint.path, totalSteps: settings.loop.steps)
        } else {
            console.note("The run has no checkpoint yet; it begins anew.")
            var configuration = try StrictJSON.decode(
                TaskRunConfiguration.self, contentsOf: folder.configurationPath)
            if let steps = settings.loop.steps { configuration.training.steps = steps }
            run = try TaskRun(configuration)
        }
        Runtime.threadCount = settings.loop.threads ?? run.configuration.threads
        if dryRun { return try printPlan(run.configuration) }
        try train(run, in: folder, console: console)
    }

    private func train(_ run: TaskRun, in folder: RunFolder, console: Console) throws {
        var run = run
        let recorder = try RunRecorder(
            folder: folder, RunDescription(run), resumingAfter: run.step, store: RunStore(store), console: console)
        console.note("Run:    \(folder.path)")
        let reporter = TaskReporter(run, console: console, recorder: recorder)
        let result: TaskResult
        do {
            result = try run.run(store: recorder, observer: reporter) { Interruption.isRequested }
        } catch {
            recordFailure(recorder, console: console)
            throw error
        }
        try report(result, of: run, recorder: recorder, console: console)
        if result.reason == .interrupted { throw Interruption.exitStatus }
    }

    private func report(_ result: TaskResult, of run: TaskRun, recorder: RunRecorder, console: Console) throws {
        let folder = recorder.folder.path
        if result.reason == .completed {
            console.note("Done after \(Format.duration(result.elapsedSeconds)).")
        } else {
            console.note("Interrupted at step \(result.step); everything is saved.")
            console.note("Go on with:   rondo train --resume \(folder)")
        }
        console.note("Pictures:     \(recorder.folder.lossPNGPath)")
        console.note("Measure it:   rondo evaluate --model \(folder) --lengths 64,512")
        guard !global.json else {
            var object = JSONObject()
            object["run"] = .string(recorder.run.id)
            object["folder"] = .string(folder)
            for (key, value) in try StrictJSON.tree(of: result).objectValue?.members ?? [] { object[key] = value }
            return try OutputStream.data.writeLine(JSONValue.object(object).text())
        }
        if !result.scores.isEmpty {
            try OutputStream.data.writeLine(TaskScoreTable.text(result.scores, trained: run.trainer.allLengths))
        }
    }
}

/// Scores by length as people read them.
enum TaskScoreTable {
    /// The table; lengths that were trained are marked.
    static func text(_ scores: [TaskScore], trained: ClosedRange<Int>) -> String {
        let isClassification = scores.first?.accuracy != nil
        var table = Table(columns: [("LENGTH", .right), ("", .left)])
        table.columns +=
            isClassification ? [("ACCURACY", .right), ("WHOLE EXAMPLES", .right)] : [("SQUARED ERROR", .right)]
        table.columns.append(("ASKED", .right))
        table.rows = scores.map { score in
            let place = trained.contains(score.length) ? "trained" : "not trained"
            let measures =
                isClassification
                ? [Format.decimals(score.accuracy ?? .nan, 4), Format.decimals(score.exactExamples ?? .nan, 4)]
                : [Format.scientific(score.meanSquaredError ?? .nan)]
            return ["\(score.length)", place] + measures + ["\(score.asked)"]
        }
        return table.text()
    }
}

extension TaskScore {
    /// What scores of a task are called in metrics.
    static func measureName(of task: any SequenceTask) -> String {
        if case .values = task.output { "mean_squared_error" } else { "accuracy" }
    }

    /// What the score is called in metrics.
    var measureName: String { accuracy == nil ? "mean_squared_error" : "accuracy" }
    /// The accuracy, or the mean squared error.
    var measure: Double { accuracy ?? meanSquaredError ?? .nan }
}

import RondoCheckpoints
import RondoIO
import RondoModels
import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Finds runs and models on the disk.
enum RunLocator {
    /// Where runs go unless told otherwise.
    static let runsFolder = "runs"

    /// The store of runs unless told otherwise.
    static let defaultStore = "\(runsFolder)/rondo.sqlite"

    /// The run below a folder that was worked on last.
    /// - Throws: `RondoError` of code `notFound` if there is none.
    static func latestRun(in folder: String = runsFolder) throws -> String {
        let names = FileSystem.kind(of: folder) == .folder ? try FileSystem.list(folder) : []
        let runs = names.map { FileSystem.join(folder, $0) }.compactMap { run in
            lastChange(of: run).map { (path: run, time: $0) }
        }
        guard let latest = runs.max(by: { ($0.time, $0.path) < ($1.time, $1.path) }) else {
            throw RondoError(
                .notFound, "there is no run in '\(folder)'; train one with `rondo train`, or name its folder")
        }
        return latest.path
    }

    /// The folder with the weights that a path leads to: itself, or the best (else the latest) checkpoint of a run.
    /// - Throws: `RondoError` that says what is missing.
    static func modelFolder(_ path: String) throws -> String {
        guard FileSystem.kind(of: path) == .folder else {
            throw RondoError(.notFound, "there is no folder '\(path)'; name a run folder or a checkpoint with --model")
        }
        let weights = [ModelFolder.weights, "model.safetensors.index.json", AdapterFolder.configuration]
        if weights.contains(where: { FileSystem.kind(of: FileSystem.join(path, $0)) != nil }) { return path }
        let checkpoints = FileSystem.join(path, "checkpoints")
        for pointer in ["best", "latest"] {
            let file = FileSystem.join(path, pointer)
            guard FileSystem.kind(of: file) == .file else { continue }
            let name = try FileSystem.readText(file).split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            let checkpoint = FileSystem.join(checkpoints, name)
            if name.hasPrefix("step-"), FileSystem.kind(of: checkpoint) == .folder { return checkpoint }
        }
        let reason =
            FileSystem.kind(of: checkpoints) == .folder ? "has no checkpoint yet" : "is neither a run nor a model"
        throw RondoError(
            .notFound, "'\(path)' \(reason); name a run folder, or a folder with \(ModelFolder.weights), with --model")
    }

    /// The model that a path leads to; without a path, that of the run worked on last.
    ///
    /// - Parameters:
    ///   - path: A run, a checkpoint, or a folder of another program; of adapters, their model is loaded with them.
    ///   - adapter: The folder of adapters to put into the model.
    ///   - dtype: The type to compute in.
    /// - Returns: The model, with matrices as they are stored, and the folder with its other files.
    /// - Throws: `RondoError` that names what is missing or does not fit.
    static func loadModel(
        _ path: String?, adapter: String? = nil, dtype: DType = .float32
    ) throws -> (model: LanguageModel, folder: String) {
        let path = try path ?? latestRun()
        for _ in 0..<5 {
            let folder = try modelFolder(path)
            do {
                return try load(folder, adapter: adapter, dtype)
            } catch let error as RondoError where error.code == .notFound && folder != path {
                // A training process may have replaced the checkpoint between the look and the read.
                if try modelFolder(path) == folder { throw error }
            }
        }
        return try load(modelFolder(path), adapter: adapter, dtype)
    }

    private static func load(
        _ folder: String, adapter: String?, _ dtype: DType
    ) throws -> (model: LanguageModel, folder: String) {
        guard !ModelAdapters.isFolder(folder) else {
            guard adapter == nil else {
                throw RondoError(
                    .invalidArgument, "'\(folder)' holds adapters already; name the model itself with --model")
            }
            return try load(ModelAdapters.baseFolder(of: folder), adapter: folder, dtype)
        }
        let checkpoint = try Checkpoint(folder: folder)
        // Adapters and training compute with the numbers themselves.
        let model = try checkpoint.model(dtype: dtype, keepsStored: adapter == nil)
        guard let adapter else { return (model, folder) }
        let own = ModelAdapters.isFolder(adapter) ? adapter : try modelFolder(adapter)
        let adapters = try ModelAdapters(folder: own, for: model, family: checkpoint.family?.modelType)
        return (try adapters.applied(to: model), folder)
    }

    /// When a run saved last, or began; `nil` if the folder holds no run.
    private static func lastChange(of run: String) -> Double? {
        guard FileSystem.kind(of: FileSystem.join(run, "config.json")) == .file else { return nil }
        return ["latest", "config.json"].compactMap { name in
            var status = stat()
            guard stat(FileSystem.join(run, name), &status) == 0 else { return nil }
            return Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) * 1e-9
        }.max()
    }
}

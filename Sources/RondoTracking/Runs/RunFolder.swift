public import RondoIO
import RondoTensor

/// The folder of one run, locked while this object lives.
///
///     config.json  metrics.jsonl  events.out.tfevents.*  loss.svg  loss.png
///     checkpoints/step-N/   whole checkpoints, published in one step
///     latest  best          small text files with the name of a checkpoint
public final class RunFolder: Sendable {
    /// The path it was opened with.
    public let path: String
    private let lock: FolderLock

    /// The configuration, as JSON.
    public var configurationPath: String { FileSystem.join(path, "config.json") }
    /// The metrics, one JSON object per line.
    public var metricsPath: String { FileSystem.join(path, "metrics.jsonl") }
    /// The loss picture for browsers.
    public var lossSVGPath: String { FileSystem.join(path, "loss.svg") }
    /// The loss picture for everything else.
    public var lossPNGPath: String { FileSystem.join(path, "loss.png") }
    private var checkpointsPath: String { FileSystem.join(path, "checkpoints") }

    /// Opens and locks the folder of an existing run, and clears away what a killed process left half done.
    ///
    /// - Parameter path: The folder.
    /// - Throws: `RondoError` if it holds no run or is in use by another process.
    public init(opening path: String) throws {
        guard FileSystem.kind(of: FileSystem.join(path, "config.json")) == .file else {
            throw RondoError(.notFound, "'\(path)' holds no run (no config.json); check the path")
        }
        lock = try FolderLock(path)
        self.path = path
        try FileSystem.removeStaleTemporaries(in: path)
        if FileSystem.kind(of: checkpointsPath) == .folder {
            try FileSystem.removeStaleTemporaries(in: checkpointsPath)
        }
    }

    /// Creates and locks the folder of a new run.
    ///
    /// - Parameters:
    ///   - path: The folder; it must be missing or empty.
    ///   - configuration: The whole configuration, written to `config.json`.
    /// - Throws: `RondoError` with the remedy if the folder holds another run or other files.
    public init(creating path: String, configuration: JSONValue) throws {
        if FileSystem.kind(of: path) != nil { try Self.checkEmpty(path) }
        try FileSystem.makeFolder(path)
        lock = try FolderLock(path)
        self.path = path
        // Again, now that nobody else can be at it.
        try Self.checkEmpty(path)
        try FileSystem.makeFolder(checkpointsPath)
        try AtomicFile.write(configuration.text(.pretty) + "\n", to: configurationPath)
    }

    private static func checkEmpty(_ path: String) throws {
        guard FileSystem.kind(of: path) == .folder else {
            throw RondoError(.conflict, "'\(path)' is a file; choose another --out")
        }
        try FileSystem.removeStaleTemporaries(in: path)
        // A process killed before it wrote config.json leaves an empty checkpoints folder.
        let names = try FileSystem.list(path).filter { name in
            name != FolderLock.fileName && (try? FileSystem.list(FileSystem.join(path, name)))?.isEmpty != true
        }
        if names.isEmpty { return }
        if names.contains("config.json") {
            throw RondoError(
                .conflict, "'\(path)' holds another run; continue it with --resume or choose another --out")
        }
        throw RondoError(
            .conflict, "'\(path)' holds other files (\(names.prefix(3).joined(separator: ", "))); choose another --out")
    }

    /// The event files of the run, oldest first.
    ///
    /// - Returns: Their paths.
    /// - Throws: `RondoError` if the folder cannot be listed.
    public func eventFiles() throws -> [String] {
        try FileSystem.list(path).filter { $0.hasPrefix("events.out.tfevents.") }.map { FileSystem.join(path, $0) }
    }
}

// MARK: - Checkpoints

/// A checkpoint in a run folder.
public struct RunCheckpoint: Sendable, Hashable {
    /// The training step at which it was taken.
    public let step: Int
    /// The path of its folder.
    public let path: String
}

extension RunFolder {
    /// The whole checkpoints of the run.
    ///
    /// - Returns: The checkpoints by rising step.
    /// - Throws: `RondoError` if the folder cannot be listed.
    public func checkpoints() throws -> [RunCheckpoint] {
        guard FileSystem.kind(of: checkpointsPath) == .folder else { return [] }
        return try FileSystem.list(checkpointsPath).compactMap(checkpoint(named:)).sorted { $0.step < $1.step }
    }

    /// The checkpoint to resume from: the one that `latest` names, or else the newest.
    ///
    /// - Returns: The checkpoint, or `nil` if there is none.
    /// - Throws: `RondoError` if the folder cannot be listed.
    public func latestCheckpoint() throws -> RunCheckpoint? {
        try pointer("latest") ?? checkpoints().last
    }

    /// The checkpoint with the best validation result.
    ///
    /// - Returns: The checkpoint, or `nil` if none was marked.
    /// - Throws: `RondoError` if the file that names it cannot be read.
    public func bestCheckpoint() throws -> RunCheckpoint? { try pointer("best") }

    /// Saves a checkpoint, makes it the latest one, and removes those no longer wanted.
    ///
    /// - Parameters:
    ///   - step: The training step; an older checkpoint of the same step is replaced.
    ///   - isBest: Whether it has the best validation result so far.
    ///   - keepLast: How many of the newest to keep, at least one; the best is kept besides.
    ///   - body: Fills the folder whose path it is given.
    /// - Returns: The checkpoint.
    /// - Throws: `RondoError` that names the file; the checkpoints before it then stay as they were.
    @discardableResult
    public func saveCheckpoint(
        step: Int, isBest: Bool, keepLast: Int, _ body: (_ folder: String) throws -> Void
    ) throws -> RunCheckpoint {
        let name = "step-\(step)"
        try FileSystem.makeFolder(checkpointsPath)
        let target = FileSystem.join(checkpointsPath, name)
        try AtomicDirectory.publish(to: target, replacing: true, body)
        try AtomicFile.write(name + "\n", to: FileSystem.join(path, "latest"))
        if isBest { try AtomicFile.write(name + "\n", to: FileSystem.join(path, "best")) }
        try prune(keepLast: keepLast)
        return RunCheckpoint(step: step, path: target)
    }

    /// Removes old checkpoints, never the latest or the best.
    ///
    /// - Parameter keepLast: How many of the newest to keep, at least one.
    /// - Throws: `RondoError` that names what could not be removed.
    public func prune(keepLast: Int) throws {
        let all = try checkpoints()
        let kept = Set(all.suffix(max(1, keepLast)) + [try latestCheckpoint(), try bestCheckpoint()].compactMap { $0 })
        for checkpoint in all where !kept.contains(checkpoint) { try AtomicDirectory.remove(checkpoint.path) }
    }

    private func pointer(_ name: String) throws -> RunCheckpoint? {
        let file = FileSystem.join(path, name)
        guard FileSystem.kind(of: file) == .file else { return nil }
        return try FileSystem.readText(file).split(whereSeparator: \.isNewline).first.flatMap {
            checkpoint(named: String($0))
        }
    }

    private func checkpoint(named name: String) -> RunCheckpoint? {
        let path = FileSystem.join(checkpointsPath, name)
        guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), "step-\(step)" == name,
            FileSystem.kind(of: path) == .folder
        else { return nil }
        return RunCheckpoint(step: step, path: path)
    }
}

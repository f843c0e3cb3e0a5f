import RondoIO
import RondoMixers
import RondoModels
import RondoNN
import RondoTensor

/// The files of a checkpoint besides the model's, and how they hang together.
enum TrainingCheckpoint {
    static let progressFile = "training_state.json"
    static let taskProgressFile = "task_state.json"
    static let optimizerFile = "optimizer.safetensors"
    static let stateFile = "state.safetensors"
    private static let progressKey = "rondo_training_state"

    /// Reads where the run stood, compared with the check value that the carried states keep.
    static func readProgress(_ folder: String) throws -> TrainingProgress {
        try readProgress(folder, progressFile, checkedBy: stateFile)
    }

    /// Reads where a run stood, compared with the check value that the metadata of a file of tensors keep.
    static func readProgress<Progress: Decodable>(
        _ folder: String, _ progressFile: String, checkedBy tensorFile: String
    ) throws -> Progress {
        guard FileSystem.kind(of: folder) == .folder else {
            throw RondoError(.notFound, "checkpoint '\(folder)': there is no such folder")
        }
        let path = FileSystem.join(folder, progressFile)
        let bytes = try FileSystem.readBytes(path)
        let stored = try TensorFile(FileSystem.join(folder, tensorFile)).metadata[progressKey]
        guard stored == checkValue(bytes) else {
            throw RondoError(
                .corruptFile,
                "'\(path)' is damaged or belongs to another checkpoint; resume from an earlier checkpoint")
        }
        return try StrictJSON.decode(from: JSONValue(parsing: bytes, source: path), source: path)
    }

    /// Writes where the run stands and the carried states.
    static func write(_ progress: TrainingProgress, state: ParameterSet, to folder: String) throws {
        try write(progress, progressFile, checkedBy: state, stateFile, to: folder)
    }

    /// Writes where a run stands, and tensors with its check value.
    static func write(
        _ progress: some Encodable, _ progressFile: String, checkedBy tensors: ParameterSet, _ tensorFile: String,
        to folder: String
    ) throws {
        let bytes = Array(try StrictJSON.prettyText(of: progress).utf8)
        try AtomicFile.write(bytes, to: FileSystem.join(folder, progressFile))
        try TensorFile.write(
            tensors, to: FileSystem.join(folder, tensorFile), metadata: [progressKey: checkValue(bytes)])
    }

    private static func checkValue(_ bytes: [UInt8]) -> String {
        "crc32c:" + String(CRC32C.checksum(bytes), radix: 16)
    }
}

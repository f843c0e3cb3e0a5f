import Glibc
import RondoIO
import RondoTensor
import RondoTestSupport
import RondoTracking
import Testing

@Suite struct RunFolderTests {
    private func save(_ folder: RunFolder, _ step: Int, isBest: Bool = false, keepLast: Int = 2) throws {
        try folder.saveCheckpoint(step: step, isBest: isBest, keepLast: keepLast) { path in
            try AtomicFile.write("\(step)", to: FileSystem.join(path, "model.safetensors"))
        }
    }

    @Test func refusesFoldersInUseOrWithOtherThings() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.file("runs/a")
        var run: RunFolder? = try RunFolder(creating: path, configuration: ["seed": .integer(1)])
        #expect(try rondoError { _ = try RunFolder(opening: path) }.message.contains("in use by process"))
        run = nil
        #expect(run == nil)
        let other = try rondoError { _ = try RunFolder(creating: path, configuration: [:]) }
        #expect(other.code == .conflict && other.message.contains("--resume"))
        _ = try RunFolder(opening: path)
        try FileSystem.makeFolder(temporary.file("foreign"))
        try AtomicFile.write("x", to: temporary.file("foreign/thesis.txt"))
        let foreign = try rondoError { _ = try RunFolder(creating: temporary.file("foreign"), configuration: [:]) }
        #expect(foreign.message.contains("thesis.txt") && foreign.message.contains("--out"))
        #expect(try FileSystem.list(temporary.file("foreign")) == ["thesis.txt"])
        #expect(try rondoError { _ = try RunFolder(opening: temporary.file("foreign")) }.code == .notFound)
        #expect(try rondoError { _ = try RunFolder(creating: "/dev/null", configuration: [:]) }.code == .conflict)
    }

    @Test func creationKilledHalfwayCanBeRepeated() throws {
        let temporary = try TemporaryFolder()
        try FileSystem.makeFolder(temporary.file("a/checkpoints"))
        try AtomicFile.write("1", to: temporary.file("a/.lock"))
        try AtomicFile.write("{", to: temporary.file("a/.tmp-4194305-1-config.json"))
        let run = try RunFolder(creating: temporary.file("a"), configuration: ["x": .null])
        #expect(try JSONValue(contentsOf: run.configurationPath) == ["x": .null])
        #expect(try FileSystem.list(run.path) == [".lock", "checkpoints", "config.json"])
    }

    @Test func pruningKeepsLatestAndBest() throws {
        let temporary = try TemporaryFolder()
        let run = try RunFolder(creating: temporary.file("a"), configuration: [:])
        #expect(try run.latestCheckpoint() == nil && run.bestCheckpoint() == nil)
        try save(run, 10)
        try save(run, 20, isBest: true)
        for step in [30, 40, 100] { try save(run, step) }
        #expect(try run.checkpoints().map(\.step) == [20, 40, 100])
        #expect(try run.latestCheckpoint()?.step == 100)
        #expect(try run.bestCheckpoint()?.step == 20)
        try run.prune(keepLast: 0)
        #expect(try run.checkpoints().map(\.step) == [20, 100])
        // Going back and saving an older step again makes that one the latest; the newer one then counts as old.
        try save(run, 20, keepLast: 1)
        #expect(try run.latestCheckpoint()?.step == 20)
        #expect(try FileSystem.list(temporary.file("a/checkpoints")) == ["step-100", "step-20"])
    }

    @Test func failedSaveChangesNothing() throws {
        struct Stop: Error {}
        let temporary = try TemporaryFolder()
        let run = try RunFolder(creating: temporary.file("a"), configuration: [:])
        try save(run, 1)
        #expect(throws: Stop.self) {
            try run.saveCheckpoint(step: 2, isBest: true, keepLast: 1) { path in
                try AtomicFile.write("x", to: FileSystem.join(path, "model.safetensors"))
                throw Stop()
            }
        }
        #expect(try run.checkpoints().map(\.step) == [1])
        #expect(try run.latestCheckpoint()?.step == 1 && run.bestCheckpoint() == nil)
    }

    @Test func leftoversOfKilledProcessesAreNoCheckpoints() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.file("a")
        do { try save(RunFolder(creating: path, configuration: [:]), 5) }
        try FileSystem.makeFolder(FileSystem.join(path, "checkpoints/.tmp-4194305-1-step-6"))
        try AtomicFile.write("step-7\n", to: FileSystem.join(path, "latest"))
        let run = try RunFolder(opening: path)
        #expect(try FileSystem.list(FileSystem.join(path, "checkpoints")) == ["step-5"])
        #expect(try run.latestCheckpoint()?.step == 5)
    }

    @Test func metricsGoToBothLogsAndBackOnResume() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.file("a")
        let first = try RunFolder(creating: path, configuration: [:])
        let values = [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]
        let logger = try MetricsLogger(folder: first, wallTime: 100)
        for step in 1...6 {
            try logger.log(
                step: step, [("train/loss", values[step - 1]), ("train/lr", 0.5)], wallTime: 100 + Double(step))
        }
        try logger.log(step: 7, [("train/loss", .nan)], wallTime: 107)
        #expect(try MetricsLogger.curves(first.metricsPath)["train/loss"]?.count == 6)
        let resumed = try MetricsLogger(folder: first, resumingAfter: 4, wallTime: 200)
        try resumed.log(step: 5, [("train/loss", 9)], wallTime: 205)
        try resumed.synchronize()
        let curves = try MetricsLogger.curves(first.metricsPath)
        #expect(curves["train/loss"]?.map(\.value) == [1, 0.5, 0.25, 0.125, 9])
        #expect(curves["train/lr"]?.map(\.step) == [1, 2, 3, 4])
        let files = try first.eventFiles()
        #expect(files.count == 1)
        let losses = try EventFile.read(files[0]).filter { $0.tag == "train/loss" }
        #expect(losses.map(\.value) == [1, 0.5, 0.25, 0.125, 9])
    }
}

import Glibc
import RondoIO
import RondoTensor
import RondoTestSupport
import Testing

@testable import RondoCLI

@Suite struct FaultTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try Tiny.write(to: folder.path)
    }

    @discardableResult
    private func run(_ arguments: [String], status: Int32 = 0) throws -> RondoProcess.Outcome {
        let outcome = try RondoProcess.run(arguments, in: folder.path)
        #expect(outcome.status == status, "\(arguments): \(outcome.messages)")
        return outcome
    }

    // MARK: - Text

    @Test func textsThatCannotBeTrainedOnAreRefusedBeforeAnyWork() throws {
        try AtomicFile.write("", to: folder.file("empty.txt"))
        try AtomicFile.write("short", to: folder.file("short.txt"))
        try FileSystem.makeFolder(folder.file("no-text"))
        try AtomicFile.write([0, 1, 2, 0], to: folder.file("no-text/binary"))
        for text in ["missing.txt", "empty.txt", "short.txt", "no-text", "/proc/self/mem"] {
            let arguments = ["train", "--text", text, "--out", "out", "--steps", "1"] + Tiny.model
            let outcome = try RondoProcess.run(arguments, in: folder.path)
            #expect(outcome.status == 1 || outcome.status == 2, "\(text): \(outcome)")
            #expect(outcome.messages.hasPrefix("Error: ") || outcome.messages.contains("\nError: "), "\(text)")
            #expect(outcome.output.isEmpty)
            #expect(FileSystem.kind(of: folder.file("out")) == nil, "\(text) left a folder behind")
        }
    }

    @Test func impossibleSizesAreRefusedBeforeAnyWork() throws {
        for size in [
            ["--d-model", "-1"], ["--layers", "0"], ["--batch", "0"], ["--window", "-5"],
            ["--mixer-options", "{\"heads\": 5}"],
            ["--layers", "100000000"], ["--d-model", "1000000"], ["--batch", "1000000000"], ["--window", "4000"],
            ["--dropout", "1"], ["--lr", "nan"], ["--validation-fraction", "1"], ["--minutes", "0"],
        ] {
            let outcome = try RondoProcess.run(
                ["train", "--text", "text.txt", "--out", "out"] + Tiny.model + size, in: folder.path)
            #expect(outcome.status == 2 || outcome.status == 1, "\(size): \(outcome)")
            #expect(outcome.messages.contains("Error: "))
            #expect(FileSystem.kind(of: folder.file("out")) == nil)
        }
    }

    // MARK: - Folders

    @Test func aFolderWithAnotherRunIsRefused() throws {
        try run(Tiny.train("out", steps: 2))
        let before = try checkpointFiles(folder.file("out"), step: 2)
        let again = try run(Tiny.train("out", steps: 3), status: 1)
        #expect(again.messages.contains("--resume"))
        #expect(try checkpointFiles(folder.file("out"), step: 2) == before)
        try FileSystem.makeFolder(folder.file("mine"))
        try AtomicFile.write("x", to: folder.file("mine/letter"))
        #expect(try run(Tiny.train("mine", steps: 2), status: 1).messages.contains("letter"))
    }

    @Test func aSecondProcessOnTheSameRunIsRefused() throws {
        let first = try RondoProcess(Tiny.train("out", steps: 1_000_000), in: folder.path)
        while first.isRunning, !(try first.messagesSoFar().contains("step 1/")) { usleep(1000) }
        let second = try run(["train", "--resume", "out"], status: 1)
        #expect(second.messages.contains("in use by process"))
        first.send(SIGTERM)
        #expect(try first.finish().status == 143)
        // The lock goes with the process.
        let listed = try run(["runs", "list", "--json"]).json().arrayValue?.first
        #expect(listed?["status"]?.stringValue == "stopped")
    }

    // MARK: - Checkpoints

    @Test func damagedAndForeignCheckpointsAreRefused() throws {
        try run(Tiny.train("out", steps: 2))
        let weights = folder.file("out/checkpoints/step-2/model.safetensors")
        let good = try FileSystem.readBytes(weights)
        var damaged: [[UInt8]] = [[], Array("PK\u{3}\u{4} not safetensors".utf8)]
        damaged += stride(from: 1, to: good.count, by: good.count / 9).map { Array(good[..<$0]) }
        damaged += stride(from: 3, to: good.count, by: good.count / 9).map { offset in
            var bytes = good
            bytes[offset] ^= 0x10
            return bytes
        }
        for bytes in damaged {
            try AtomicFile.write(bytes, to: weights)
            for command in [
                ["generate", "--model", "out", "--prompt", "a"], ["evaluate", "--model", "out", "--text", "text.txt"],
                ["train", "--resume", "out", "--steps", "3"],
            ] {
                let outcome = try RondoProcess.run(command, in: folder.path)
                #expect(outcome.status == 1, "\(command) with \(bytes.count) bytes: \(outcome)")
                #expect(outcome.output.isEmpty && outcome.messages.contains("model.safetensors"), "\(outcome.messages)")
            }
        }
        try AtomicFile.write(good, to: weights)
        try run(["train", "--resume", "out", "--steps", "3"])
    }

    @Test func everyFileOfACheckpointIsChecked() throws {
        try run(Tiny.train("out", steps: 2))
        let checkpoint = folder.file("out/checkpoints/step-2")
        for name in try FileSystem.list(checkpoint) {
            let path = FileSystem.join(checkpoint, name)
            let good = try FileSystem.readBytes(path)
            for bytes in [Array(good.dropLast(good.count / 2)), []] {
                try AtomicFile.write(bytes, to: path)
                let outcome = try run(["train", "--resume", "out", "--steps", "3"], status: 1)
                #expect(outcome.messages.contains(name), "\(name): \(outcome.messages)")
            }
            try AtomicFile.write(good, to: path)
        }
        try run(["train", "--resume", "out", "--steps", "3"])
    }

    @Test func aChangedTextIsNoticed() throws {
        try run(Tiny.train("out", steps: 2))
        try AtomicFile.write(Tiny.text + [65], to: folder.file("text.txt"))
        let outcome = try run(["train", "--resume", "out", "--steps", "3"], status: 1)
        #expect(outcome.messages.contains("changed"))
    }

    // MARK: - Disk

    @Test func aFileThatCannotGrowIsAnErrorAndKeepsTheLastCheckpoint() throws {
        try run(Tiny.train("out", steps: 3, "--save-every", "1"))
        let before = try checkpointFiles(folder.file("out"), step: 3)
        let outcome = try RondoProcess.run(
            ["train", "--resume", "out", "--steps", "6"], in: folder.path, fileLimit: 4)
        #expect(outcome.status == 1, "\(outcome)")
        #expect(outcome.messages.contains("Error: "))
        #expect(try checkpointFiles(folder.file("out"), step: 3) == before)
        try run(["train", "--resume", "out", "--steps", "6"])
        try run(Tiny.train("whole", steps: 3))
        #expect(try checkpointFiles(folder.file("whole"), step: 3) == before)
    }

    @Test(.enabled(if: SmallDisk.isPossible, "needs the right to mount a small disk"))
    func aFullDiskIsAnErrorAndKeepsTheLastCheckpoint() throws {
        let disk = try SmallDisk(folder.file("disk"), kibibytes: 512)
        defer { disk.unmount() }
        let store = ["--store", folder.file("store.sqlite")]
        let outcome = try RondoProcess.run(
            Tiny.train("disk/out", steps: 400, "--save-every", "1", "--keep", "100", "--evaluate-every", "0") + store,
            in: folder.path)
        #expect(outcome.status == 1 && outcome.messages.contains("No space left"), "\(outcome)")
        #expect(outcome.messages.contains("rondo train --resume disk/out"))
        let model = try run(["generate", "--model", "disk/out", "--prompt", "a", "--greedy", "--max-tokens", "3"])
        #expect(model.output.count == 3)
        // After making room, the run goes on.
        try disk.grow(kibibytes: 65_536)
        try run(["train", "--resume", "disk/out"] + store)
        try run(Tiny.train("whole", steps: 400, "--evaluate-every", "0"))
        #expect(
            try checkpointFiles(folder.file("disk/out"), step: 400) == checkpointFiles(folder.file("whole"), step: 400))
    }

    // MARK: - Kills

    @Test func aRunKilledManyTimesEqualsTheUndisturbedOne() throws {
        let steps = 60
        try run(Tiny.train("whole", steps: steps, "--save-every", "1", "--evaluate-every", "5"))
        var arguments = Tiny.train("killed", steps: steps, "--save-every", "1", "--evaluate-every", "5")
        var delays = Generator(seed: 7)
        var kills = 0
        let latest = { try? FileSystem.readText(folder.file("killed/latest")) }
        var before = latest()
        while true {
            let process = try RondoProcess(arguments, in: folder.path)
            // Each life must get at least one step further, or slow machines would never come to the end.
            while process.isRunning, latest() == before { usleep(500) }
            before = latest()
            usleep(UInt32.random(in: 0...20_000, using: &delays))
            process.send(SIGKILL)
            let outcome = try process.finish()
            if outcome.status == 0 { break }
            #expect(outcome.status == 128 + SIGKILL, "\(outcome.messages)")
            kills += 1
            try #require(kills < 500, "the run never ends")
            // Killed before the folder existed, it begins again.
            if FileSystem.kind(of: folder.file("killed/config.json")) == .file {
                arguments = ["train", "--resume", "killed"]
            }
        }
        #expect(kills > 0)
        #expect(
            try checkpointFiles(folder.file("killed"), step: steps)
                == checkpointFiles(folder.file("whole"), step: steps))
        let losses = { (run: String) throws -> [Double] in
            try JSONLines.read(folder.file("\(run)/metrics.jsonl")).compactMap { $0["train/loss"]?.doubleValue }
        }
        #expect(try losses("killed") == losses("whole"))
        let left = try FileSystem.list(folder.file("killed/checkpoints")).filter { !$0.hasPrefix("step-") }
        #expect(left.isEmpty, "left behind: \(left)")
    }
}

/// A file system of a few kilobytes in memory; only root may make one.
struct SmallDisk {
    let path: String

    static var isPossible: Bool {
        guard getuid() == 0, let folder = try? TemporaryFolder() else { return false }
        guard let disk = try? SmallDisk(folder.file("disk"), kibibytes: 64) else { return false }
        disk.unmount()
        return true
    }

    init(_ path: String, kibibytes: Int) throws {
        self.path = path
        try FileSystem.makeFolder(path)
        try Self.check(mount("rondo-test", path, "tmpfs", 0, "size=\(kibibytes)k"), "mount", path)
    }

    func grow(kibibytes: Int) throws {
        try Self.check(mount("rondo-test", path, "tmpfs", UInt(MS_REMOUNT), "size=\(kibibytes)k"), "grow", path)
    }

    func unmount() { umount2(path, Int32(MNT_DETACH)) }

    private static func check(_ result: Int32, _ action: String, _ path: String) throws {
        if result != 0 { throw RondoError.system(action, path, errno: errno) }
    }
}

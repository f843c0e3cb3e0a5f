import Glibc
import RondoIO
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct AtomicFileTests {
    @Test func replacesContentAndKeepsPermissions() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.txt")
        try AtomicFile.write("old", to: path)
        chmod(path, 0o600)
        try AtomicFile.write("new", to: path)
        #expect(try FileSystem.readText(path) == "new")
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(try FileSystem.list(folder.path) == ["a.txt"])
    }

    @Test func followsSymbolicLinks() throws {
        let folder = try TemporaryFolder()
        try AtomicFile.write("old", to: folder.file("real"))
        #expect(symlink("real", folder.file("link")) == 0)
        try AtomicFile.write("new", to: folder.file("link"))
        #expect(try FileSystem.readText(folder.file("real")) == "new")
        #expect(try FileSystem.list(folder.path) == ["link", "real"])
    }

    @Test(arguments: [0, 1, 1 << 18, 1 << 18 + 1, 1_000_003]) func keepsEveryByte(count: Int) throws {
        let folder = try TemporaryFolder()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try AtomicFile.write(to: folder.file("b")) { writer in
            for start in stride(from: 0, to: count, by: 70_001) {
                try writer.write(Array(bytes[start..<min(start + 70_001, count)]))
            }
            #expect(writer.position == count)
            if count > 0 { try writer.overwrite(at: count - 1, [99]) }
        }
        #expect(try FileSystem.readBytes(folder.file("b")) == (count == 0 ? [] : bytes.dropLast() + [99]))
    }

    @Test func errorInTheMiddleLeavesTheOldFile() throws {
        struct Stop: Error {}
        let folder = try TemporaryFolder()
        let path = folder.file("a")
        try AtomicFile.write("old", to: path)
        #expect(throws: Stop.self) {
            try AtomicFile.write(to: path) { writer in
                try writer.write([UInt8](repeating: 1, count: 1 << 20))
                throw Stop()
            }
        }
        #expect(try FileSystem.readText(path) == "old")
        #expect(try FileSystem.list(folder.path) == ["a"])
    }

    @Test func refusesImpossiblePlaces() throws {
        let folder = try TemporaryFolder()
        let missing = try rondoError { try AtomicFile.write("x", to: folder.file("none/a")) }
        #expect(missing.code == .notFound && missing.message.contains(folder.file("none/a")))
        let onFolder = try rondoError { try AtomicFile.write("x", to: folder.path) }
        #expect(onFolder.code == .conflict)
        let device = try rondoError { try AtomicFile.write("x", to: "/dev/null") }
        #expect(device.code == .invalidArgument)
        #expect(try FileSystem.list(folder.path).isEmpty)
    }

    @Test func folderRemovedWhileWriting() throws {
        let folder = try TemporaryFolder()
        let error = try rondoError {
            try AtomicFile.write(to: folder.file("a")) { writer in
                try writer.write("x")
                try FileSystem.remove(folder.path)
            }
        }
        #expect(error.code == .notFound && error.message.contains("/a'"))
    }

    @Test(.enabled(if: geteuid() != 0, "the superuser may write everywhere"))
    func missingPermission() throws {
        let folder = try TemporaryFolder()
        chmod(folder.path, 0o500)
        let error = try rondoError { try AtomicFile.write("x", to: folder.file("a")) }
        #expect(error.message.contains("permissions"))
        chmod(folder.path, 0o700)
    }

    @Test func fullDiskWhileAppending() throws {
        let full = try AppendOnlyFile("/dev/full")
        let error = try rondoError { try full.append([1]) }
        #expect(
            error.code == .inputOutput && error.message.contains("/dev/full") && error.message.contains("free some"))
    }

    /// Whether a small disk can be mounted here: found out by doing it.
    private static var canMountDisks: Bool {
        guard let folder = try? TemporaryFolder(), mount("tmpfs", folder.path, "tmpfs", 0, "size=65536") == 0 else {
            return false
        }
        return umount(folder.path) == 0
    }

    @Test(.enabled(if: canMountDisks, "needs the right to mount a small disk"))
    func fullDiskLeavesTheOldFile() throws {
        let folder = try TemporaryFolder()
        try #require(mount("tmpfs", folder.path, "tmpfs", 0, "size=65536") == 0)
        defer { umount(folder.path) }
        let path = folder.file("a")
        try AtomicFile.write("old", to: path)
        let error = try rondoError { try AtomicFile.write([UInt8](repeating: 7, count: 1 << 20), to: path) }
        #expect(error.message.contains(path) && error.message.contains("free some space"))
        #expect(try FileSystem.readText(path) == "old")
        #expect(try FileSystem.list(folder.path) == ["a"])
        let checkpoint = try rondoError {
            try AtomicDirectory.publish(to: folder.file("step-1")) { folder in
                try AtomicFile.write("small", to: FileSystem.join(folder, "config.json"))
                try AtomicFile.write([UInt8](repeating: 7, count: 1 << 20), to: FileSystem.join(folder, "model"))
            }
        }
        #expect(checkpoint.message.contains("free some space"))
        #expect(try FileSystem.list(folder.path) == ["a"])
    }
}

@Suite struct AtomicDirectoryTests {
    @Test func publishesWholeFoldersOnly() throws {
        struct Stop: Error {}
        let folder = try TemporaryFolder()
        let target = folder.file("step-1")
        #expect(throws: Stop.self) {
            try AtomicDirectory.publish(to: target) { inner in
                try AtomicFile.write("x", to: FileSystem.join(inner, "a"))
                throw Stop()
            }
        }
        #expect(try FileSystem.list(folder.path).isEmpty)
        try AtomicDirectory.publish(to: target) { inner in
            try FileSystem.makeFolder(FileSystem.join(inner, "deep/er"))
            try AtomicFile.write("x", to: FileSystem.join(inner, "deep/er/a"))
            #expect(FileSystem.kind(of: target) == nil)
        }
        #expect(try FileSystem.readText(folder.file("step-1/deep/er/a")) == "x")
        #expect(try FileSystem.list(folder.path) == ["step-1"])
    }

    @Test func replacesOnlyOnRequest() throws {
        let folder = try TemporaryFolder()
        let target = folder.file("step-1")
        try AtomicDirectory.publish(to: target) { try AtomicFile.write("1", to: FileSystem.join($0, "a")) }
        let error = try rondoError { try AtomicDirectory.publish(to: target) { _ in } }
        #expect(error.code == .conflict)
        try AtomicDirectory.publish(to: target, replacing: true) {
            try AtomicFile.write("2", to: FileSystem.join($0, "b"))
        }
        #expect(try FileSystem.list(target) == ["b"])
        #expect(try FileSystem.list(folder.path) == ["step-1"])
        try AtomicDirectory.remove(target)
        #expect(try FileSystem.list(folder.path).isEmpty)
        try AtomicDirectory.remove(target)
    }

    @Test func cleansUpAfterDeadProcessesOnly() throws {
        let folder = try TemporaryFolder()
        // Process numbers end below this one on Linux; the parent is alive; our own number belongs to a predecessor.
        let dead = ".tmp-4194305-1-step-9"
        let own = ".tmp-\(getpid())-999999-step-9"
        let alive = ".tmp-\(getppid())-1-step-9"
        try FileSystem.makeFolder(folder.file("\(dead)/inner"))
        for name in [own, alive, ".tmp-file", "a"] { try AtomicFile.write("x", to: folder.file(name)) }
        try AtomicDirectory.publish(to: folder.file("step-1")) { _ in
            let removed = try FileSystem.removeStaleTemporaries(in: folder.path)
            #expect(removed == [dead, own].sorted())
        }
        #expect(try FileSystem.list(folder.path) == [alive, ".tmp-file", "a", "step-1"].sorted())
    }
}

@Suite struct FolderLockTests {
    @Test func secondHolderIsRefusedAndToldWho() throws {
        let folder = try TemporaryFolder()
        var first: FolderLock? = try FolderLock(folder.path)
        let error = try rondoError { _ = try FolderLock(folder.path) }
        #expect(error.code == .conflict && error.message.contains("process \(getpid())"))
        withExtendedLifetime(first) {}
        first = nil
        _ = try FolderLock(folder.path)
    }
}

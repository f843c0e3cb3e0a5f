import Foundation
import RondoData
import RondoTensor
import Testing

@Suite struct CorpusTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func text(_ corpus: Corpus) -> String { String(decoding: corpus.bytes, as: UTF8.self) }

    @Test func aNamedFileIsTakenAsItIs() throws {
        let bytes = [UInt8](0...255) + [0xFF, 0xFE, 0x00]
        let corpus = try Corpus.load(try folder.write("raw.bin", bytes))
        #expect(corpus.bytes == bytes)
        #expect(corpus.report.fileCount == 1)
        #expect(corpus.report.byteCount == bytes.count)
    }

    /// Sizes around the reader's blocks, where an off-by-one would show.
    @Test(arguments: [1, 8191, 8192, 8193, 1 << 20, (1 << 20) + 1, (3 << 20) + 17])
    func readsFilesOfAnySize(size: Int) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 | 1) }
        let path = try folder.write("folder/text", bytes)
        #expect(try Corpus.load(path).bytes == bytes)
        #expect(try Corpus.load(folder.path).bytes == bytes)
    }

    @Test func aFolderIsReadInTheOrderOfItsPaths() throws {
        for name in ["b.txt", "a/z.txt", "a/c/d.txt", "a.txt"] { try folder.write(name, name) }
        #expect(text(try Corpus.load(folder.path)) == "a.txt\na/c/d.txt\na/z.txt\nb.txt")
        #expect(text(try Corpus.load(folder.path + "/", separator: "<>")) == "a.txt<>a/c/d.txt<>a/z.txt<>b.txt")
    }

    @Test func aFolderLeavesOutWhatIsNotText() throws {
        try folder.write("text", "kept")
        try folder.write("late-nul", [UInt8](repeating: 65, count: 8192) + [0])
        try folder.write("binary", [65, 0, 66])
        try folder.write("empty", "")
        try folder.write(".hidden", "no")
        for name in [".git", ".build", "build", "node_modules", "__pycache__"] { try folder.write("\(name)/x", "no") }
        let corpus = try Corpus.load(folder.path)
        #expect(corpus.bytes == [UInt8](repeating: 65, count: 8192) + [0] + Array("\nkept".utf8))
        #expect(corpus.report.fileCount == 2)
        let skipped: [Corpus.SkippedFile] = corpus.report.skipped
        #expect(skipped.map(\.path) == ["binary", "empty"].map { "\(folder.path)/\($0)" })
        #expect(skipped.map(\.reason) == [.binary, .empty])
        #expect(corpus.report.summary == "2 files, 8198 bytes, skipped 1 binary, 1 empty")
    }

    @Test func linksAreFollowedOnceAndLoopsEnd() throws {
        try folder.write("a/text", "one")
        try folder.link("a/loop", to: "..")
        try folder.link("again", to: "a")
        try folder.link("copy", to: "a/text")
        try folder.link("nowhere", to: "missing")
        let corpus = try Corpus.load(folder.path)
        #expect(text(corpus) == "one")
        #expect(corpus.report.skipped.map(\.reason).sorted { $0.rawValue < $1.rawValue } == [.duplicate, .special])
    }

    @Test func severalSourcesBecomeOneText() throws {
        let first = try folder.write("z.txt", "z")
        try folder.write("sub/a.txt", "a")
        #expect(text(try Corpus.load([first, folder.path + "/sub"])) == "z\na")
    }

    @Test func aPipeIsReadToItsEnd() throws {
        let path = folder.path + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        let writer = Thread {
            guard let handle = FileHandle(forWritingAtPath: path) else { return }
            handle.write(Data(bytes))
            try? handle.close()
        }
        writer.start()
        #expect(try Corpus.load(path).bytes == bytes)
    }

    /// Standard input belongs to the process: it is put back afterwards, and left open by the reader.
    @Test func standardInputIsReadToItsEnd() throws {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
        let file = open(try folder.write("input", bytes), O_RDONLY)
        let original = dup(STDIN_FILENO)
        defer {
            dup2(original, STDIN_FILENO)
            close(original)
            close(file)
        }
        dup2(file, STDIN_FILENO)
        let corpus = try Corpus.load("-")
        #expect(corpus.bytes == bytes)
        #expect(corpus.report.sources == ["-"])
        let error = #expect(throws: RondoError.self) { try Corpus.load("-") }
        #expect(error?.message == "standard input: the text is empty")
    }

    @Test func refusesWhatCannotBeATextAndSaysWhy() throws {
        let empty = try folder.write("empty", "")
        let onlyBinary = try folder.write("folder/binary", [0])
        let cases: [(String, RondoError.Code, String)] = [
            (folder.path + "/missing", .notFound, "No such file"),
            (empty + "/below", .notFound, "Not a directory"),
            (empty, .invalidArgument, "the text is empty"),
            (folder.path + "/folder", .invalidArgument, "no text files in this folder (skipped: 1 binary)"),
        ]
        #expect(try Corpus.load(onlyBinary).bytes == [0])
        for (path, code, words) in cases {
            let error = #expect(throws: RondoError.self) { try Corpus.load(path) }
            #expect(error?.code == code, "\(path)")
            #expect(error?.message.contains(path) == true)
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
    }

    @Test(.enabled(if: geteuid() != 0, "the superuser may read everything"))
    func refusesAnUnreadableFileInsteadOfLeavingItOut() throws {
        try folder.write("a", "text")
        let secret = try folder.write("b", "secret")
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: secret)
        for path in [secret, folder.path] {
            let error = #expect(throws: RondoError.self) { try Corpus.load(path) }
            #expect(error?.code == .inputOutput)
            #expect(error?.message.contains("'\(secret)': Permission denied") == true)
        }
    }

    // MARK: - Fingerprint

    // Published values of XXH64 with seed 0.
    @Test(arguments: [
        ("", "xxh64:ef46db3751d8e999"), ("a", "xxh64:d24ec4f1a98c6e5b"), ("abc", "xxh64:44bc2cf5ad770999"),
        ("Nobody inspects the spammish repetition", "xxh64:fbcea83c8a378bf1"),
    ])
    func fingerprintIsXXH64(text: String, expected: String) {
        #expect(Corpus(bytes: Array(text.utf8)).fingerprint == expected)
    }

    @Test func aChangedTextIsNoticed() throws {
        let bytes = (0..<100).map(UInt8.init)
        let corpus = Corpus(bytes: bytes)
        try corpus.requireFingerprint(Corpus(bytes: bytes).fingerprint)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            let error = #expect(throws: RondoError.self) {
                try Corpus(bytes: changed).requireFingerprint(corpus.fingerprint)
            }
            #expect(error?.code == .conflict)
        }
    }

    // MARK: - Split

    @Test func theLastTenthIsForValidation() throws {
        let split = try Corpus(bytes: [UInt8](repeating: 1, count: 1_115_394)).split()
        #expect(split.training == 0..<1_003_854)
        #expect(split.validation == 1_003_854..<1_115_394)
        let all = try Corpus(bytes: [1, 2, 3]).split(validationFraction: 0)
        #expect(all.training == 0..<3 && all.validation.isEmpty)
        let half = try Corpus(bytes: [1, 2, 3]).split(validationFraction: 0.5)
        #expect(half.training == 0..<1 && half.validation == 1..<3)
    }

    @Test(arguments: [(-0.1, 100), (1, 100), (.nan, 100), (.infinity, 100), (0.5, 1), (0.1, 0), (0, 0)])
    func refusesImpossibleSplits(fraction: Double, count: Int) {
        let corpus = Corpus(bytes: [UInt8](repeating: 1, count: count))
        let error = #expect(throws: RondoError.self) { try corpus.split(validationFraction: fraction) }
        #expect(error?.code == .invalidArgument)
    }

    // MARK: - Default text

    @Test func theProjectsOwnTextIsFoundFromAnywhereInsideACheckout() throws {
        try folder.write("rondo/Package.swift", "let package = Package(\n    name: \"rondo\",\n")
        try folder.write("rondo/README.md", "readme")
        try folder.write("rondo/docs/guide.md", "guide")
        try folder.write("rondo/Sources/RondoData/A.swift", "source")
        try folder.write("rondo/.build/release/rondo", [0])
        let root = folder.path + "/rondo"
        let expected = ["README.md", "docs", "Sources"].map { root + "/" + $0 }
        #expect(try DefaultCorpus.locate(from: [root]) == expected)
        #expect(try DefaultCorpus.locate(from: [root + "/Sources/RondoData/"]) == expected)
        #expect(try DefaultCorpus.locate(from: [folder.path, root + "/.build/release"]) == expected)
        #expect(text(try Corpus.load(expected)) == "readme\nguide\nsource")
        let error = #expect(throws: RondoError.self) { try DefaultCorpus.locate(from: [folder.path]) }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("--text") == true)
    }
}

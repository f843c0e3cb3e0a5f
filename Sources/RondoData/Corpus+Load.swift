import RondoIO
import RondoTensor

extension Corpus {
    /// The path that stands for standard input.
    public static let standardInput = "-"

    /// Reads a text from a file, a folder or standard input.
    ///
    /// A file that is named is taken as it is, whatever it holds. See ``load(_:separator:)-([String],_)`` for folders.
    ///
    /// - Throws: `RondoError` if the text is missing, unreadable or empty.
    public static func load(_ path: String, separator: String = "\n") throws -> Corpus {
        try load([path], separator: separator)
    }

    /// Reads several files and folders into one text, in the order given.
    ///
    /// A folder contributes its text files, those in its folders included, in the order of their paths. Left out are
    /// binary files (a NUL byte in the first 8 KiB), empty files, what is hidden, build folders and files met already
    /// through another name; links are followed once. A file that may not be read is an error, not an omission.
    ///
    /// - Parameters:
    ///   - paths: Files, folders or `-` for standard input.
    ///   - separator: What stands between two files.
    /// - Returns: The text, with a report of what was left out.
    /// - Throws: `RondoError` with code `notFound`, `inputOutput` or, for an empty text, `invalidArgument`.
    public static func load(_ paths: [String], separator: String = "\n") throws -> Corpus {
        var collector = Collector(sources: paths, separator: Array(separator.utf8))
        for path in paths { try collector.add(path) }
        return try collector.corpus()
    }
}

/// Gathers files into one text.
private struct Collector {
    let separator: [UInt8]
    var bytes: [UInt8] = []
    var report: Corpus.Report
    /// The files and folders of folders met so far, links resolved: none is read twice.
    var visited: Set<String> = []

    init(sources: [String], separator: [UInt8]) {
        report = Corpus.Report(sources: sources)
        self.separator = separator
    }

    mutating func add(_ path: String) throws {
        if path == Corpus.standardInput {
            append(try FileSystem.readStandardInput())
        } else if FileSystem.kind(of: path) == .folder {
            try addFolder(path)
        } else {
            append(try FileSystem.readBytes(path))
        }
    }

    /// Adds what a folder holds; the paths are sorted as a whole, so that the order does not depend on the file system.
    private mutating func addFolder(_ root: String) throws {
        var files: [String] = []
        try list(root, into: &files)
        for path in files.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            try addFileOfFolder(path)
        }
    }

    private mutating func list(_ folder: String, into files: inout [String]) throws {
        guard visited.insert(FileSystem.canonical(folder)).inserted else { return }
        for name in try FileSystem.list(folder) where !name.hasPrefix(".") {
            let path = FileSystem.join(folder, name)
            switch FileSystem.kind(of: path) {
            case .folder: if !buildFolders.contains(name) { try list(path, into: &files) }
            case .file: files.append(path)
            case .other, nil: skip(path, .special)
            }
        }
    }

    private mutating func addFileOfFolder(_ path: String) throws {
        guard visited.insert(FileSystem.canonical(path)).inserted else { return skip(path, .duplicate) }
        // Mapped, so that a large binary file costs no more than a look at its beginning.
        try MappedFile(path).withUnsafeBytes { content in
            if content.isEmpty {
                skip(path, .empty)
            } else if content.prefix(binaryProbe).contains(0) {
                skip(path, .binary)
            } else {
                append(content)
            }
        }
    }

    private mutating func skip(_ path: String, _ reason: Corpus.SkippedFile.Reason) {
        report.skipped.append(Corpus.SkippedFile(path: path, reason: reason))
    }

    private mutating func append(_ document: some Collection<UInt8>) {
        if report.fileCount > 0 { bytes.append(contentsOf: separator) }
        bytes.append(contentsOf: document)
        report.fileCount += 1
    }

    /// Finishes the text, or says why there is none.
    func corpus() throws -> Corpus {
        let sources = report.sources.map { $0 == Corpus.standardInput ? "standard input" : $0 }
            .joined(separator: ", ")
        guard report.fileCount > 0 else {
            let skipped = report.skipped.isEmpty ? "" : " (skipped: \(report.skippedSummary))"
            throw RondoError(.invalidArgument, "\(sources): no text files in this folder\(skipped)")
        }
        guard !bytes.isEmpty else { throw RondoError(.invalidArgument, "\(sources): the text is empty") }
        var report = report
        report.byteCount = bytes.count
        return Corpus(bytes: bytes, report: report)
    }
}

/// How many bytes of a file decide whether it is text.
private let binaryProbe = 8192

/// Folders of build products and foreign code; hidden ones such as `.build` and `.git` are left out anyway.
private let buildFolders: Set<String> = ["build", "node_modules", "DerivedData", "__pycache__"]

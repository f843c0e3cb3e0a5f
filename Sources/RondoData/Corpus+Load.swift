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
    /// The files and folders met so far: no folder is entered and no file is read twice.
    var visited: Set<FileIdentity> = []

    init(sources: [String], separator: [UInt8]) {
        report = Corpus.Report(sources: sources)
        self.separator = separator
    }

    mutating func add(_ path: String) throws {
        guard path != Corpus.standardInput else {
            return append(try InputFile.standardInput.readAll())
        }
        let status = try FileStatus(path: path)
        switch status.kind {
        case .folder:
            try addFolder(path)
        case .file, .stream:
            append(try InputFile(path: path).readAll(expecting: status.size))
        case .other:
            throw RondoError(.invalidArgument, "\(path): not a file, a folder or a pipe")
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
        guard visited.insert(try FileStatus(path: folder).identity).inserted else { return }
        for name in try folderContents(folder) where !name.hasPrefix(".") {
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            switch try? FileStatus(path: path).kind {
            case .folder: if !buildFolders.contains(name) { try list(path, into: &files) }
            case .file: files.append(path)
            case .stream, .other, nil: report.skipped.append(.init(path: path, reason: .special))
            }
        }
    }

    private mutating func addFileOfFolder(_ path: String) throws {
        let status = try FileStatus(path: path)
        guard visited.insert(status.identity).inserted else {
            report.skipped.append(.init(path: path, reason: .duplicate))
            return
        }
        let file = try InputFile(path: path)
        let head = try file.read(atMost: binaryProbe)
        if head.isEmpty {
            report.skipped.append(.init(path: path, reason: .empty))
        } else if head.contains(0) {
            report.skipped.append(.init(path: path, reason: .binary))
        } else {
            append(head + (try file.readAll(expecting: status.size - head.count)))
        }
    }

    private mutating func append(_ document: [UInt8]) {
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

import RondoTensor

/// A text held as raw bytes, with where it came from and a fingerprint of its content.
///
/// Nothing is decoded: bytes that are not UTF-8 are data like any other. The text is read into memory once, so that a
/// file which changes or shrinks during a long run cannot disturb it.
public struct Corpus: Sendable {
    /// The whole text.
    public let bytes: [UInt8]
    /// What was read and what was left out.
    public let report: Report
    /// Identifies the content, so that a resumed run notices a changed text; for example `xxh64:44bc2cf5ad770999`.
    public let fingerprint: String

    /// Creates a corpus from bytes in memory.
    public init(bytes: [UInt8], report: Report = Report(sources: [])) {
        self.bytes = bytes
        self.report = report
        fingerprint = Fingerprint(bytes).description
    }

    /// Checks that the content is the one that a run began with.
    ///
    /// - Throws: `RondoError` with code `conflict` if the fingerprints differ.
    public func requireFingerprint(_ expected: String) throws {
        guard fingerprint == expected else {
            throw RondoError(
                .conflict,
                "the text has changed since the run began: it is \(fingerprint) now (\(bytes.count) bytes) and was "
                    + "\(expected); give back the old text, or begin a new run")
        }
    }
}

extension Corpus {
    /// What was read and what was left out.
    public struct Report: Sendable, Codable, Equatable {
        /// The files and folders that were asked for; `-` is standard input.
        public var sources: [String]
        /// The number of files that the text consists of.
        public var fileCount = 0
        /// The number of bytes of the text, separators included.
        public var byteCount = 0
        /// The files left out, in the order in which they were met.
        public var skipped: [SkippedFile] = []

        /// Creates an empty report.
        public init(sources: [String]) { self.sources = sources }

        /// One line for people, for example "3 files, 10240 bytes, skipped 1 binary, 2 empty".
        public var summary: String {
            let files = fileCount == 1 ? "1 file" : "\(fileCount) files"
            return "\(files), \(byteCount) bytes" + (skipped.isEmpty ? "" : ", skipped \(skippedSummary)")
        }

        /// How many files were left out for which reason, for example "1 binary, 2 empty".
        var skippedSummary: String {
            SkippedFile.Reason.allCases.compactMap { reason in
                let count = skipped.count { $0.reason == reason }
                return count > 0 ? "\(count) \(reason.rawValue)" : nil
            }.joined(separator: ", ")
        }
    }

    /// A file in a folder that did not become part of the text.
    public struct SkippedFile: Sendable, Codable, Equatable {
        /// Why a file was left out.
        public enum Reason: String, Sendable, Codable, CaseIterable {
            /// There is a NUL byte in the first 8 KiB.
            case binary
            /// The file has no bytes.
            case empty
            /// The same file was read already, through another name.
            case duplicate
            /// A device, a socket or another thing that is not a file, or a link that leads nowhere.
            case special
        }

        /// The path, as reached from what was asked for.
        public var path: String
        /// Why it was left out.
        public var reason: Reason
    }
}

// MARK: - Split

extension Corpus {
    /// The two contiguous parts of a text, as ranges of byte positions.
    public struct Split: Sendable, Codable, Equatable {
        /// The beginning of the text, to learn from.
        public var training: Range<Int>
        /// The end of the text, to measure on; empty if nothing was asked for.
        public var validation: Range<Int>
    }

    /// Splits the text by position: the beginning for training, the end for validation.
    ///
    /// - Parameter validationFraction: The part of the bytes at the end that is kept for validation, in `0..<1`.
    /// - Returns: Both parts; together they are the whole text.
    /// - Throws: `RondoError` with code `invalidArgument` if the fraction is out of range, or if either part that was
    ///   asked for would be empty.
    public func split(validationFraction: Double = 0.1) throws -> Split {
        guard (0..<1).contains(validationFraction) else {
            throw RondoError(
                .invalidArgument, "validation fraction \(validationFraction): must be at least 0 and less than 1")
        }
        let boundary = Int(Double(bytes.count) * (1 - validationFraction))
        let split = Split(training: 0..<boundary, validation: boundary..<bytes.count)
        guard !split.training.isEmpty, validationFraction == 0 || !split.validation.isEmpty else {
            throw RondoError(
                .invalidArgument,
                "the text of \(bytes.count) bytes is too short to keep a part of \(validationFraction) for validation; "
                    + "give a longer text or another fraction")
        }
        return split
    }
}

import RondoTensor

/// A log of JSON documents, one per line.
///
/// A killed process can leave at most one incomplete last line; opening for writing removes it, reading ignores it.
public final class JSONLines: Sendable {
    private let file: AppendOnlyFile

    /// Opens a log for appending, creating it if it is missing and removing a torn last line.
    ///
    /// - Parameter path: The file.
    /// - Throws: `RondoError` that names the path.
    public init(appendingTo path: String) throws {
        file = try AppendOnlyFile(path)
        let bytes = try FileSystem.readBytes(path)
        let complete = (bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
        if complete < bytes.count { try file.truncate(to: complete) }
    }

    /// Appends one document as one line in one write.
    ///
    /// - Parameter record: The document.
    /// - Throws: `RondoError` that names the path, for example on a full disk.
    public func append(_ record: JSONValue) throws {
        try file.append(Array((record.text() + "\n").utf8))
    }

    /// Waits until everything appended is on the disk, as a checkpoint that refers to it must.
    ///
    /// - Throws: `RondoError` that names the path.
    public func synchronize() throws { try file.synchronize() }

    /// Reads all complete records.
    ///
    /// - Parameter path: The file.
    /// - Returns: The records in order, without a torn last line.
    /// - Throws: `RondoError` that names the path, and the line if one is damaged.
    public static func read(_ path: String) throws -> [JSONValue] {
        try records(in: FileSystem.readBytes(path), path).map(\.value)
    }

    /// Shortens a log to its first records.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - count: Records to keep; a shorter log stays as it is, without a torn last line.
    /// - Throws: `RondoError` that names the path.
    public static func truncate(_ path: String, toRecords count: Int) throws {
        var kept = 0
        try truncate(path) { _ in
            kept += 1
            return kept <= count
        }
    }

    /// Shortens a log to the records before the first one that does not belong, as a run does that goes back to an
    /// earlier checkpoint.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - belongs: Whether a record stays.
    /// - Throws: `RondoError` that names the path, or what `belongs` throws.
    public static func truncate(_ path: String, keepingWhile belongs: (JSONValue) throws -> Bool) throws {
        let bytes = try FileSystem.readBytes(path)
        var end = 0
        for record in try records(in: bytes, path) {
            guard try belongs(record.value) else { break }
            end = record.end
        }
        if end < bytes.count { try AppendOnlyFile(path).truncate(to: end) }
    }

    private static func records(in bytes: [UInt8], _ path: String) throws -> [(value: JSONValue, end: Int)] {
        var result: [(value: JSONValue, end: Int)] = []
        var start = 0
        var line = 1
        while let newline = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let value = try JSONValue(parsing: bytes[start..<newline], source: "\(path), line \(line)")
            result.append((value, newline + 1))
            start = newline + 1
            line += 1
        }
        return result
    }
}

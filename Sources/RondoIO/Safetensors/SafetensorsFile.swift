import RondoTensor

/// A safetensors file, opened for reading: the whole description is checked first, the data is read only when used.
public struct SafetensorsFile: Sendable {
    /// The description of one tensor.
    public struct Entry: Sendable, Hashable {
        /// The name.
        public let name: String
        /// The element type.
        public let dtype: SafetensorsDType
        /// The dimensions; empty for a scalar.
        public let shape: [Int]
        /// Where its bytes lie, counted from the start of the data section.
        public let dataRange: Range<Int>
    }

    /// The path it was opened with.
    public let path: String
    /// The tensors in the order of their data.
    public let entries: [Entry]
    /// The text kept with the tensors, without the checksum.
    public let metadata: [String: String]
    /// The stored check value, if the file has one.
    public let checksum: String?

    private let file: MappedFile
    private let dataStart: Int
    private let positions: [String: Int]

    /// Opens a file and checks its description: sizes, types, names, and that the data is covered without gaps.
    ///
    /// - Parameter path: The file.
    /// - Throws: `RondoError` that names the file, the tensor, and what was found and expected.
    public init(_ path: String) throws {
        let file = try MappedFile(path)
        let header = try file.withUnsafeBytes { try SafetensorsHeader(bytes: $0, path: path) }
        self.path = path
        self.file = file
        entries = header.entries
        metadata = header.metadata
        checksum = header.checksum
        dataStart = header.dataStart
        positions = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
    }

    /// The description of a tensor.
    ///
    /// - Parameter name: The tensor's name.
    /// - Returns: The description.
    /// - Throws: `RondoError` with the closest name if there is no such tensor.
    public func entry(_ name: String) throws -> Entry {
        if let position = positions[name] { return entries[position] }
        let advice = Suggestion.advice(for: name, known: entries.map(\.name), noun: "tensors")
        throw RondoError(.notFound, "'\(path)' has no tensor '\(name)'\(advice)")
    }

    /// The description of a tensor that must have a certain type and shape.
    ///
    /// - Parameters:
    ///   - name: The tensor's name.
    ///   - dtype: The type it must have, or `nil` for any.
    ///   - shape: The shape it must have.
    /// - Returns: The description.
    /// - Throws: `RondoError` with the found and the expected type or shape.
    public func entry(_ name: String, dtype: SafetensorsDType?, shape: [Int]) throws -> Entry {
        let entry = try entry(name)
        guard entry.shape == shape else {
            throw RondoError(
                .shapeMismatch,
                "'\(path)': tensor '\(name)' has shape \(entry.shape), expected \(shape); the file belongs to another "
                    + "configuration")
        }
        guard dtype == nil || dtype == entry.dtype else {
            throw RondoError(
                .dtypeMismatch,
                "'\(path)': tensor '\(name)' has type \(entry.dtype.rawValue), expected \(dtype?.rawValue ?? "any")")
        }
        return entry
    }

    /// Lends the bytes of a tensor (little-endian, row-major) for the duration of a closure.
    ///
    /// - Parameters:
    ///   - name: The tensor's name.
    ///   - body: Reads the bytes, which need not be aligned; the pointer must not outlive the call.
    /// - Returns: What `body` returns.
    /// - Throws: `RondoError` if there is no such tensor, or what `body` throws.
    public func withUnsafeBytes<Result>(
        of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let range = try entry(name).dataRange
        return try file.withUnsafeBytes { bytes in
            try body(
                UnsafeRawBufferPointer(rebasing: bytes[(dataStart + range.lowerBound)..<(dataStart + range.upperBound)])
            )
        }
    }

    /// The bytes of a tensor (little-endian, row-major) where they lie in the mapped file.
    ///
    /// Nothing is read until it is used.
    /// - Parameter name: The tensor's name.
    /// - Returns: The bytes, which need not be aligned, and the mapping, which must outlive their use.
    /// - Throws: `RondoError` if there is no such tensor.
    public func mappedBytes(of name: String) throws -> (bytes: UnsafeRawBufferPointer, owner: MappedFile) {
        (try withUnsafeBytes(of: name) { $0 }, file)
    }

    /// Reads the whole file and compares it with its check value.
    ///
    /// - Parameter requireChecksum: Whether a file without a check value is an error, as it is for files that only
    ///   Rondo writes; otherwise there is nothing to compare and the call succeeds.
    /// - Throws: `RondoError` if the content has changed since it was written.
    public func verify(requireChecksum: Bool = false) throws {
        guard let checksum else {
            guard requireChecksum else { return }
            throw RondoError(
                .corruptFile, "'\(path)' has no checksum: it is damaged or was not written by Rondo; use another copy")
        }
        let found = file.withUnsafeBytes { bytes in
            let header = UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart])
            guard let range = SafetensorsFormat.checksumRange(in: header, value: checksum) else { return "none" }
            var check = CRC32C()
            var blanked = Array(header)
            blanked.replaceSubrange(range, with: SafetensorsFormat.blankChecksum.utf8)
            blanked.withUnsafeBytes { check.update($0) }
            check.update(UnsafeRawBufferPointer(rebasing: bytes[dataStart...]))
            return SafetensorsFormat.checksumText(check)
        }
        guard found == checksum else {
            throw RondoError(
                .corruptFile,
                "'\(path)' is damaged: its content has the check value \(found), expected \(checksum); use another "
                    + "copy or an earlier checkpoint")
        }
    }
}

/// The parsed and checked head of a file.
private struct SafetensorsHeader {
    typealias Entry = SafetensorsFile.Entry

    let path: String
    var entries: [Entry] = []
    var metadata: [String: String] = [:]
    var checksum: String?
    var dataStart = 0

    init(bytes: UnsafeRawBufferPointer, path: String) throws {
        self.path = path
        let tree = try parse(bytes)
        for (name, value) in tree.members {
            if name == SafetensorsFormat.metadataKey { try readMetadata(value) } else { try readEntry(name, value) }
        }
        entries.sort {
            ($0.dataRange.lowerBound, $0.dataRange.upperBound, $0.name) < (
                $1.dataRange.lowerBound, $1.dataRange.upperBound, $1.name
            )
        }
        try checkCoverage(dataSize: bytes.count - dataStart)
    }

    private mutating func parse(_ bytes: UnsafeRawBufferPointer) throws -> JSONObject {
        guard bytes.count >= 8 else {
            throw damage("it has \(bytes.count) bytes, a safetensors file has at least 8")
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(SafetensorsFormat.maximumHeaderSize) else {
            throw damage(
                "it claims a header of \(length) bytes, at most \(SafetensorsFormat.maximumHeaderSize) are allowed")
        }
        guard length <= UInt64(bytes.count - 8) else {
            throw damage("it claims a header of \(length) bytes, but only \(bytes.count - 8) follow")
        }
        dataStart = 8 + Int(length)
        guard length > 0, bytes[8] == UInt8(ascii: "{") else { throw damage("its header does not start with '{'") }
        let tree = try JSONValue(parsing: bytes[8..<dataStart], source: "'\(path)', safetensors header")
        guard let object = tree.objectValue else { throw damage("its header is no JSON object") }
        return object
    }

    private mutating func readMetadata(_ value: JSONValue) throws {
        guard let object = value.objectValue else {
            throw damage("'\(SafetensorsFormat.metadataKey)' must be an object, found \(value.inWords)")
        }
        for (key, value) in object.members {
            guard let text = value.stringValue else {
                throw damage("metadata '\(key)' must be a string, found \(value.inWords)")
            }
            if key == SafetensorsFormat.checksumKey { checksum = text } else { metadata[key] = text }
        }
    }

    private mutating func readEntry(_ name: String, _ value: JSONValue) throws {
        let known = ["dtype", "shape", "data_offsets"]
        guard let object = value.objectValue, object.keys.sorted() == known.sorted() else {
            throw damage("tensor '\(name)' must have exactly the keys \(known.joined(separator: ", "))")
        }
        guard let dtypeName = object["dtype"]?.stringValue, let dtype = SafetensorsDType(rawValue: dtypeName) else {
            let types = SafetensorsDType.allCases.map(\.rawValue).joined(separator: " ")
            throw damage(
                "tensor '\(name)' has the element type \(object["dtype"]?.inWords ?? "none"), known are \(types)")
        }
        guard let shape = Self.sizes(object["shape"]), let byteCount = dtype.byteCount(shape: shape) else {
            throw damage("tensor '\(name)' has an impossible shape \(object["shape"]?.text() ?? "")")
        }
        guard let offsets = Self.sizes(object["data_offsets"]), offsets.count == 2, offsets[0] <= offsets[1] else {
            throw damage("tensor '\(name)' has impossible data offsets \(object["data_offsets"]?.text() ?? "")")
        }
        guard offsets[1] - offsets[0] == byteCount else {
            throw damage(
                "tensor '\(name)' (\(dtypeName), shape \(shape)) has \(offsets[1] - offsets[0]) bytes, "
                    + "expected \(byteCount)"
            )
        }
        entries.append(Entry(name: name, dtype: dtype, shape: shape, dataRange: offsets[0]..<offsets[1]))
    }

    /// Non-negative integers, written as such.
    private static func sizes(_ value: JSONValue?) -> [Int]? {
        guard let elements = value?.arrayValue else { return nil }
        let numbers = elements.compactMap { element -> Int? in
            guard case .number(let literal) = element else { return nil }
            return Int(literal)
        }
        return numbers.count == elements.count && numbers.allSatisfy { $0 >= 0 } ? numbers : nil
    }

    private func checkCoverage(dataSize: Int) throws {
        var end = 0
        for entry in entries {
            guard entry.dataRange.lowerBound == end else {
                let problem = entry.dataRange.lowerBound < end ? "overlaps the one before it" : "leaves a gap before it"
                throw damage(
                    "tensor '\(entry.name)' \(problem): it starts at \(entry.dataRange.lowerBound), expected \(end)")
            }
            end = entry.dataRange.upperBound
        }
        guard end == dataSize else {
            throw damage("its tensors take \(end) bytes, but it has \(dataSize) bytes of data")
        }
    }

    private func damage(_ problem: String) -> RondoError {
        RondoError(.corruptFile, "'\(path)' is damaged or no safetensors file: \(problem); use another copy")
    }
}

import RondoTensor

extension SafetensorsFile {
    /// Writes a safetensors file atomically, streaming the tensors one by one.
    ///
    /// The order in the file depends only on the descriptions: larger element types first, then by name, as in the
    /// reference implementation, so that equal content gives equal files and every tensor is aligned.
    /// - Parameters:
    ///   - path: The file to create or replace.
    ///   - tensors: The tensors, in any order, with unique names.
    ///   - metadata: Text to keep with them.
    ///   - checksum: Whether to add a check value, under `rondo_checksum`, that lets `verify` find any damage.
    /// - Throws: `RondoError` that names the file and the tensor; an old file then stays as it was.
    public static func write(
        to path: String, tensors: [SafetensorsTensor], metadata: [String: String] = [:], checksum: Bool = true
    ) throws {
        let ordered = tensors.sorted { ($1.dtype.itemSize, $0.name) < ($0.dtype.itemSize, $1.name) }
        let header = try makeHeader(ordered, path: path, metadata: metadata, checksum: checksum)
        try AtomicFile.write(to: path) { writer in
            var check = CRC32C()
            try writer.write(Swift.withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) })
            try writer.write(header)
            header.withUnsafeBytes { check.update($0) }
            for tensor in ordered {
                try stream(tensor, path: path) { bytes in
                    if checksum { check.update(bytes) }
                    try writer.write(bytes)
                }
            }
            // The check value covers the header too, with zeros in its own place.
            guard checksum else { return }
            let range = header.withUnsafeBytes {
                SafetensorsFormat.checksumRange(in: $0, value: SafetensorsFormat.blankChecksum)
            }
            guard let range else { return }
            try writer.overwrite(at: 8 + range.lowerBound, Array(SafetensorsFormat.checksumText(check).utf8))
        }
    }

    private static func stream(_ tensor: SafetensorsTensor, path: String, into sink: SafetensorsTensor.Sink) throws {
        let expected = tensor.dtype.byteCount(shape: tensor.shape) ?? 0
        var written = 0
        func mismatch() -> RondoError {
            RondoError(
                .shapeMismatch,
                "write '\(path)': tensor '\(tensor.name)' (\(tensor.dtype.rawValue), shape \(tensor.shape)) needs "
                    + "\(expected) bytes but provides \(written > expected ? "more" : "\(written)")")
        }
        try tensor.writeBytes { bytes in
            written += bytes.count
            guard written <= expected else { throw mismatch() }
            try sink(bytes)
        }
        guard written == expected else { throw mismatch() }
    }

    private static func makeHeader(
        _ tensors: [SafetensorsTensor], path: String, metadata: [String: String], checksum: Bool
    ) throws -> [UInt8] {
        var members = JSONObject()
        var texts = JSONObject()
        // First, so that nothing in front of it can look like it.
        if checksum { texts[SafetensorsFormat.checksumKey] = .string(SafetensorsFormat.blankChecksum) }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where key != SafetensorsFormat.checksumKey {
            texts[key] = .string(value)
        }
        if texts.count > 0 { members[SafetensorsFormat.metadataKey] = .object(texts) }
        var offset = 0
        for tensor in tensors {
            guard let size = tensor.dtype.byteCount(shape: tensor.shape), offset + size < Int.max / 2 else {
                throw refusal(tensor, path, "its shape \(tensor.shape) is impossible")
            }
            guard members[tensor.name] == nil, tensor.name != SafetensorsFormat.metadataKey else {
                throw refusal(tensor, path, "the name is taken; names must be unique")
            }
            members[tensor.name] = [
                "dtype": .string(tensor.dtype.rawValue),
                "shape": .array(tensor.shape.map { .integer($0) }),
                "data_offsets": .array([.integer(offset), .integer(offset + size)]),
            ]
            offset += size
        }
        var header = Array(JSONValue.object(members).text().utf8)
        header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
        guard header.count <= SafetensorsFormat.maximumHeaderSize else {
            throw RondoError(
                .invalidArgument,
                "write '\(path)': the header would take \(header.count) bytes; the format allows "
                    + "\(SafetensorsFormat.maximumHeaderSize); use fewer tensors or shorter names")
        }
        return header
    }

    private static func refusal(_ tensor: SafetensorsTensor, _ path: String, _ reason: String) -> RondoError {
        RondoError(.invalidArgument, "write '\(path)': tensor '\(tensor.name)': \(reason)")
    }
}

import RondoIO
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct SafetensorsTests {
    private static let shapes = [[], [0], [1], [3, 0, 5], [3], [33], [2, 3, 4], [1, 1, 1, 1, 7]]

    private func sample() -> [SafetensorsTensor] {
        SafetensorsDType.allCases.flatMap { dtype in
            Self.shapes.map { shape in
                let count = dtype.byteCount(shape: shape) ?? 0
                let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ shape.count) }
                return SafetensorsTensor(name: "\(dtype.rawValue).\(shape)", dtype: dtype, shape: shape, bytes: bytes)
            }
        }
    }

    private func bytes(of tensor: SafetensorsTensor) throws -> [UInt8] {
        var result: [UInt8] = []
        try tensor.writeBytes { result += $0 }
        return result
    }

    @Test func roundTripOfAllTypesAndShapes() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("m.safetensors")
        let tensors = sample()
        let metadata = ["format": "pt", "note": "größer \"quoted\" \\ \n end"]
        try SafetensorsFile.write(to: path, tensors: tensors, metadata: metadata)
        let file = try SafetensorsFile(path)
        #expect(file.metadata == metadata)
        #expect(file.entries.count == tensors.count)
        for tensor in tensors {
            let entry = try file.entry(tensor.name, dtype: tensor.dtype, shape: tensor.shape)
            #expect(entry.dataRange.lowerBound % tensor.dtype.itemSize == 0)
            #expect(try file.withUnsafeBytes(of: tensor.name) { Array($0) } == bytes(of: tensor))
        }
        try file.verify(requireChecksum: true)
        // The order in which tensors are given must not matter.
        let again = folder.file("again.safetensors")
        try SafetensorsFile.write(to: again, tensors: tensors.reversed(), metadata: metadata)
        #expect(try FileSystem.readBytes(path) == FileSystem.readBytes(again))
        #expect(try headerLength(path) % 8 == 0)
    }

    private func headerLength(_ path: String) throws -> Int {
        let bytes = try FileSystem.readBytes(path)
        return bytes.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
    }

    @Test func emptyFileRoundTrip() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("e.safetensors")
        try SafetensorsFile.write(to: path, tensors: [], checksum: false)
        let file = try SafetensorsFile(path)
        #expect(file.entries.isEmpty && file.metadata.isEmpty && file.checksum == nil)
        try file.verify()
        #expect(try rondoError { try file.verify(requireChecksum: true) }.code == .corruptFile)
    }

    @Test func everyTruncationIsAnError() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("t.safetensors")
        try smallFile(path)
        let bytes = try FileSystem.readBytes(path)
        for length in 0..<bytes.count {
            try AtomicFile.write(Array(bytes.prefix(length)), to: path)
            let error = try rondoError { _ = try SafetensorsFile(path) }
            #expect(error.code == .corruptFile && error.message.contains(path), "length \(length)")
        }
        try AtomicFile.write(bytes + [0], to: path)
        #expect(try rondoError { _ = try SafetensorsFile(path) }.code == .corruptFile)
    }

    @Test func everyBitFlipIsAnError() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("f.safetensors")
        try smallFile(path)
        var bytes = try FileSystem.readBytes(path)
        for bit in 0..<(bytes.count * 8) {
            bytes[bit / 8] ^= 1 << (bit % 8)
            try AppendOnlyFile(path).truncate(to: 0)
            try AppendOnlyFile(path).append(bytes)
            let error = try rondoError { try SafetensorsFile(path).verify(requireChecksum: true) }
            #expect(error.code == .corruptFile, "bit \(bit % 8) of byte \(bit / 8)")
            bytes[bit / 8] ^= 1 << (bit % 8)
        }
    }

    private func smallFile(_ path: String) throws {
        try SafetensorsFile.write(
            to: path,
            tensors: [
                SafetensorsTensor(name: "w", dtype: .float32, shape: [2, 3], bytes: Array(0..<24)),
                SafetensorsTensor(name: "b", dtype: .bfloat16, shape: [3], bytes: Array(0..<6)),
                SafetensorsTensor(name: "none", dtype: .int8, shape: [0], bytes: []),
            ],
            metadata: ["k": "v"])
    }

    @Test(arguments: [
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "4 bytes, expected 8"),
        (#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#, 4, "element type"),
        (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "impossible shape"),
        (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4, "impossible shape"),
        (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0, "impossible shape"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "impossible data offsets"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 8, "take 4 bytes, but it has 8"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "leaves a gap"),
        (
            #"{"a":{"dtype":"I16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[4],"data_offsets":[2,6]}}"#,
            6, "overlaps"
        ),
        (
            #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
            2, "repeated"
        ),
        (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, "exactly the keys"),
        (#"{"__metadata__":{"a":1}}"#, 0, "must be a string"),
        (#"[1]"#, 0, "does not start with"),
        (#"{"a":"#, 0, "not valid JSON"),
    ]) func impossibleDescriptions(header: String, dataSize: Int, expected: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("bad.safetensors")
        try writeRaw(path, header: header, dataSize: dataSize)
        let error = try rondoError { _ = try SafetensorsFile(path) }
        #expect(error.message.contains(expected) && error.message.contains(path), "\(error)")
    }

    private func writeRaw(_ path: String, header: String, dataSize: Int) throws {
        try AtomicFile.write(to: path) { writer in
            try writer.write(Swift.withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) })
            try writer.write(header)
            try writer.write([UInt8](repeating: 1, count: dataSize))
        }
    }

    @Test func readsForeignFiles() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("foreign.safetensors")
        let header =
            #"{"b": {"shape": [2], "dtype": "U8", "data_offsets": [4, 6]}, "a": {"dtype":"F32","shape":[],"data_offsets":[0,4]}}   "#
        try writeRaw(path, header: header, dataSize: 6)
        let file = try SafetensorsFile(path)
        #expect(file.entries.map(\.name) == ["a", "b"])
        try file.verify()
        let error = try rondoError { _ = try file.entry("c") }
        #expect(error.code == .notFound && error.message.contains("Known tensors: a, b"))
        let shape = try rondoError { _ = try file.entry("b", dtype: nil, shape: [3]) }
        #expect(shape.message.contains("[2], expected [3]"))
    }

    @Test func refusesToWriteNonsense() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("x.safetensors")
        let good = SafetensorsTensor(name: "a", dtype: .uint8, shape: [2], bytes: [1, 2])
        let cases = [
            [good, good],
            [SafetensorsTensor(name: "a", dtype: .uint8, shape: [3], bytes: [1, 2])],
            [SafetensorsTensor(name: "a", dtype: .uint8, shape: [1], bytes: [1, 2])],
            [SafetensorsTensor(name: "a", dtype: .uint8, shape: [-1], bytes: [])],
            [SafetensorsTensor(name: "__metadata__", dtype: .uint8, shape: [0], bytes: [])],
        ]
        for tensors in cases {
            let error = try rondoError { try SafetensorsFile.write(to: path, tensors: tensors) }
            #expect(error.message.contains(path))
        }
        #expect(try FileSystem.list(folder.path).isEmpty)
    }

    @Test func knownCheckValues() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([]) == 0)
        let bytes = (0..<100).map { UInt8($0) }
        for cut in [0, 1, 3, 33, 99] {
            var check = CRC32C()
            Array(bytes[..<cut]).withUnsafeBytes { check.update($0) }
            Array(bytes[cut...]).withUnsafeBytes { check.update($0) }
            #expect(check.value == CRC32C.checksum(bytes))
            // Tables, where the processor has no instruction for it.
            var other = CRC32C()
            Array(bytes[..<cut]).withUnsafeBytes { other.updateByTables($0) }
            Array(bytes[cut...]).withUnsafeBytes { other.updateByTables($0) }
            #expect(other.value == check.value)
        }
    }
}

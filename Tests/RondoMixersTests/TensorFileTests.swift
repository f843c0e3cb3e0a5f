import RondoIO
import RondoMixers
import RondoNN
import RondoTensor
import RondoTestSupport
import Testing

/// Tensors in files: types, views of the mapped file, what damage does.
@Suite struct TensorFileTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("weights.safetensors")
    }

    /// A tensor of every type, with rows that do not fill their blocks.
    private func everything() throws -> ParameterSet {
        var generator = Generator(seed: 3)
        let x = try generator.normal([3, 5, 130])
        return ParameterSet(
            paths: DType.allCases.map { "tensor.\($0.rawValue)" },
            tensors: try DType.allCases.map { try x.cast(to: $0) })
    }

    @Test func everyTypeComesBackBitForBit() throws {
        let saved = try everything()
        try TensorFile.write(saved, to: path)
        let file = try TensorFile(path)
        #expect(Set(file.names) == Set(saved.paths))
        for (found, original) in zip(try file.read(saved.expectations).tensors, saved.tensors) {
            #expect(try sameBits(found, original), "\(original.dtype)")
            #expect(found.storage.isBorrowed, "\(original.dtype) was copied")
        }
    }

    @Test func otherReadersSeeBytesAndWhatTheyAre() throws {
        let saved = try everything()
        try TensorFile.write(saved, to: path)
        let file = try SafetensorsFile(path)
        for dtype in DType.allCases where dtype.isQuantized {
            let name = "tensor.\(dtype.rawValue)"
            let entry = try file.entry(name)
            #expect(entry.dtype == .uint8 && entry.shape == [3, 5, 2 * dtype.byteCount])
            let text = try #require(file.metadata["rondo_quantized"])
            let description = try JSONValue(parsing: text, source: "test")[name]
            #expect(description?["dtype"]?.stringValue == dtype.rawValue)
            #expect(description?["shape"]?.arrayValue?.compactMap(\.intValue) == [3, 5, 130])
            #expect(description?["block_length"]?.intValue == 128)
        }
    }

    @Test func moreAxesThanATensorHasAreRefused() throws {
        let shape = [Int](repeating: 1, count: Shape.capacity + 1)
        let stored = SafetensorsTensor(name: "w", dtype: .uint8, shape: shape, bytes: [1])
        try SafetensorsFile.write(to: path, tensors: [stored])
        let file = try TensorFile(path, isForeign: true)
        #expect(throws: RondoError.self) { try file.tensor("w") }
    }

    @Test func descriptionsThatDoNotFitAreRefused() throws {
        let bytes = SafetensorsTensor(
            name: "w", dtype: .uint8, shape: [2, 72], bytes: [UInt8](repeating: 0, count: 144))
        func open(_ description: String) throws {
            try SafetensorsFile.write(to: path, tensors: [bytes], metadata: ["rondo_quantized": description])
            _ = try TensorFile(path)
        }
        func description(_ shape: String, _ dtype: String = "quantized4", length: Int = 128, bytes: Int = 72) -> String
        {
            """
            {"w": {"dtype": "\(dtype)", "shape": \(shape), "block_length": \(length), "block_bytes": \(bytes)}}
            """
        }
        try open(description("[2, 100]"))
        #expect(try TensorFile(path).tensor("w").shape == [2, 100])
        let wrong = [
            description("[3, 100]"), description("[2, 129]"), description("[]"), description("[2, -1]"),
            description("[2, 100]", length: 64), description("[2, 100]", bytes: 80), description("[2, 100]", "float32"),
            description("[2, 100]", "quantized8", bytes: 136), description("[2, 100]", "quantized5"), "[]",
            "{\"w\": 1}",
            description("[2, 100]").replacing("\"w\"", with: "\"v\""), description("[2, 9223372036854775807]"),
        ]
        for text in wrong {
            let error = try rondoError { try open(text) }
            #expect(error.message.contains(path), "\(text): \(error)")
        }
    }

    @Test func viewsOutliveTheFileAndLeaveItAlone() throws {
        let saved = try everything()
        try TensorFile.write(saved, to: path)
        let before = try FileSystem.readBytes(path)
        var tensor = try TensorFile(path).tensor("tensor.float32")
        #expect(tensor.storage.isBorrowed)
        try tensor.accumulate(Tensor.ones(tensor.shape))
        #expect(!tensor.storage.isBorrowed)
        #expect(try FileSystem.readBytes(path) == before)
        let packed = try TensorFile(path).tensor("tensor.quantized4")
        try FileSystem.remove(path)
        #expect(try sameBits(packed, saved["tensor.quantized4"] ?? packed.cast(to: .float32)))
    }

    @Test func bytesThatAreNotAlignedAreCopied() throws {
        // The data begins 8 bytes + header after the start; one byte in front of a bfloat16 tensor shifts it.
        let header =
            #"{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"#
            + #""b":{"dtype":"BF16","shape":[2],"data_offsets":[1,5]}}"#
        let padded = header + String(repeating: " ", count: 7 - (header.utf8.count + 7) % 8)
        let size = withUnsafeBytes(of: UInt64(padded.utf8.count).littleEndian) { Array($0) }
        try AtomicFile.write(size + Array(padded.utf8) + [9, 0x80, 0x3f, 0x00, 0x40], to: path)
        let file = try TensorFile(path, isForeign: true)
        let b = try file.tensor("b")
        #expect(!b.storage.isBorrowed)
        #expect(try b.cast(to: .float32).array(of: Float.self) == [1, 2])
        #expect(try file.tensor("a").array(of: Int8.self) == [9])
    }

    @Test func matricesStayAsTheyAreStored() throws {
        var generator = Generator(seed: 3)
        let layer = try Linear(inputSize: 40, outputSize: 9, using: &generator)
        for dtype in DType.weightTypes {
            let stored = try layer.castingMatrices(to: dtype)
            try TensorFile.write(stored.parameters, to: path)
            let file = try TensorFile(path, isForeign: true, verifiesContent: false)
            let kept = try layer.replacingParameters(
                file.read(layer.expectations, castsTypes: true, keepsStored: layer.matrixPaths).tensors)
            #expect(kept.weight.dtype == (dtype == .float64 ? .float32 : dtype))
            let cast = try layer.replacingParameters(file.read(layer.expectations, castsTypes: true).tensors)
            #expect(cast.weight.dtype == .float32)
            let x = try generator.normal([3, 40])
            #expect(try Tolerance(.float32, length: 40, depth: 4).mismatch(kept(x), cast(x)) == nil)
            if dtype != .float32 { #expect(throws: RondoError.self) { try file.read(layer.expectations) } }
        }
    }

    @Test func damageIsFoundUnlessNobodyLooks() throws {
        try TensorFile.write(everything(), to: path)
        var bytes = try FileSystem.readBytes(path)
        bytes[bytes.count - 1] ^= 1
        try AtomicFile.write(bytes, to: path)
        #expect(throws: RondoError.self) { try TensorFile(path) }
        #expect(try TensorFile(path, verifiesContent: false).tensor("tensor.float64").shape == [3, 5, 130])
    }
}

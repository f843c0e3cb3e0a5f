import RondoIO
import RondoNN
public import RondoTensor

/// What a tensor of bytes in a safetensors file is: rows of quantised blocks.
///
/// The metadata member `rondo_quantized` is a JSON object with one of these per tensor, by name:
/// `{"head.weight": {"dtype": "quantized4", "shape": [50280, 768], "block_length": 128, "block_bytes": 72}}`. A row of
/// `columns` elements is `columns / block_length` blocks (rounded up; what is beyond the columns is zero).
///
/// A block of `quantized8` is 128 codes (int8) and 4 scales (bfloat16, one per 32 columns); an element is its code times
/// its scale. A block of `quantized4` is 16 little-endian words of 32 bits and 4 scales: column c is bits 4 ⌊c / 16⌋ to
/// 4 ⌊c / 16⌋ + 3 of word c mod 16, the number of one of the levels -127 -96 -74 -56 -40 -26 -13 0 11 22 33 46 59 74 91
/// 113, which is multiplied by the scale of the column.
public struct QuantizedEntry: Codable, Sendable, Equatable {
    /// The type of the tensor.
    public var dtype: DType
    /// Its shape.
    public var shape: [Int]
    /// Columns in a block.
    public var blockLength: Int
    /// Bytes of a block.
    public var blockBytes: Int

    static let key = "rondo_quantized"

    init(_ tensor: Tensor) {
        dtype = tensor.dtype
        shape = Array(tensor.shape)
        blockLength = tensor.dtype.blockLength
        blockBytes = tensor.dtype.byteCount
    }

    /// The metadata of a file with these tensors; `nil` if none of them is quantised.
    static func text(describing tensors: ParameterSet) throws -> String? {
        var members = JSONObject()
        for (name, tensor) in zip(tensors.paths, tensors.tensors) where tensor.dtype.isQuantized {
            members[name] = try StrictJSON.tree(of: QuantizedEntry(tensor))
        }
        return members.count > 0 ? JSONValue.object(members).text() : nil
    }

    /// The quantised tensors of a file by name, compared with what the file holds.
    /// - Throws: `RondoError` of code `corruptFile` that names the tensor.
    static func all(in file: SafetensorsFile) throws -> [String: QuantizedEntry] {
        guard let text = file.metadata[key] else { return [:] }
        let source = "'\(file.path)', \(key)"
        let found = try StrictJSON.decode(
            [String: QuantizedEntry].self, from: JSONValue(parsing: text, source: source), source: source)
        for (name, entry) in found { try entry.check(file.entry(name), file.path) }
        return found
    }

    private func check(_ stored: SafetensorsFile.Entry, _ path: String) throws {
        guard dtype.isQuantized, blockLength == dtype.blockLength, blockBytes == dtype.byteCount else {
            throw RondoError(
                .corruptFile,
                "'\(path)': tensor '\(stored.name)' is \(dtype.rawValue) in blocks of \(blockLength) elements and "
                    + "\(blockBytes) bytes, which this version cannot read")
        }
        guard stored.dtype == .uint8, !shape.isEmpty, shape.allSatisfy({ $0 >= 0 }),
            stored.shape == dtype.storedShape(shape)
        else {
            throw RondoError(
                .corruptFile,
                "'\(path)': tensor '\(stored.name)', \(dtype.rawValue) \(shape), should be bytes of shape "
                    + "\(dtype.storedShape(shape)), is \(stored.dtype.rawValue) \(stored.shape)")
        }
    }
}

extension DType {
    /// The shape in a safetensors file of a tensor of this type: rows of quantised types are counted in bytes.
    func storedShape(_ shape: [Int]) -> [Int] {
        guard isQuantized, let columns = shape.last else { return shape }
        return shape.dropLast() + [byteCount(shape: [columns]) ?? 0]
    }
}

extension Tensor {
    var storedShape: [Int] { dtype.storedShape(Array(shape)) }
}

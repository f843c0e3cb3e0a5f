public import RondoIO
public import RondoNN
public import RondoTensor

/// Named tensors in a safetensors file, checked as a whole before any is used.
///
/// Tensors are views of the mapped file wherever its bytes are aligned for their type: nothing is copied, and nothing
/// is read before it is used. They keep the mapping alive. See `MappedFile` for what that asks of the file: shortening
/// it while a tensor is in use ends the process.
///
/// A quantised tensor `[..., rows, columns]` is a U8 tensor `[..., rows, bytes per row]` of blocks as ``QuantizedEntry``
/// describes them, under its own name; the metadata `rondo_quantized` say for each what it is.
public struct TensorFile: Sendable {
    /// A tensor that a file must hold.
    public struct Expectation: Sendable, Equatable {
        /// The name.
        public var name: String
        /// The shape.
        public var shape: Shape
        /// The element type that is wanted.
        public var dtype: DType

        /// Creates an expectation.
        public init(name: String, shape: Shape, dtype: DType) {
            self.name = name
            self.shape = shape
            self.dtype = dtype
        }
    }

    /// The path it was opened with.
    public let path: String
    private let file: SafetensorsFile
    private let quantized: [String: QuantizedEntry]

    /// The text kept with the tensors.
    public var metadata: [String: String] { file.metadata }

    /// The names of all tensors, in the order of their data.
    public var names: [String] { file.entries.map(\.name) }

    /// The descriptions of all tensors, in the order of their data.
    public var entries: [SafetensorsFile.Entry] { file.entries }

    /// The shape of a tensor, if there is one of that name.
    public func shape(_ name: String) -> [Int]? { try? description(of: name).shape }

    /// The type of a tensor's elements; `nil` if there is no such tensor, or Rondo has no such type.
    public func dtype(_ name: String) -> DType? { (try? description(of: name))?.dtype }

    /// The bytes that all tensors take.
    public var dataByteCount: Int { file.entries.last?.dataRange.upperBound ?? 0 }

    /// Opens a file and compares it with its check value.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - isForeign: Whether a file without a check value is accepted, as other programs write it.
    ///   - verifiesContent: Whether to compare the content with the check value, which reads all of it. Otherwise only
    ///     the description is checked, and damage to the elements is not found.
    /// - Throws: `RondoError` that names the file if it is damaged or of another kind.
    public init(_ path: String, isForeign: Bool = false, verifiesContent: Bool = true) throws {
        self.path = path
        file = try SafetensorsFile(path)
        quantized = try QuantizedEntry.all(in: file)
        if verifiesContent {
            try file.verify(requireChecksum: !isForeign || file.metadata[Self.versionKey] != nil)
        }
    }

    /// Writes tensors atomically, with a check value over everything.
    ///
    /// - Parameters:
    ///   - tensors: The tensors by name.
    ///   - path: The file to create or replace.
    ///   - metadata: Text to keep with them.
    /// - Throws: `RondoError` that names the file.
    public static func write(_ tensors: ParameterSet, to path: String, metadata: [String: String] = [:]) throws {
        let entries = zip(tensors.paths, tensors.tensors).map { name, tensor in
            SafetensorsTensor(name: name, dtype: tensor.dtype.safetensors, shape: tensor.storedShape) { sink in
                try tensor.withUnsafeBytes(sink)
            }
        }
        var common = ["format": "pt", versionKey: "1"]
        common[QuantizedEntry.key] = try QuantizedEntry.text(describing: tensors)
        try SafetensorsFile.write(to: path, tensors: entries, metadata: common.merging(metadata) { $1 })
    }

    /// Reads all tensors, which must be those expected, no more and no fewer.
    ///
    /// - Parameters:
    ///   - expected: The tensors, in the order in which they are returned.
    ///   - castsTypes: Whether floating-point and quantised tensors of another type are converted.
    ///   - keepsStored: The names of tensors that need no conversion where they are stored in a type that is computed
    ///     with in the expected one (`Module.matrixPaths`, for a model that is not to be trained).
    /// - Returns: The tensors, in the order of `expected`.
    /// - Throws: `RondoError` of code `corruptFile` that lists everything missing, left over or of another shape.
    public func read(
        _ expected: [Expectation], castsTypes: Bool = false, keepsStored: Set<String> = []
    ) throws -> ParameterSet {
        func keeps(_ want: Expectation, _ dtype: DType) -> Bool {
            keepsStored.contains(want.name) && DType.weightTypes.contains(dtype) && dtype.computationType == want.dtype
        }
        try check(expected) { want, dtype in
            dtype == want.dtype || (castsTypes && dtype.isReal) || keeps(want, dtype)
        }
        let tensors = try expected.map { want in
            let stored = try tensor(want.name)
            return keeps(want, stored.dtype) ? stored : try stored.cast(to: want.dtype)
        }
        return ParameterSet(paths: expected.map(\.name), tensors: tensors)
    }

    /// The shape and type of a tensor; the type is `nil` if tensors cannot be of it.
    ///
    /// - Throws: `RondoError` if there is none of that name.
    public func description(of name: String) throws -> (shape: [Int], dtype: DType?) {
        if let entry = quantized[name] { return (entry.shape, entry.dtype) }
        let entry = try file.entry(name)
        return (entry.shape, DType(entry.dtype))
    }

    /// One tensor as it is stored: a view of the file if its bytes are aligned, else a copy.
    ///
    /// - Throws: `RondoError` if there is none of that name or its type cannot be computed with.
    public func tensor(_ name: String) throws -> Tensor {
        let found = try description(of: name)
        guard let dtype = found.dtype else {
            throw RondoError(
                .corruptFile,
                "'\(path)': tensor '\(name)' has the unsupported type \(try file.entry(name).dtype.rawValue)")
        }
        let shape = try Shape(checking: found.shape)
        let (bytes, owner) = try file.mappedBytes(of: name)
        let alignment = dtype.isQuantized ? DType.bfloat16.byteCount : dtype.byteCount
        if Int(bitPattern: bytes.baseAddress) % alignment == 0 {
            return try Tensor(borrowing: bytes, owner: owner, shape: shape, dtype: dtype)
        }
        return try withExtendedLifetime(owner) {
            try Tensor(shape: shape, dtype: dtype) { $0.copyMemory(from: bytes) }
        }
    }

    private func check(_ expected: [Expectation], fits: (Expectation, DType) -> Bool) throws {
        let found = Dictionary(file.entries.map { ($0.name, $0) }) { first, _ in first }
        let names = Set(expected.map(\.name))
        var problems: [String] = []
        for want in expected {
            guard let entry = found[want.name] else {
                problems.append("missing '\(want.name)' \(want.shape)")
                continue
            }
            let (shape, dtype) = try description(of: want.name)
            if shape != Array(want.shape) || dtype.map({ fits(want, $0) }) != true {
                problems.append(
                    "'\(want.name)' should be \(want.dtype.rawValue) \(want.shape), "
                        + "is \(dtype?.rawValue ?? entry.dtype.rawValue) \(shape)")
            }
        }
        problems += file.entries.filter { !names.contains($0.name) }.map { "unknown '\($0.name)' \($0.shape)" }
        guard problems.isEmpty else {
            throw RondoError(
                .corruptFile,
                "'\(path)' does not fit the configuration: \(problems.joined(separator: "; ")); "
                    + "weights and configuration must come from the same model")
        }
    }

    private static let versionKey = "rondo_format"
}

extension Module {
    /// The names, shapes and types of all parameters.
    public var expectations: [TensorFile.Expectation] { parameters.expectations }
}

extension ParameterSet {
    /// The names, shapes and types of all tensors.
    public var expectations: [TensorFile.Expectation] {
        zip(paths, tensors).map { TensorFile.Expectation(name: $0, shape: $1.shape, dtype: $1.dtype) }
    }

    /// A check value over names, shapes and elements, that tells models of one shape apart.
    public func fingerprint() throws -> String {
        var check = CRC32C()
        for (path, tensor) in zip(paths, tensors) {
            Array("\(path) \(tensor.shape) \(tensor.dtype.rawValue)".utf8).withUnsafeBytes { check.update($0) }
            try tensor.withUnsafeBytes { check.update($0) }
        }
        return "crc32c:" + String(check.value, radix: 16)
    }
}

extension DType {
    /// The same type in safetensors files.
    var safetensors: SafetensorsDType {
        switch self {
        case .float32: .float32
        case .float64: .float64
        case .int32: .int32
        case .bfloat16: .bfloat16
        case .float16: .float16
        case .int8: .int8
        case .quantized8, .quantized4: .uint8
        }
    }

    /// The same type as in a safetensors file, if tensors can be of it.
    init?(_ dtype: SafetensorsDType) {
        let match = DType.allCases.first { $0.safetensors == dtype && !$0.isQuantized }
        guard let match else { return nil }
        self = match
    }

    /// Whether elements stand for real numbers, which may be converted.
    package var isReal: Bool { DType.weightTypes.contains(self) }
}

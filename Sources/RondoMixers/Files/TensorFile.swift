public import RondoIO
public import RondoNN
public import RondoTensor

/// Named tensors in a safetensors file, checked as a whole before any is used.
public struct TensorFile: Sendable {
    /// A tensor that a file must hold.
    public struct Expectation: Sendable, Equatable {
        /// The name.
        public var name: String
        /// The shape.
        public var shape: [Int]
        /// The element type that is wanted.
        public var dtype: DType

        /// Creates an expectation.
        public init(name: String, shape: [Int], dtype: DType) {
            self.name = name
            self.shape = shape
            self.dtype = dtype
        }
    }

    /// The path it was opened with.
    public let path: String
    private let file: SafetensorsFile

    /// The text kept with the tensors.
    public var metadata: [String: String] { file.metadata }

    /// The names of all tensors, in the order of their data.
    public var names: [String] { file.entries.map(\.name) }

    /// The descriptions of all tensors, in the order of their data.
    public var entries: [SafetensorsFile.Entry] { file.entries }

    /// The shape of a tensor, if there is one of that name.
    public func shape(_ name: String) -> [Int]? { try? file.entry(name).shape }

    /// The type of a tensor's elements; `nil` if there is no such tensor, or Rondo has no such type.
    public func dtype(_ name: String) -> DType? { (try? file.entry(name)).flatMap { DType($0.dtype) } }

    /// The bytes that all tensors take.
    public var dataByteCount: Int { file.entries.last?.dataRange.upperBound ?? 0 }

    /// Opens a file and compares it with its check value.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - isForeign: Whether a file without a check value is accepted, as other programs write it.
    /// - Throws: `RondoError` that names the file if it is damaged or of another kind.
    public init(_ path: String, isForeign: Bool = false) throws {
        self.path = path
        file = try SafetensorsFile(path)
        try file.verify(requireChecksum: !isForeign || file.metadata[Self.versionKey] != nil)
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
            SafetensorsTensor(name: name, dtype: tensor.dtype.safetensors, shape: tensor.shape) { sink in
                try tensor.withUnsafeBytes(sink)
            }
        }
        let common = ["format": "pt", versionKey: "1"]
        try SafetensorsFile.write(to: path, tensors: entries, metadata: common.merging(metadata) { $1 })
    }

    /// Reads all tensors, which must be those expected, no more and no fewer.
    ///
    /// - Parameters:
    ///   - expected: The tensors, in the order in which they are returned.
    ///   - castsTypes: Whether floating-point tensors of another type are converted.
    /// - Returns: The tensors, in the order of `expected`.
    /// - Throws: `RondoError` of code `corruptFile` that lists everything missing, left over or of another shape.
    public func read(_ expected: [Expectation], castsTypes: Bool = false) throws -> ParameterSet {
        try check(expected, castsTypes: castsTypes)
        let tensors = try expected.map { try tensor($0.name).cast(to: $0.dtype) }
        return ParameterSet(paths: expected.map(\.name), tensors: tensors)
    }

    /// Reads one tensor as it is stored.
    ///
    /// - Throws: `RondoError` if there is none of that name or its type cannot be computed with.
    public func tensor(_ name: String) throws -> Tensor {
        let entry = try file.entry(name)
        guard let dtype = DType(entry.dtype) else {
            throw RondoError(
                .corruptFile, "'\(path)': tensor '\(name)' has the unsupported type \(entry.dtype.rawValue)")
        }
        return try Tensor(shape: entry.shape, dtype: dtype) { target in
            try file.withUnsafeBytes(of: name) { target.copyMemory(from: $0) }
        }
    }

    private func check(_ expected: [Expectation], castsTypes: Bool) throws {
        let found = Dictionary(file.entries.map { ($0.name, $0) }) { first, _ in first }
        let names = Set(expected.map(\.name))
        var problems: [String] = []
        for want in expected {
            guard let entry = found[want.name] else {
                problems.append("missing '\(want.name)' \(want.shape)")
                continue
            }
            let dtype = DType(entry.dtype)
            let fits = dtype == want.dtype || (castsTypes && dtype?.isFloatingPoint == true)
            if entry.shape != want.shape || !fits {
                problems.append(
                    "'\(want.name)' should be \(want.dtype.rawValue) \(want.shape), "
                        + "is \(entry.dtype.rawValue) \(entry.shape)")
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
        }
    }

    /// The same type as in a safetensors file, if tensors can be of it.
    init?(_ dtype: SafetensorsDType) {
        guard let match = DType.allCases.first(where: { $0.safetensors == dtype }) else { return nil }
        self = match
    }

    package var isFloatingPoint: Bool { [.float32, .float64, .bfloat16, .float16].contains(self) }
}

import RondoIO
import RondoNN
import RondoTensor

/// What a model has read and made so far, as a file: enough to continue later, bit for bit.
struct GenerationState {
    /// What belongs to the state besides tensors.
    struct Header: Codable, Equatable {
        var version = 1
        var architecture: String
        var configurationDigest: String
        var modelFingerprint: String
        var dtype: DType
        var position: Int
        var sampling: SamplingOptions
        var sampler: Sampler.State
        var pendingBytes: [Int]
    }

    var header: Header
    /// The recurrent state, and the scores of the next token.
    var tensors: ParameterSet

    private static let headerKey = "rondo_generation_state"

    /// Writes the file atomically.
    func write(to path: String) throws {
        let text = try StrictJSON.tree(of: header).text()
        try TensorFile.write(tensors, to: path, metadata: [Self.headerKey: text])
    }

    /// Reads a file that must belong to the model.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - own: The header and tensors that the model has at its beginning.
    /// - Throws: `RondoError` for a damaged file or the state of another model.
    init(_ path: String, for own: GenerationState) throws {
        let file = try TensorFile(path)
        guard let text = file.metadata[Self.headerKey] else {
            throw RondoError(.corruptFile, "'\(path)' is no state of a generation; give a file of --state-out")
        }
        header = try StrictJSON.decode(Header.self, from: JSONValue(parsing: text, source: path), source: path)
        try header.check(against: own.header, path: path)
        tensors = try file.read(own.tensors.expectations)
    }

    init(header: Header, tensors: ParameterSet) {
        self.header = header
        self.tensors = tensors
    }
}

extension GenerationState.Header {
    /// Refuses the state of another model.
    fileprivate func check(against own: Self, path: String) throws {
        let facts = [
            ("version", "\(version)", "\(own.version)"),
            ("architecture", architecture, own.architecture),
            ("configuration", configurationDigest, own.configurationDigest),
            ("model", modelFingerprint, own.modelFingerprint),
            ("dtype", dtype.rawValue, own.dtype.rawValue),
        ]
        let differences = facts.filter { $0.1 != $0.2 }.map { "\($0.0) \($0.1) instead of \($0.2)" }
        guard differences.isEmpty else {
            throw RondoError(
                .conflict,
                "'\(path)' belongs to another model: \(differences.joined(separator: ", ")); "
                    + "continue with the model that saved it")
        }
        guard position >= 0, pendingBytes.allSatisfy({ (0...255).contains($0) }) else {
            throw RondoError(.corruptFile, "'\(path)': position \(position) or the pending bytes are impossible")
        }
    }
}

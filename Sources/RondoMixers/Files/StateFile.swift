import RondoIO
public import RondoNN
public import RondoTensor

/// A state in a safetensors file that says whose it is: architecture, configuration, parameters, type, positions.
///
/// The file carries a check value over everything; a damaged one, or the state of another model, is refused before
/// anything is used.
public struct StateFile: Codable, Sendable, Equatable {
    /// The version of the format.
    public var version = 1
    /// The mixer or model.
    public var architecture: String
    /// A check value of the configuration.
    public var configurationDigest: String
    /// A check value of the parameters, so that models of one shape are told apart.
    public var modelFingerprint: String
    /// The type of the parameters.
    public var dtype: DType
    /// How many positions each row has read.
    public var positions: [Int]

    private static let key = "rondo_state"

    /// Describes the owner of a state.
    public init(
        architecture: String, configurationDigest: String, modelFingerprint: String, dtype: DType, positions: [Int]
    ) {
        self.architecture = architecture
        self.configurationDigest = configurationDigest
        self.modelFingerprint = modelFingerprint
        self.dtype = dtype
        self.positions = positions
    }

    /// Writes a state atomically.
    ///
    /// - Throws: `RondoError` that names the file.
    public func write(_ leaves: ParameterSet, to path: String) throws {
        try TensorFile.write(leaves, to: path, metadata: [Self.key: StrictJSON.tree(of: self).text()])
    }

    /// Reads a state that must be this owner's.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - empty: The leaves of the owner's initial state; those that grow may be longer in the file.
    /// - Returns: The state.
    /// - Throws: `RondoError` of code `corruptFile` or `conflict` that names the file and what differs.
    public func read(_ path: String, like empty: MixerState) throws -> MixerState {
        let file = try TensorFile(path)
        guard let text = file.metadata[Self.key] else {
            throw RondoError(.corruptFile, "'\(path)' is no saved state")
        }
        let found = try StrictJSON.decode(Self.self, from: JSONValue(parsing: text, source: path), source: path)
        try requireSameOwner(found, path)
        guard found.positions.count == empty.batch else {
            throw RondoError(
                .conflict, "'\(path)' holds the states of \(found.positions.count) rows; \(empty.batch) are needed")
        }
        var state = empty
        state.positions = found.positions
        return try state.replacingTensors(file.read(state.expectations).tensors)
    }

    /// Refuses the description of another model's state; positions may differ.
    ///
    /// - Throws: `RondoError` of code `conflict` that lists what differs.
    public func requireSameOwner(_ found: StateFile, _ path: String) throws {
        let facts = [
            ("version", "\(found.version)", "\(version)"), ("architecture", found.architecture, architecture),
            ("configuration", found.configurationDigest, configurationDigest),
            ("model", found.modelFingerprint, modelFingerprint), ("dtype", found.dtype.rawValue, dtype.rawValue),
        ]
        let differences = facts.filter { $0.1 != $0.2 }.map { "\($0.0) \($0.1) instead of \($0.2)" }
        guard differences.isEmpty else {
            throw RondoError(
                .conflict,
                "'\(path)' belongs to another model: \(differences.joined(separator: ", ")); "
                    + "continue with the model that saved it")
        }
        guard found.positions.allSatisfy({ (0...1 << 48).contains($0) }) else {
            throw RondoError(.corruptFile, "'\(path)': positions \(found.positions) are impossible")
        }
    }
}

extension MixerState {
    /// What a file of this state must hold; growing leaves as long as the furthest row has read.
    package var expectations: [TensorFile.Expectation] {
        let length = positions.max() ?? 0
        return leaves.map { leaf in
            var shape = leaf.tensor.shape
            if leaf.grows { shape[1] = length }
            return TensorFile.Expectation(name: leaf.name, shape: shape, dtype: leaf.tensor.dtype)
        }
    }
}

extension SequenceMixer {
    /// The description of this mixer's states.
    ///
    /// - Throws: `RondoError` if the parameters cannot be read.
    public func stateFile(positions: [Int]) throws -> StateFile {
        let text = try StrictJSON.tree(of: configuration).text(sortedKeys: true)
        let digest = "crc32c:" + String(CRC32C.checksum(Array("\(dModel) \(text)".utf8)), radix: 16)
        let parameters = parameters
        return StateFile(
            architecture: Self.architecture, configurationDigest: digest,
            modelFingerprint: try parameters.fingerprint(),
            dtype: parameters.tensors.first?.dtype ?? .float32, positions: positions)
    }

    /// Saves a state of this mixer, atomically.
    public func save(_ state: MixerState, to path: String) throws {
        try stateFile(positions: state.positions).write(state.named, to: path)
    }

    /// Restores a state that ``save(_:to:)`` of the same mixer wrote.
    ///
    /// - Throws: `RondoError` for a damaged file or the state of another mixer.
    public func restoreState(from path: String, batch: Int) throws -> MixerState {
        try stateFile(positions: Array(repeating: 0, count: batch)).read(path, like: initialState(batch: batch))
    }
}

import RondoIO
import RondoMixers
import RondoNN
import RondoTensor

/// What a model has read and made so far, as a file: enough to continue later, bit for bit.
struct GenerationState {
    /// What belongs to the state besides tensors.
    struct Header: Codable, Equatable {
        /// Whose state it is.
        var owner: StateFile
        var sampling: SamplingOptions
        var sampler: Sampler.State
        var pendingBytes: [Int]
        /// What else the caller keeps with it.
        var companion: JSONValue?
    }

    var header: Header
    /// What was read.
    var state: ModelState
    /// The scores of the next token.
    var logits: [Float]

    private static let headerKey = "rondo_generation_state"
    private static let logitsName = "logits"

    /// Writes the file atomically.
    func write(to path: String) throws {
        let text = try StrictJSON.tree(of: header).text()
        let own = state.named
        let all = ParameterSet(paths: own.paths + [Self.logitsName], tensors: own.tensors + [try Tensor(logits)])
        try TensorFile.write(all, to: path, metadata: [Self.headerKey: text])
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
        try own.header.owner.requireSameOwner(header.owner, path)
        guard header.owner.positions.count == 1, header.pendingBytes.allSatisfy({ (0...255).contains($0) }) else {
            throw RondoError(.corruptFile, "'\(path)': the positions or the pending bytes are impossible")
        }
        let positions = Array(repeating: header.owner.positions, count: own.state.layers.count)
        let target = own.state.moved(to: positions)
        let scores = TensorFile.Expectation(name: Self.logitsName, shape: [own.logits.count], dtype: .float32)
        let tensors = try file.read(target.expectations + [scores]).tensors
        state = try target.replacingTensors(Array(tensors.dropLast()))
        logits = try tensors.last?.array(of: Float.self) ?? []
    }

    init(header: Header, state: ModelState, logits: [Float]) {
        self.header = header
        self.state = state
        self.logits = logits
    }
}

public import RondoNN
public import RondoTensor

/// The neural Turing machine: a controller beside a memory that it reads and writes by soft addresses.
public struct NTM: SequenceMixer {
    /// The shape of a neural Turing machine.
    public struct Configuration: MixerConfiguration {
        /// What decides.
        public enum Controller: String, Codable, Sendable, CaseIterable {
            /// An LSTM.
            case lstm
            /// One layer with tanh: then the memory is all that lasts.
            case feedForward = "feed_forward"
        }

        /// What decides.
        public var controller = Controller.lstm
        /// The width of the controller, the model's if `nil`.
        public var hiddenSize: Int?
        /// Places in the memory, N.
        public var slots = 32
        /// The width of a place, M.
        public var slotWidth = 16
        /// Heads that read.
        public var readHeads = 1
        /// Heads that write.
        public var writeHeads = 1
        /// What every element of the memory begins with.
        public var initialMemory = 0.1

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            let width = hiddenSize ?? dModel
            try requireValue((1...1 << 20).contains(width), "hidden_size", width, "from 1 to 1048576")
            try requireValue((1...1 << 20).contains(slots), "slots", slots, "from 1 to 1048576")
            try requireValue((1...1 << 16).contains(slotWidth), "slot_width", slotWidth, "from 1 to 65536")
            for (key, count) in [("read_heads", readHeads), ("write_heads", writeHeads)] {
                try requireValue((1...64).contains(count), key, count, "from 1 to 64")
            }
            try requireValue(
                (-1e3...1e3).contains(initialMemory), "initial_memory", initialMemory, "from -1000 to 1000")
        }

        var heads: Int { readHeads + writeHeads }
        /// The numbers by which a head addresses: k, β, g, s, γ.
        var addressWidth: Int { slotWidth + 6 }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "ntm", title: "NTM", family: .nonlinear,
        summary: "neural Turing machine: a controller with a memory under soft addresses",
        equations: """
            h = LSTM([x, r⁻])  or  tanh(W [x, r⁻] + b)
            k, β, g, s, γ of each head, e, a of each writing one = W_h h + b_h
               β = softplus(·), g, e = σ(·), s = softmax(·) over shifts -1, 0, 1, γ = 1 + softplus(·)
            w(i) ∝ softmax(β cos(k, M⁻(i)))                 (content)
            w = g w + (1 - g) w⁻                             (interpolation)
            w(i) = Σ_j w(j) s(i - j mod N)                   (shift)
            w(i) = w(i)^γ / Σ_j w(j)^γ                       (sharpening)
            M(i) = M⁻(i) ⊙ (1 - w(i) e) + w(i) a             (writing heads)
            r = Σ_i w(i) M(i)                                (reading heads)
            y = V [h, r] + c
            """,
        source: "Graves, Wayne and Danihelka, Neural Turing machines, 2014",
        complexity: "sequence O(T (D² + N M heads)) sequential in T; step O(D² + N M heads); "
            + "state N M + (N + M) heads + 2 D",
        notes: "All heads of a position look into the memory before it; reading follows writing. Several writing heads "
            + "all erase, then all add. At the beginning every head points to slot 0.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("LSTM controller", dModel: 4) {
            $0.slots = 5
            $0.slotWidth = 3
            $0.initialMemory = 0.5
        },
        MixerExample("feed-forward controller, several heads", dModel: 3) {
            $0.controller = .feedForward
            $0.hiddenSize = 6
            $0.slots = 4
            $0.slotWidth = 2
            $0.readHeads = 2
            $0.writeHeads = 2
            $0.initialMemory = -0.5
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// The controller, if it is an LSTM.
    public var lstm: RecurrentLayer?
    /// The controller, if it is not.
    public var feedForward: Linear?
    /// To the requests of all heads, reading ones first, then what the writing ones erase, then what they add.
    public var heads: Linear
    /// From controller and what was read to the output.
    public var output: Linear

    /// Creates a mixer with maps from U(±1/√inputs).
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let width = configuration.hiddenSize ?? dModel
        let read = configuration.readHeads * configuration.slotWidth
        switch configuration.controller {
        case .lstm:
            lstm = try RecurrentLayer(
                RecurrentConfiguration(cell: .lstm, inputSize: dModel + read, hiddenSize: width), dtype: dtype,
                using: &generator)
        case .feedForward:
            feedForward = try Linear(inputSize: dModel + read, outputSize: width, dtype: dtype, using: &generator)
        }
        heads = try Linear(
            inputSize: width,
            outputSize: configuration.heads * configuration.addressWidth
                + 2 * configuration.writeHeads * configuration.slotWidth, dtype: dtype, using: &generator)
        output = try Linear(inputSize: width + read, outputSize: dModel, dtype: dtype, using: &generator)
    }

    /// A memory of equal elements, every head at slot 0, nothing read.
    public func initialState(batch: Int) throws -> MixerState {
        let (dtype, shape) = (output.weight.dtype.computationType, configuration)
        let memory = try Tensor.full([batch, shape.slots, shape.slotWidth], shape.initialMemory, dtype: dtype)
        let start = try Tensor((0..<shape.slots).map { $0 == 0 ? 1.0 : 0 }).cast(to: dtype)
        let weights = try start.broadcast(to: [batch, shape.heads, shape.slots]).contiguous()
        let read = try Tensor.zeros([batch, shape.readHeads * shape.slotWidth], dtype: dtype)
        guard let lstm else { return MixerState(batch: batch, ["memory": memory, "weights": weights, "read": read]) }
        let zeros = try Tensor.zeros([batch, lstm.hiddenSize], dtype: dtype)
        return MixerState(
            batch: batch, ["memory": memory, "weights": weights, "read": read, "h": zeros, "c": zeros])
    }

    /// Position by position: every one depends on what was read at the one before.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { try advance($0, &$1, mode: .kernel) }
    }

    /// The equations.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { try advance($0, &$1, mode: .reference) }
    }

    private func advance(_ x: Tensor, _ state: inout MixerState, mode: FusedMode) throws -> Tensor {
        let hidden = try control(Tensor.concatenate([x, state["read"]], axis: 1), &state, mode)
        let orders = try heads(hidden)
        let (batch, shape) = (x.shape[0], configuration)
        let addresses = shape.heads * shape.addressWidth
        let weights = try MemoryAddressing.weights(
            request(orders.sliced(1, 0..<addresses).reshaped([batch, shape.heads, shape.addressWidth])),
            memory: state["memory"], previous: state["weights"])
        let writes = try orders.sliced(1, addresses..<orders.shape[1])
            .reshaped([batch, 2 * shape.writeHeads, shape.slotWidth])
        let memory = try MemoryAddressing.written(
            state["memory"], weights: weights.sliced(1, shape.readHeads..<shape.heads),
            erase: writes.sliced(1, 0..<shape.writeHeads).sigmoid(),
            add: writes.sliced(1, shape.writeHeads..<2 * shape.writeHeads))
        let read = try weights.sliced(1, 0..<shape.readHeads).matmul(memory).reshaped([batch, -1])
        (state["memory"], state["weights"], state["read"]) = (memory, weights, read)
        return try output(Tensor.concatenate([hidden, read], axis: 1))
    }

    /// The controller's output.
    private func control(_ input: Tensor, _ state: inout MixerState, _ mode: FusedMode) throws -> Tensor {
        if let feedForward { return try feedForward(input).tanh() }
        guard let lstm else { return input }
        let result = try lstm(input.expanded(at: 0), state: [state["h"], state["c"]], mode: mode)
        (state["h"], state["c"]) = (result.state[0], result.state[1])
        return result.state[0]
    }

    /// `[batch, heads, slotWidth + 6]` as what the heads ask for.
    private func request(_ x: Tensor) throws -> MemoryAddressing.Request {
        let width = configuration.slotWidth
        return MemoryAddressing.Request(
            key: try x.sliced(2, 0..<width),
            strength: try x.sliced(2, width..<width + 1).softplus(),
            gate: try x.sliced(2, width + 1..<width + 2).sigmoid(),
            shift: try x.sliced(2, width + 2..<width + 5).softmax(),
            sharpening: try x.sliced(2, width + 5..<width + 6).softplus() + 1)
    }

    /// The gates of an LSTM are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "lstm.weight" ? 4 : 1 }

    /// Visits the controller (`lstm` or `feed_forward`), `heads` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try lstm.forEachParameter(under: "lstm", visit)
        try feedForward.forEachParameter(under: "feed_forward", visit)
        try heads.forEachParameter(under: "heads", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

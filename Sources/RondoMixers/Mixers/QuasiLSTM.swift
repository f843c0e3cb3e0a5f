public import RondoNN
public import RondoTensor

/// The quasi-LSTM: an LSTM whose gates see the input alone, so that its cell is a scan.
public struct QuasiLSTM: SequenceMixer {
    /// The shape of a quasi-LSTM layer.
    public struct Configuration: MixerConfiguration {
        /// The width of the state, the model's if `nil`: heads times the width of a head.
        public var hiddenSize: Int?
        /// What is added to the forget gate besides its learned offset.
        public var forgetBias = 1.0
        /// Positions that are computed at once as a product with the matrix of their decays; one after the other in
        /// a scan, which is faster on processors, if `nil`.
        public var blockLength: Int?

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            if let hiddenSize {
                try requireValue((1...1 << 20).contains(hiddenSize), "hidden_size", hiddenSize, "from 1 to 1048576")
            }
            if let blockLength {
                try requireValue((1...4096).contains(blockLength), "block_length", blockLength, "from 1 to 4096")
            }
            try requireValue(forgetBias.isFinite, "forget_bias", forgetBias, "a finite number")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "qlstm", title: "Quasi-LSTM", family: .vectorState,
        summary: "LSTM whose gates see the input alone, so that training is a scan",
        equations: """
            f = σ(W_f x + b_f + β)        β: forget_bias
            i = σ(W_i x + b_i), z = tanh(W_z x + b_z), o = σ(W_o x + b_o)
            c = f ⊙ c⁻ + i ⊙ z
            y = W_p (o ⊙ tanh(c)) + b_p
            """,
        source: "Stanić et al., The Languini Kitchen, 2023, section 4.2",
        complexity: "sequence O(T D²) products and a scan O(T H); step O(D²); state H",
        notes:
            "The heads of the paper are parts of the state side by side and change nothing else: hidden_size is their "
            + "number times their width. block_length chooses the form that the paper trains with, K positions at once."
    )

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("scan", dModel: 5),
        MixerExample("blocks", dModel: 3) {
            $0.blockLength = 4
            $0.hiddenSize = 6
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To the forget and the input gate, the candidate and the output gate, `[4 H, D]`.
    public var input: Linear
    /// Back, `[D, H]`.
    public var output: Linear

    /// Creates a mixer with the weights of ``Linear``.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let size = configuration.hiddenSize ?? dModel
        input = try Linear(inputSize: dModel, outputSize: 4 * size, dtype: dtype, using: &generator)
        output = try Linear(inputSize: size, outputSize: dModel, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let dtype = output.weight.dtype.computationType
        return MixerState(batch: batch, ["c": try Tensor.zeros([batch, output.weight.shape[1]], dtype: dtype)])
    }

    /// The forget gate before σ, what is added to the cell, and the output gate.
    private func gates(_ x: Tensor) throws -> (forget: Tensor, add: Tensor, output: Tensor) {
        let parts = try input(x).split(4, axis: -1)
        return (
            try parts[0] + configuration.forgetBias, try parts[1].sigmoid() * parts[2].tanh(), try parts[3].sigmoid()
        )
    }

    /// One product for all positions, then the cell.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let hidden: Tensor
        if let length = configuration.blockLength, x.shape[1] > 0 {
            let (forget, add, gate) = try gates(x)
            let cells = try Self.blocks(forget.logSigmoid(), add, from: &state["c"], length: length)
            hidden = try gate * cells.tanh()
        } else {
            let rows = try input(x).reshaped(Shape(x.shape.dropLast()) + [4, output.weight.shape[1]])
            let result = try QuasiLSTMCell(forgetBias: configuration.forgetBias)([rows, state["c"]])
            (hidden, state["c"]) = (result[0], result[1])
        }
        state.advance(by: x.shape[1])
        return try output(hidden)
    }

    /// The cell block by block: c_k = Σ_l G_kl [c⁻; u]_l, where G holds the products of the forget gates between.
    ///
    /// - Parameters:
    ///   - logForget: The logarithms of the forget gates, `[batch, time, H]`.
    ///   - add: What is added, u, `[batch, time, H]`.
    ///   - cell: The cell before, `[batch, H]`; becomes the one after.
    ///   - length: Positions of a block; the last may be shorter.
    /// - Returns: The cells, `[batch, time, H]`.
    /// - Throws: `RondoError` if shapes do not fit.
    static func blocks(_ logForget: Tensor, _ add: Tensor, from cell: inout Tensor, length: Int) throws -> Tensor {
        let time = add.shape[1]
        var pieces: [Tensor] = []
        for start in stride(from: 0, to: time, by: length) {
            let range = start..<min(time, start + length)
            // Sums of logarithms: no product can underflow on the way, and no gate is divided by.
            let sums = try logForget.sliced(1, range).cumulativeSum(1)
            var inside = try add.sliced(1, range)
            // G by its diagonals, so that nothing of the future is touched: what came d positions before.
            for distance in 1..<max(1, range.count) {
                let (from, to) = (0..<range.count - distance, distance..<range.count)
                let decay = try (sums.sliced(1, to) - sums.sliced(1, from)).exp()
                let term = try decay * add.sliced(1, start..<range.upperBound - distance)
                inside = try inside + term.padded(1, before: distance, after: 0)
            }
            let cells = try inside + sums.exp() * cell.expanded(at: 1)
            cell = try cells.selecting(1, range.count - 1)
            pieces.append(cells)
        }
        return pieces.count == 1 ? pieces[0] : try Tensor.concatenate(pieces, axis: 1)
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let (forget, add, gate) = try gates(x)
            state["c"] = try forget.sigmoid() * state["c"] + add
            return try output(gate * state["c"].tanh())
        }
    }

    /// Gates and candidate are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "input.weight" ? 4 : 1 }

    /// Visits `input` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

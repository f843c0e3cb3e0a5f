import RondoNN
import RondoTensor

/// How the parameters of a ParaRNN cell begin.
public enum ParaCellInitialization: String, Codable, Sendable, CaseIterable {
    /// The authors' library: A and C ~ N(0, 4 / 5W), gates spread by their offsets.
    case library
    /// A training recipe built on it: A ~ N(0, 1 / W) within ±0.9, no offsets.
    case recipe
}

/// What the layers of cells with diagonal recurrent weights share (Danieli et al., "ParaRNN", 2025).
///
/// ``ParaGRU`` and ``ParaLSTM`` differ in the cell only.
protocol ParaCellMixer: SequenceMixer where Configuration: ParaCellConfiguration {
    static var cell: DiagonalCellLoop.Cell { get }
    var layer: ParaCellLayer { get set }
}

/// What the configurations of both cells share.
protocol ParaCellConfiguration: MixerConfiguration {
    var stateSize: Int? { get }
    var heads: Int { get }
    var block: Bool { get }
    var convWidth: Int { get }
    var initialization: ParaCellInitialization { get }
    var newtonIterations: Int { get }
}

extension ParaCellConfiguration {
    /// Refuses widths that cannot be built.
    public func validate(dModel: Int) throws {
        let width = stateSize ?? dModel
        try requireValue((1...1 << 20).contains(width), "state_size", width, "from 1 to 1048576")
        let inputs = block ? width : dModel
        try requireValue(
            heads >= 1 && width % heads == 0 && inputs % heads == 0, "heads", heads,
            "a divisor of the state's width, \(width), and of the cell's inputs, \(inputs)")
        try requireValue((1...1024).contains(convWidth), "conv_width", convWidth, "from 1 to 1024")
        let iterations = newtonIterations
        try requireValue((0...1 << 20).contains(iterations), "newton_iterations", iterations, "from 0 to 1048576")
    }
}

/// The parameters and the computation of a layer of diagonal cells.
struct ParaCellLayer: Module {
    let cell: DiagonalCellLoop.Cell
    /// To the cell's inputs and the output gate, `[2 W, D]`, in a block.
    var up: Linear?
    /// Over the cell's inputs, in a block.
    var conv: ShortConvolution?
    /// B: three gates of each head, `[3, heads, W / heads, inputs / heads]`.
    var input: Tensor
    /// b, `[3, W]`.
    var bias: Tensor
    /// A, `[3, W]`.
    var recurrent: Tensor
    /// C of the LSTM, `[2, W]`.
    var peepholes: Tensor?
    /// After the cell, in a block.
    var norm: RMSNorm?
    /// Back, `[D, W]`, in a block or if widths differ.
    var output: Linear?

    init(
        _ cell: DiagonalCellLoop.Cell, _ configuration: some ParaCellConfiguration, dModel: Int, dtype: DType,
        using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.cell = cell
        let (width, heads) = (configuration.stateSize ?? dModel, configuration.heads)
        let inputs = configuration.block ? width : dModel
        if configuration.block {
            up = try Linear(inputSize: dModel, outputSize: 2 * width, bias: false, dtype: dtype, using: &generator)
            conv = try ShortConvolution(
                channels: width, width: configuration.convWidth, dtype: dtype, using: &generator)
            norm = try RMSNorm(size: width, epsilon: 1e-6, dtype: dtype)
        }
        let fanIn = Double(inputs / heads)
        let shape: Shape = [3, heads, width / heads, inputs / heads]
        func diagonal(_ rows: Int) throws -> Tensor {
            guard configuration.initialization == .recipe else {
                return try generator.normal([rows, width], deviation: 2 / Double(5 * width).squareRoot(), dtype: dtype)
            }
            return try Self.bounded([rows, width], deviation: 1 / Double(width).squareRoot(), dtype, &generator)
        }
        recurrent = try diagonal(3)
        peepholes = try cell == .lstm ? diagonal(2) : nil
        bias = try Tensor.zeros([3, width], dtype: dtype)
        switch configuration.initialization {
        case .library:
            let fanOut = Double(cell == .gru ? width : width / heads)
            input = try Initializer.uniform(bound: (6 / (fanIn + fanOut)).squareRoot())(
                shape, dtype: dtype, using: &generator)
            let spread = try Tensor.range(width, dtype: dtype) * (-1 / Double(max(1, width - 1)))
            bias = try Tensor.concatenate([spread.expanded(at: 0), Tensor.zeros([2, width], dtype: dtype)])
        case .recipe:
            input = try Initializer.uniform(bound: (3 / fanIn).squareRoot())(shape, dtype: dtype, using: &generator)
        }
        output =
            try configuration.block || width != dModel
            ? Linear(inputSize: width, outputSize: dModel, bias: false, dtype: dtype, using: &generator) : nil
    }

    /// Normal draws, those beyond ±0.9 drawn again.
    private static func bounded(
        _ shape: Shape, deviation: Double, _ dtype: DType, _ generator: inout Generator
    ) throws -> Tensor {
        var x = try generator.normal(shape, deviation: deviation, dtype: dtype)
        let limit = try Tensor.full([], 0.9, dtype: dtype)
        while try x.abs().max().scalar() > 0.9 {
            let again = try generator.normal(shape, deviation: deviation, dtype: dtype)
            x = try Tensor.select(x.abs().greater(than: limit), again, x)
        }
        return x
    }

    func initialState(batch: Int) throws -> MixerState {
        let zeros = try Tensor.zeros([batch, bias.shape[1]], dtype: bias.dtype)
        let history = try conv?.initialHistory(batch: batch)
        switch (cell, history) {
        case (.gru, nil): return MixerState(batch: batch, ["h": zeros])
        case (.gru, let history?): return MixerState(batch: batch, ["h": zeros, "conv": history])
        case (.lstm, nil): return MixerState(batch: batch, ["h": zeros, "c": zeros])
        case (.lstm, let history?): return MixerState(batch: batch, ["h": zeros, "c": zeros, "conv": history])
        }
    }

    /// B of each head, its gates side by side, `[heads, inputs, 3 W / heads]`.
    private func maps() throws -> Tensor {
        try input.permuted([1, 3, 0, 2]).reshaped([input.shape[1], input.shape[3], 3 * input.shape[2]])
    }

    /// B a + b, `[batch, time, 3, W]` from `[batch, time, inputs]`.
    private func projected(_ a: Tensor, _ maps: Tensor) throws -> Tensor {
        let (heads, block, inputs) = (input.shape[1], input.shape[2], input.shape[3])
        let leading = Shape(a.shape.dropLast())
        let rows = try a.reshaped([-1, heads, inputs]).transposed(0, 1)
        let products = try rows.matmul(maps).reshaped([heads, -1, 3, block]).permuted([1, 2, 0, 3])
        return try products.reshaped(leading + [3, heads * block]) + bias
    }

    /// What the cell computes from projected gates `[batch, time, 3, W]`; moves the state on.
    private func run(_ gates: Tensor, state: inout MixerState, _ body: ([Tensor]) throws -> [Tensor]) throws -> Tensor {
        let states = (0..<cell.stateCount).map { state[$0] }
        let results = try body([gates, recurrent] + (peepholes.map { [$0] } ?? []) + states)
        for index in states.indices { state[index] = results[index + 1] }
        return results[0]
    }

    private func outputs(_ h: Tensor, gate: Tensor?) throws -> Tensor {
        var y = h
        if let gate, let norm { y = try norm(y) * gate.silu() }
        return try output.map { try $0(y) } ?? y
    }

    /// Products for all positions, then the cells one position after the other, or all at once by Newton's method.
    func chunk(_ x: Tensor, state: inout MixerState, newton: NewtonRecurrence? = nil) throws -> Tensor {
        guard x.shape[1] > 0 else { return x }
        let parts = try up.map { try $0(x).split(2, axis: -1) } ?? [x]
        let a = try conv.map { try $0(parts[0], history: &state["conv"]).silu() } ?? x
        let h = try run(projected(a, maps()), state: &state) { try DiagonalCellLoop(cell, newton: newton)($0) }
        state.advance(by: x.shape[1])
        return try outputs(h, gate: parts.count > 1 ? parts[1] : nil)
    }

    /// Single positions, with B laid out once.
    func makeStep() throws -> @Sendable (Tensor, inout MixerState) throws -> Tensor {
        let (maps, conv) = (try maps(), try conv?.makeStepper())
        return { x, state in
            let parts = try up.map { try $0(x).split(2, axis: -1) } ?? [x]
            let a = try conv.map { try $0(parts[0], history: &state["conv"]).silu() } ?? x
            let gates = try projected(a.expanded(at: 1), maps)
            let h = try run(gates, state: &state) { try DiagonalCellLoop(cell)($0) }
            return try outputs(h.squeezed(1), gate: parts.count > 1 ? parts[1] : nil)
        }
    }

    /// One position `[batch, D]` by the equations.
    func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let parts = try up.map { try $0(x).split(2, axis: -1) } ?? [x]
        let a = try conv.map { try $0.reference(parts[0], history: &state["conv"]).silu() } ?? x
        let h = try run(projected(a.expanded(at: 1), maps()), state: &state) {
            try DiagonalCellLoop(cell).reference($0)
        }
        return try outputs(h.squeezed(1), gate: parts.count > 1 ? parts[1] : nil)
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try up.forEachParameter(under: "up", visit)
        try conv.forEachParameter(under: "conv", visit)
        try visit("input.weight", &input)
        try visit("bias", &bias)
        try visit("recurrent", &recurrent)
        try peepholes.visit("peepholes", visit)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

extension ParaCellMixer {
    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState { try layer.initialState(batch: batch) }

    /// Products for all positions, then the cells position by position, channels side by side; or, if the options say
    /// so, some iterations of Newton's method.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let iterations = configuration.newtonIterations
        return try layer.chunk(x, state: &state, newton: iterations > 0 ? .iterating(iterations) : nil)
    }

    /// All positions at once by Newton's method; one after the other where it does not converge.
    public func parallel(_ x: Tensor) throws -> Tensor {
        var state = try initialState(batch: x.shape[0])
        try requireInput(x, state: state)
        return try layer.chunk(x, state: &state, newton: NewtonRecurrence())
    }

    /// Single positions, with the maps laid out once.
    public func makeStepper(batch: Int) throws -> any MixerStepper { try stepper(batch: batch, layer.makeStep()) }

    /// The cell's equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { try layer.reference($0, state: &$1) }
    }

    /// Inputs and gate of a block are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "up.weight" ? 2 : 1 }

    /// Visits `up`, `conv`, `input.weight`, `bias`, `recurrent`, `peepholes`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try layer.forEachParameter(visit)
    }
}

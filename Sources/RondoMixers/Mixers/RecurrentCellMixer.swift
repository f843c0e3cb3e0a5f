import RondoNN
import RondoTensor

/// A layer of recurrent cells as a mixer: W x + R h⁻ through the cell's gates, and a projection back if widths differ.
///
/// The classic cells differ in name, options and equations only; this is all that they share.
protocol RecurrentCellMixer: SequenceMixer where Configuration: RecurrentCellConfiguration {
    var layer: RecurrentLayer { get set }
    var output: Linear? { get set }
    init(configuration: Configuration, dModel: Int, layer: RecurrentLayer, output: Linear?)
}

/// What the configurations of the classic cells share.
protocol RecurrentCellConfiguration: MixerConfiguration {
    var hiddenSize: Int? { get }
    var heads: Int { get }
    /// The cell that the options choose.
    var cell: RecurrentCell { get }
    /// How the matrices begin.
    var initialization: RecurrentInitialization { get }
    /// The largest absolute eigenvalue of R where the initialisation asks for one.
    var spectralRadius: Double { get }
    /// The first offset of the gate that keeps the old state; the cell's if `nil`.
    var keepBias: Double? { get }
}

extension RecurrentCellConfiguration {
    var initialization: RecurrentInitialization { .uniform }
    var spectralRadius: Double { 1 }
    var keepBias: Double? { nil }

    /// The layer that the options describe.
    func layer(dModel: Int) -> RecurrentConfiguration {
        var layer = RecurrentConfiguration(
            cell: cell, inputSize: dModel, hiddenSize: hiddenSize ?? dModel, heads: heads)
        layer.initialization = initialization
        layer.spectralRadius = spectralRadius
        layer.keepBias = keepBias
        return layer
    }

    /// Refuses widths that cannot be built.
    public func validate(dModel: Int) throws {
        let width = hiddenSize ?? dModel
        try requireValue((1...1 << 20).contains(width), "hidden_size", width, "from 1 to 1048576")
        try requireValue(heads >= 1 && width % heads == 0, "heads", heads, "a divisor of the width, which is \(width)")
        try requireValue((0...1e3).contains(spectralRadius), "spectral_radius", spectralRadius, "from 0 to 1000")
        if let keepBias {
            let key = cell.keepGate == "z" ? "update_bias" : "forget_bias"
            try requireValue((-100...100).contains(keepBias), key, keepBias, "from -100 to 100")
        }
    }
}

extension RecurrentCellMixer {
    /// Creates a layer with random parameters; forget gates begin open.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        let width = configuration.hiddenSize ?? dModel
        let layer = try RecurrentLayer(configuration.layer(dModel: dModel), dtype: dtype, using: &generator)
        let output =
            try width == dModel
            ? nil : Linear(inputSize: width, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
        self.init(configuration: configuration, dModel: dModel, layer: layer, output: output)
    }

    /// Zeros for every state of the cell.
    public func initialState(batch: Int) throws -> MixerState {
        let zeros = try Tensor.zeros([batch, layer.hiddenSize], dtype: layer.weight.dtype.computationType)
        switch configuration.cell {
        case .elmanTanh, .elmanReLU, .elmanSigmoid, .elmanIdentity, .gru, .gruResetBefore, .leaky, .leakyOutside:
            return MixerState(batch: batch, ["h": zeros])
        case .lstm, .lstmNoForget, .lstm1997, .lstmPeephole, .lstmLayerNorm:
            return MixerState(batch: batch, ["h": zeros, "c": zeros])
        case .slstm: return MixerState(batch: batch, ["h": zeros, "c": zeros, "n": zeros, "m": zeros])
        }
    }

    /// One product for all positions, then the loop.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(layer, output: output, x, state: &state, mode: .kernel)
    }

    /// The cell's equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(layer, output: output, x, state: &state, mode: .reference)
    }

    /// Matrices packed once.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        try RecurrentCellStepper(layer, output: output, batch: batch)
    }

    /// The gates of the input matrix are maps of their own.
    public func blockCount(ofParameter path: String) -> Int {
        path == "weight" ? configuration.cell.inputGates.count : 1
    }

    /// Visits the layer's parameters, and `output.weight` if widths differ.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try layer.forEachParameter(visit)
        try output.forEachParameter(under: "output", visit)
    }
}

extension SequenceMixer {
    /// Reads a piece `[batch, time, dModel]` through a layer, whose states are all that is remembered.
    func run(
        _ layer: RecurrentLayer, output: Linear?, _ x: Tensor, state: inout MixerState, mode: FusedMode
    ) throws -> Tensor {
        try requireInput(x, state: state)
        let result = try layer(x.transposed(0, 1), state: state.named.tensors, mode: mode)
        state = try state.replacingTensors(result.state)
        state.advance(by: x.shape[1])
        let hidden = try result.output.transposed(0, 1)
        return try output.map { try $0(hidden) } ?? hidden
    }
}

/// A recurrent layer position by position, without allocation.
struct RecurrentCellStepper: MixerStepper {
    private let layer: RecurrentLayer
    private var projection: RowProduct
    private var cell: RecurrentStep
    private var output: RowProduct?
    private var states: [Tensor] = []

    init(_ layer: RecurrentLayer, output: Linear?, batch: Int) throws {
        self.layer = layer
        projection = try RowProduct(weight: layer.weight, rows: batch)
        let zeros = try Tensor.zeros([batch, layer.hiddenSize], dtype: layer.weight.dtype.computationType)
        cell = try RecurrentStep(
            layer.cell,
            .init(
                projection: projection.output, recurrent: layer.recurrent,
                states: layer.cell.stateNames.map { _ in zeros }, extras: layer.extras, bias: layer.bias))
        self.output = try output?.makeStepper(rows: batch)
    }

    mutating func callAsFunction(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try projection(x)
        // The leaves move out of the state and back, so that they have one owner and change in place.
        state.takeLeaves(into: &states)
        try cell(layer.normalizing(projection.output), states: &states)
        state.returnLeaves(&states)
        state.advance(by: 1)
        guard output != nil else { return state[0] }
        try output?(state[0])
        return output?.output ?? state[0]
    }
}

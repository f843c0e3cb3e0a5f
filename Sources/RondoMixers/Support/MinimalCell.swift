import RondoNN
import RondoTensor

/// The shape of a minimal GRU or LSTM.
public struct MinimalCellConfiguration: MixerConfiguration {
    /// The width of the state as a multiple of the model's.
    public var expansion = 1.0
    /// What the candidate passes through.
    public var candidate = CandidateActivation.linear

    /// Creates the defaults.
    public init() {}

    /// Refuses widths that cannot be built.
    public func validate(dModel: Int) throws {
        try requireValue(expansion > 0 && expansion <= 64, "expansion", expansion, "above 0 and at most 64")
    }

    func width(_ dModel: Int) -> Int { max(1, Int((expansion * Double(dModel)).rounded())) }
}

/// What the candidate of a minimal cell passes through.
public enum CandidateActivation: String, Codable, Sendable, CaseIterable {
    /// Nothing.
    case linear
    /// x + 1/2 for x ≥ 0 and σ(x) below: positive, as the form in logarithms needs it.
    case positive

    /// Applies it.
    func callAsFunction(_ x: Tensor) throws -> Tensor {
        switch self {
        case .linear: x
        case .positive:
            // σ(min(x, 0)) is 1/2 where x ≥ 0.
            try x.relu() + x.clamped(-.infinity, 0).sigmoid()
        }
    }
}

/// Cells whose gates see the input alone, so that h = keep ⊙ h⁻ + add is a scan: all that minGRU and minLSTM share.
protocol MinimalCellMixer: TransitionReporting where Configuration == MinimalCellConfiguration {
    /// The maps that a position needs: gates and candidate.
    static var mapCount: Int { get }
    /// To the gates and the candidate, `[mapCount E D, D]`.
    var input: Linear { get set }
    /// Back, `[D, E D]`.
    var output: Linear { get set }

    init(configuration: Configuration, dModel: Int, input: Linear, output: Linear)

    /// What stays of the state, and what is added, from the products of the maps.
    func gates(_ products: [Tensor]) throws -> (keep: Tensor, add: Tensor)
}

extension MinimalCellMixer {
    /// Shapes for laws and documentation.
    public static var examples: [MixerExample<Configuration>] {
        [
            MixerExample("identity", dModel: 5),
            MixerExample("positive, wider", dModel: 3) {
                $0.candidate = .positive
                $0.expansion = 2
            },
        ]
    }

    /// Creates a mixer with the weights of ``Linear``.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        let width = configuration.width(dModel)
        let input = try Linear(
            inputSize: dModel, outputSize: Self.mapCount * width, dtype: dtype, using: &generator)
        let output = try Linear(inputSize: width, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
        self.init(configuration: configuration, dModel: dModel, input: input, output: output)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let dtype = output.weight.dtype.computationType
        return MixerState(batch: batch, ["h": try Tensor.zeros([batch, output.weight.shape[1]], dtype: dtype)])
    }

    /// One product for all positions, then a scan.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let (keep, add) = try gates(input(x).split(Self.mapCount, axis: -1))
        let scanned = try DiagonalScan()([keep, add, state["h"]])
        state["h"] = scanned[1]
        state.advance(by: x.shape[1])
        return try output(scanned[0])
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let (keep, add) = try gates(input(x).split(Self.mapCount, axis: -1))
            state["h"] = try keep * state["h"] + add
            return try output(state["h"])
        }
    }

    /// What stays of the state.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try requireInput(x, state: state)
        return try ComplexTensor(real: gates(input(x).split(Self.mapCount, axis: -1)).keep)
    }

    /// Gates and candidate are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "input.weight" ? Self.mapCount : 1 }

    /// Visits `input` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

public import RondoNN
public import RondoTensor

/// The MinMax recurrent neural cascade: states are held between two bounds, so that they store values exactly.
public struct MinMaxRNC: SequenceMixer {
    /// The shape of a MinMax layer.
    public struct Configuration: MixerConfiguration {
        /// What stands around the neurons.
        public enum Arrangement: String, Codable, Sendable, CaseIterable {
            /// Convolution, then feed-forward, whose result (with the input) only the neurons read: the authors' code.
            case code
            /// Convolution, feed-forward and neurons one after the other, each with a residual: the authors' text.
            case chained
            /// The neurons alone.
            case neuron
        }

        /// How two positions are mixed.
        public enum Convolution: String, Codable, Sendable, CaseIterable {
            /// By a full matrix.
            case basic
            /// By a learned share for each channel.
            case gated
        }

        /// Neurons, D; the model's width if `nil`.
        public var stateSize: Int?
        /// Numbers in each neuron, N from 1 (scalar) to 4: with more, a neuron can permute and so count.
        public var neuronSize = 1
        /// What stands around the neurons.
        public var arrangement = Arrangement.code
        /// How two positions are mixed.
        public var convolution = Convolution.basic
        /// Whether the states are gated on their way out.
        public var outputGate = true
        /// The number of layers, by which the first values of output maps are divided.
        public var depth = 2

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            let size = stateSize ?? dModel
            try requireValue((1...1 << 20).contains(size), "state_size", size, "from 1 to 1048576")
            try requireValue((1...4).contains(neuronSize), "neuron_size", neuronSize, "from 1 to 4")
            try requireValue((1...10_000).contains(depth), "depth", depth, "from 1 to 10000")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "minmax_rnc", title: "MinMax RNC", family: .nonlinear,
        summary: "recurrence in the (max, min) algebra: bounded states that store values exactly",
        equations: """
            c = W_c [LN(x)⁻, LN(x)] + b_c                     (gated: c = σ(g) ⊙ LN(x)⁻ + (1 - σ(g)) ⊙ LN(x))
            φ = W_2 (relu(γ) ⊙ ν) + b_2, (γ, ν) = W_1 LN(x + c) + b_1
            u = LN(x + φ)                                      (u = x for neurons alone)
            r = W_r u + b_r, s = W_s u + b_s
            h = max(min(r, h⁻), s)                             (matrices: h_i = max(max_j min(r_ij, h_j⁻), s_i))
            y = W_o (h ⊙ σ(W_g u + b_g)) + b_o
            """,
        source: "Ronca, MinMax recurrent neural cascades, 2026",
        complexity: "sequence O(T D M) products and a loop O(T D N²); step O(D M); state D N + M",
        notes: "The authors' text chains x₁ = x + c, x₂ = x₁ + φ(LN(x₁)) and x₂ + y instead; arrangement chooses. The "
            + "paper's matrix neurons are not parameterised in public: here a linear map makes all N² entries. Dropout of "
            + "the feed-forward part and a learned first state are left out.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("as the code", dModel: 5) { $0.stateSize = 7 },
        MixerExample("chained, gated convolution", dModel: 4) {
            $0.arrangement = .chained
            $0.convolution = .gated
        },
        MixerExample("matrix neurons alone", dModel: 3) {
            $0.neuronSize = 3
            $0.arrangement = .neuron
            $0.outputGate = false
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var surroundings: MinMaxSurroundings?
    /// To r `N² D` and s `N D`.
    public var bounds: Linear
    /// The output gate, `[N D, M]`.
    public var gate: Linear?
    /// Back, `[M, N D]`.
    public var output: Linear

    /// Creates a mixer as the authors' "scaled" choice.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (count, numbers) = (configuration.stateSize ?? dModel, configuration.neuronSize)
        surroundings =
            try configuration.arrangement == .neuron
            ? nil : MinMaxSurroundings(configuration, dModel: dModel, dtype: dtype, using: &generator)
        let deviation = (0.4 / Double(dModel)).squareRoot()
        bounds = try Linear.normal(
            dModel, numbers * (numbers + 1) * count, deviation: deviation, dtype: dtype, using: &generator)
        gate =
            try configuration.outputGate
            ? Linear(inputSize: dModel, outputSize: numbers * count, dtype: dtype, using: &generator) : nil
        let outward = 2 / (Double(configuration.depth) * Double(dModel).squareRoot())
        output = try Linear.normal(numbers * count, dModel, deviation: outward, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let (numbers, dtype) = (configuration.neuronSize, output.weight.dtype.computationType)
        let zeros = try Tensor.zeros([batch, numbers, output.weight.shape[1] / numbers], dtype: dtype)
        guard surroundings != nil else { return MixerState(batch: batch, ["h": zeros]) }
        return MixerState(batch: batch, ["h": zeros, "before": try Tensor.zeros([batch, dModel], dtype: dtype)])
    }

    /// r `[..., N, N, D]` and s `[..., N, D]`.
    private func limits(_ u: Tensor) throws -> (upper: Tensor, lower: Tensor) {
        let (numbers, leading) = (configuration.neuronSize, Shape(u.shape.dropLast()))
        let all = try bounds(u)
        let count = bounds.weight.shape[0] / (numbers * (numbers + 1))
        let first = numbers * numbers * count
        return (
            try all.channels(0..<first).reshaped(leading + [numbers, numbers, count]),
            try all.channels(first..<first + numbers * count).reshaped(leading + [numbers, count])
        )
    }

    private func outputs(_ h: Tensor, _ u: Tensor) throws -> Tensor {
        let states = try h.joiningHeads()
        return try output(gate.map { try states * $0(u).sigmoid() } ?? states)
    }

    /// Products for all positions, then the loop, neurons side by side.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let time = x.shape[1]
        guard time > 0 else { return x }
        var before = state
        let parts = try surroundings?.callAsFunction(x) { normed in
            let first = try before["before"].expanded(at: 1)
            before["before"] = try normed.selecting(1, -1).contiguous()
            return try Tensor.concatenate([first, normed.sliced(1, 0..<time - 1)], axis: 1)
        }
        state = before
        let u = parts?.input ?? x
        let (upper, lower) = try limits(u)
        let states: Tensor
        if configuration.neuronSize == 1 {
            let result = try MinMaxRecurrence()([
                upper.squeezed(2).squeezed(2), lower.squeezed(2), state["h"].squeezed(1),
            ])
            states = try result[0].expanded(at: 2)
            state["h"] = try result[1].expanded(at: 1)
        } else {
            let result = try MinMaxRecurrence()([upper, lower, state["h"]])
            (states, state["h"]) = (result[0], result[1])
        }
        state.advance(by: time)
        let y = try outputs(states, u)
        return try parts?.added.map { try $0 + y } ?? y
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            var before = state
            let parts = try surroundings?.callAsFunction(x) { normed in
                defer { before["before"] = normed }
                return before["before"]
            }
            state = before
            let u = parts?.input ?? x
            let (upper, lower) = try limits(u)
            let held = try upper.minimum(state["h"].expanded(at: 1)).max([2])
            state["h"] = try held.maximum(lower)
            let y = try outputs(state["h"], u)
            return try parts?.added.map { try $0 + y } ?? y
        }
    }

    /// Visits `surroundings`, `bounds`, `gate` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try surroundings.forEachParameter(under: "surroundings", visit)
        try bounds.forEachParameter(under: "bounds", visit)
        try gate.forEachParameter(under: "gate", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

/// The convolution over two positions and the feed-forward part before the neurons.
struct MinMaxSurroundings: Module {
    let arrangement: MinMaxRNC.Configuration.Arrangement
    /// Before the convolution, the feed-forward part and the neurons.
    var norms: [LayerNorm]
    /// W_c, `[M, 2 M]`, the position before first.
    var conv: Linear?
    /// g, `[M]`.
    var share: Tensor?
    /// To γ and ν.
    var up: Linear
    var down: Linear

    init(
        _ configuration: MinMaxRNC.Configuration, dModel: Int, dtype: DType, using generator: inout Generator
    ) throws {
        arrangement = configuration.arrangement
        norms = try (0..<3).map { _ in try LayerNorm(size: dModel, dtype: dtype) }
        switch configuration.convolution {
        case .basic:
            conv = try Linear(inputSize: 2 * dModel, outputSize: dModel, dtype: dtype, using: &generator)
        case .gated:
            share = try Tensor.zeros([dModel], dtype: dtype)
        }
        let half = Int((0.65 * Double(dModel)).rounded(.up))
        let outward = 2 / (Double(configuration.depth) * Double(dModel).squareRoot())
        up = try Linear.normal(
            dModel, 2 * half, deviation: (0.4 / Double(dModel)).squareRoot(), dtype: dtype, using: &generator)
        down = try Linear.normal(half, dModel, deviation: outward, dtype: dtype, using: &generator)
    }

    /// What the neurons read, and what is added to their output.
    ///
    /// `before` gives the values before those given, and remembers these.
    func callAsFunction(
        _ x: Tensor, before: (Tensor) throws -> Tensor
    ) throws -> (input: Tensor, added: Tensor?) {
        let present = try norms[0](x)
        let past = try before(present)
        let mixed: Tensor
        if let share {
            let kept = try share.sigmoid()
            mixed = try kept * past + (1 - kept) * present
        } else {
            mixed = try conv?(Tensor.concatenate([past, present], axis: -1)) ?? present
        }
        let parts = try up(norms[1](x + mixed)).split(2, axis: -1)
        let forward = try down(parts[0].relu() * parts[1])
        guard arrangement == .chained else { return (try norms[2](x + forward), nil) }
        let added = try mixed + forward
        return (try norms[2](x + added), added)
    }

    mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try norms.forEachParameter(under: "norms", visit)
        try conv.forEachParameter(under: "conv", visit)
        try share.visit("share", visit)
        try up.forEachParameter(under: "up", visit)
        try down.forEachParameter(under: "down", visit)
    }
}

extension Linear {
    /// A map with normally distributed weights and offsets 0.
    fileprivate static func normal(
        _ inputs: Int, _ outputs: Int, deviation: Double, dtype: DType, using generator: inout Generator
    ) throws -> Linear {
        var map = try Linear(inputSize: inputs, outputSize: outputs, dtype: dtype, using: &generator)
        map.weight = try generator.normal([outputs, inputs], deviation: deviation, dtype: dtype)
        map.bias = try Tensor.zeros([outputs], dtype: dtype)
        return map
    }
}

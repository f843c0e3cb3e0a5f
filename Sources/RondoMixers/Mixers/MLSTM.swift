public import RondoNN
public import RondoTensor

/// The mLSTM of xLSTM: a matrix memory with an exponential input gate, kept in range by a stabiliser.
public struct MLSTM: SequenceMixer {
    /// The shape of an mLSTM layer.
    public struct Configuration: MixerConfiguration {
        /// The number of heads.
        public var heads = 4
        /// The width of queries and keys as a share of the model's.
        public var expandKey = 0.5
        /// The width of values as a multiple of the model's.
        public var expandValue = 1.0
        /// Input and forget gates are kept in ± this by tanh; no limit if `nil`.
        public var gateSoftCap: Double?
        /// Added to the denominator of h.
        public var denominatorEpsilon = 1e-6
        /// Added to the variance of a head before its root is taken.
        public var normEpsilon = 1e-5

        /// Creates the defaults.
        public init() {}

        /// Refuses widths that cannot be built.
        public func validate(dModel: Int) throws {
            try requireValue(heads >= 1, "heads", heads, "at least 1")
            let (key, value) = (keyWidth(dModel), valueWidth(dModel))
            try requireValue(key >= 1 && key % heads == 0, "expand_key", expandKey, "such that heads divide the width")
            try requireValue(
                value >= 1 && value % heads == 0, "expand_value", expandValue, "such that heads divide the width")
            if let gateSoftCap { try requireValue(gateSoftCap > 0, "gate_soft_cap", gateSoftCap, "above 0") }
            for (key, value) in [("denominator_epsilon", denominatorEpsilon), ("norm_epsilon", normEpsilon)] {
                try requireValue(value > 0 && value < 1, key, value, "above 0 and below 1")
            }
        }

        func keyWidth(_ dModel: Int) -> Int { scaledWidth(dModel, by: expandKey) }
        func valueWidth(_ dModel: Int) -> Int { scaledWidth(dModel, by: expandValue) }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "mlstm", title: "mLSTM", family: .matrixState,
        summary: "matrix memory with exponential input gates and a normaliser, kept in range by a stabiliser",
        equations: """
            q, k, v = W_q x / √d, W_k x, W_v x       (in heads);  i, f = W_i x + b_i, W_f x + b_f (one for each head)
            m = max(log σ(f) + m⁻, i)                (stabiliser)
            i' = exp(i - m), f' = exp(log σ(f) + m⁻ - m)
            C = f' C⁻ + i' k vᵀ,  n = f' n⁻ + i' k
            h = Cᵀ q / (max(|n · q|, exp(-m)) + ε)
            y = W_o (σ(W_g x) ⊙ LN_head(h))
            """,
        source: "Beck et al., xLSTM: Extended long short-term memory, 2024, equations 19 to 27",
        complexity: "sequence O(T D (D + chunk)); step O(D²); state expand_key (expand_value D + H) D / H + H")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("two heads", dModel: 8) { $0.heads = 2 },
        MixerExample("soft cap", dModel: 6) {
            $0.heads = 3
            $0.expandKey = 1
            $0.gateSoftCap = 15
            $0.denominatorEpsilon = 1e-3
            $0.normEpsilon = 1e-4
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To queries, keys, values and the output gate.
    public var input: Linear
    /// To the input and the forget gate of each head, `[2 H, D]`.
    public var gates: Linear
    var norm: HeadNorm
    /// Back.
    public var output: Linear

    /// Creates a mixer; input gates begin almost shut (bias -10), forget gates open (3 to 6).
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (key, value) = (configuration.keyWidth(dModel), configuration.valueWidth(dModel))
        let heads = configuration.heads
        input = try Linear(
            inputSize: dModel, outputSize: 2 * (key + value), bias: false, dtype: dtype, using: &generator)
        gates = try Linear(inputSize: dModel, outputSize: 2 * heads, dtype: dtype, using: &generator)
        let open = (0..<heads).map { 3 + 3 * Double($0) / Double(max(1, heads - 1)) }
        gates.bias = try Tensor(Array(repeating: -10, count: heads) + open).cast(to: dtype)
        norm = try HeadNorm(
            .layer, heads: heads, width: value / heads, epsilon: configuration.normEpsilon, dtype: dtype)
        output = try Linear(inputSize: value, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// Zeros; the normaliser n is a last column of C.
    public func initialState(batch: Int) throws -> MixerState {
        let (heads, dtype) = (configuration.heads, input.weight.dtype.computationType)
        let shape: Shape = [
            batch, heads, configuration.keyWidth(dModel) / heads, configuration.valueWidth(dModel) / heads + 1,
        ]
        return MixerState(
            batch: batch,
            ["c": try Tensor.zeros(shape, dtype: dtype), "m": try Tensor.zeros([batch, heads], dtype: dtype)])
    }

    private struct Parts {
        var q: Tensor
        var k: Tensor
        /// With a column of ones.
        var v: Tensor
        /// The logarithms of both gates, `[..., H]`.
        var inputGate: Tensor
        var forgetGate: Tensor
        var outputGate: Tensor
    }

    private func projected(_ x: Tensor) throws -> Parts {
        let (all, heads) = (try input(x), configuration.heads)
        let (key, value) = (configuration.keyWidth(dModel), configuration.valueWidth(dModel))
        var both = try gates(x)
        if let cap = configuration.gateSoftCap { both = try (both / cap).tanh() * cap }
        let v = try all.channels(2 * key..<2 * key + value).splittingHeads(heads)
        let ones = try Tensor.ones(Shape(v.shape.dropLast()) + [1], dtype: x.dtype)
        return Parts(
            q: try (all.channels(0..<key) * (1 / Double(key / heads).squareRoot())).splittingHeads(heads),
            k: try all.channels(key..<2 * key).splittingHeads(heads),
            v: try Tensor.concatenate([v, ones], axis: -1), inputGate: try both.channels(0..<heads),
            forgetGate: try both.channels(heads..<2 * heads).logSigmoid(),
            outputGate: try all.channels(2 * key + value..<2 * (key + value)).sigmoid())
    }

    private func outputs(_ o: Tensor, m: Tensor, gate: Tensor) throws -> Tensor {
        let width = o.shape[o.rank - 1] - 1
        // Beyond e^60 the denominator only makes the output vanish; infinities would spoil derivatives.
        let least = try (-m).clamped(-.infinity, 60).exp().expanded(at: -1)
        let weight = try o.channels(width..<width + 1).abs().maximum(least) + configuration.denominatorEpsilon
        return try output(norm(o.channels(0..<width) / weight).joiningHeads() * gate)
    }

    /// The stabiliser by a scan; then both gates are decays of linear attention.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let time = x.shape[1]
        guard time > 0 else { return x }
        let parts = try projected(x)
        let m = try MaxPlusScan()([parts.forgetGate, parts.inputGate, state["m"]])
        let before = try Tensor.concatenate([state["m"].expanded(at: 1), m[0].sliced(1, 0..<time - 1)], axis: 1)
        let k = try parts.k * (parts.inputGate - m[0]).exp().expanded(at: -1)
        let result = try LinearAttention(decay: .scalar, keepsIntermediates: k.requiresGradient)([
            parts.q, k, parts.v, state["c"], parts.forgetGate + before - m[0],
        ])
        (state["c"], state["m"]) = (result[1], m[1])
        state.advance(by: time)
        return try outputs(result[0], m: m[0], gate: parts.outputGate)
    }

    /// One pass over C in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        stepper(batch: batch) { x, state in
            let parts = try projected(x)
            let decayed = try parts.forgetGate + state["m"]
            let m = try decayed.maximum(parts.inputGate)
            let k = try parts.k * (parts.inputGate - m).exp().expanded(at: -1)
            state["m"] = m
            let o = try LinearAttention(decay: .scalar).step(
                q: parts.q, k: k, v: parts.v, g: decayed - m, state: &state["c"])
            return try outputs(o, m: m, gate: parts.outputGate)
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            let parts = try projected(x)
            let decayed = try parts.forgetGate + state["m"]
            let m = try decayed.maximum(parts.inputGate)
            let k = try parts.k * (parts.inputGate - m).exp().expanded(at: -1)
            state["m"] = m
            let o = try LinearAttentionEquations.step(
                q: parts.q, k: k, v: parts.v, decay: (decayed - m).exp().expanded(at: -1), state: &state["c"])
            return try outputs(o, m: m, gate: parts.outputGate)
        }
    }

    /// Visits `input`, `gates`, `norm` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try gates.forEachParameter(under: "gates", visit)
        try norm.forEachParameter(under: "norm", visit)
        try output.forEachParameter(under: "output", visit)
    }
}

public import RondoNN
public import RondoTensor

/// The time mixing of RWKV-4: an average of values whose weights decay, with a weight of its own for the present.
public struct RWKV4: SequenceMixer {
    /// The shape of an RWKV-4 time-mixing layer.
    public struct Configuration: MixerConfiguration {
        /// The number of averages; the model's width if `nil`.
        public var width: Int?

        /// Creates the defaults.
        public init() {}

        /// Refuses widths that cannot be built.
        public func validate(dModel: Int) throws {
            if let width { try requireValue((1...1 << 20).contains(width), "width", width, "from 1 to 1048576") }
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "rwkv4", title: "RWKV-4", family: .vectorState,
        summary: "time mixing of RWKV-4: averages of values with decaying weights e^k, gated",
        equations: """
            x_c = x + μ_c ⊙ (x⁻ - x)                  for c in r, k, v  (x⁻: the position before)
            r, k, v = W_r x_r, W_k x_k, W_v x_v
            a = e^{-e^ω} ⊙ a⁻ + e^k ⊙ v
            b = e^{-e^ω} ⊙ b⁻ + e^k
            y = W_o (σ(r) ⊙ (a⁻ + e^{u + k} ⊙ v) / (b⁻ + e^{u + k}))
            """,
        source: "Peng et al., RWKV: Reinventing RNNs for the transformer era, 2023 (equations 11 to 16, appendix D)",
        complexity: "sequence O(T D²) products and scans O(T D); step O(D²); state 4 D",
        notes:
            "The state keeps a and b divided by e^m, with m the running maximum of the weights' exponents, so that no "
            + "exponential overflows. μ weighs the position before; the paper's weighs the present one.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("default", dModel: 5),
        MixerExample("wider", dModel: 3) { $0.width = 7 },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// μ of r, k and v, `[3, D]`.
    public var mix: Tensor
    /// W_r, W_k, W_v, each `[width, D]`.
    public var maps: [Linear]
    /// ω `[width]`.
    public var decay: Tensor
    /// u `[width]`.
    public var bonus: Tensor
    /// Back, `[D, width]`.
    public var output: Linear

    /// Creates a mixer with the weights of ``Linear``; decays begin spread over the channels, from long to short.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let width = configuration.width ?? dModel
        mix = try generator.uniform([3, dModel], low: 0, high: 1, dtype: dtype)
        maps = try (0..<3).map { _ in
            try Linear(inputSize: dModel, outputSize: width, bias: false, dtype: dtype, using: &generator)
        }
        decay = try Tensor((0..<width).map { -5 + 8 * Double($0) / Double(max(1, width - 1)) }).cast(to: dtype)
        // The present begins with 0.3 of its weight in the averages to come.
        bonus = try generator.normal([width], deviation: 0.3, dtype: dtype) - 1.2
        output = try Linear(inputSize: width, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// Nothing seen: a maximum of -∞, no weight.
    public func initialState(batch: Int) throws -> MixerState {
        let (shape, dtype): (Shape, DType) = ([batch] + decay.shape, decay.dtype)
        return MixerState(
            batch: batch,
            [
                "shift": try Tensor.zeros([batch, dModel], dtype: dtype),
                "numerator": try Tensor.zeros(shape, dtype: dtype),
                "denominator": try Tensor.zeros(shape, dtype: dtype),
                "maximum": try Tensor.full(shape, -.infinity, dtype: dtype),
            ])
    }

    private struct Parts {
        var gate: Tensor
        var k: Tensor
        var v: Tensor
    }

    private func parts(_ x: Tensor, before: Tensor) throws -> Parts {
        let difference = try before - x
        let mapped = try (0..<3).map { try maps[$0](x + difference * mix.selecting(0, $0)) }
        return Parts(gate: try mapped[0].sigmoid(), k: mapped[1], v: mapped[2])
    }

    /// The gated averages of what came before and of the present, `[..., D]`.
    private func outputs(_ parts: Parts, numerator: Tensor, denominator: Tensor, maximum: Tensor) throws -> Tensor {
        let exponent = try parts.k + bonus
        // The quotient is the same for every common factor, so that none of its derivatives goes through this one.
        let top = try maximum.maximum(exponent).detached()
        let (past, present) = (try (maximum - top).exp(), try (exponent - top).exp())
        let average = try (past * numerator + present * parts.v) / (past * denominator + present)
        return try output(parts.gate * average)
    }

    /// The maximum by a scan, then both sums by scans with its differences as gates.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        guard x.shape[1] > 0 else { return x }
        let parts = try parts(x, before: x.delayed(after: state["shift"]))
        let logDecay = try -decay.exp()
        let maxima = try MaxPlusScan()([logDecay, parts.k, state["maximum"]])
        let maximum = try maxima[0].delayed(after: state["maximum"])
        let (keep, weight) = (try (maximum + logDecay - maxima[0]).exp(), try (parts.k - maxima[0]).exp())
        let numerators = try DiagonalScan()([keep, weight * parts.v, state["numerator"]])
        let denominators = try DiagonalScan()([keep, weight, state["denominator"]])
        let y = try outputs(
            parts, numerator: numerators[0].delayed(after: state["numerator"]),
            denominator: denominators[0].delayed(after: state["denominator"]), maximum: maximum)
        state["shift"] = try x.selecting(1, -1).contiguous()
        (state["numerator"], state["denominator"], state["maximum"]) = (numerators[1], denominators[1], maxima[1])
        state.advance(by: x.shape[1])
        return y
    }

    /// One position by the equations: fewer operations than a chunk.
    public func step(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x.expanded(at: 1), state: state)
        defer { state.advance(by: 1) }
        return try position(x, state: &state)
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { try position($0, state: &$1) }
    }

    private func position(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let parts = try parts(x, before: state["shift"])
        let y = try outputs(
            parts, numerator: state["numerator"], denominator: state["denominator"], maximum: state["maximum"])
        let decayed = try state["maximum"] - decay.exp()
        let maximum = try decayed.maximum(parts.k)
        let (keep, weight) = (try (decayed - maximum).exp(), try (parts.k - maximum).exp())
        state["shift"] = x
        state["numerator"] = try keep * state["numerator"] + weight * parts.v
        state["denominator"] = try keep * state["denominator"] + weight
        state["maximum"] = maximum
        return y
    }

    /// Visits `mix`, `maps`, `decay`, `bonus` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("mix", &mix)
        try maps.forEachParameter(under: "maps", visit)
        try visit("decay", &decay)
        try visit("bonus", &bonus)
        try output.forEachParameter(under: "output", visit)
    }
}

public import RondoNN
public import RondoTensor

/// The recurrent block of Griffin around the real-gated linear recurrent unit (RG-LRU).
public struct RGLRU: TransitionReporting {
    /// The shape of a Griffin recurrent block.
    public struct Configuration: MixerConfiguration {
        /// The nonlinearity of the output gate.
        public enum GateActivation: String, Codable, Sendable, CaseIterable {
            /// GELU by the error function.
            case gelu
            /// GELU's tanh form, as RecurrentGemma has it.
            case geluTanh = "gelu_tanh"
        }

        /// The width of the recurrence; the model's if `nil`.
        public var lruWidth: Int?
        /// Blocks on the diagonal of the gates' matrices.
        public var heads = 1
        /// Taps of the convolution before the recurrence.
        public var convWidth = 4
        /// Whether the first input of a sequence enters unscaled (as RecurrentGemma does) rather than by √(1 - a²).
        public var unscaledFirst = true
        /// The nonlinearity of the output gate.
        public var gateActivation = GateActivation.gelu

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            let width = lruWidth ?? dModel
            try requireValue((1...1 << 20).contains(width), "lru_width", width, "from 1 to 1048576")
            try requireValue(
                heads >= 1 && width % heads == 0, "heads", heads, "a divisor of the width, which is \(width)")
            try requireValue((1...1024).contains(convWidth), "conv_width", convWidth, "from 1 to 1024")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "rg_lru", title: "RG-LRU (Griffin)", family: .vectorState,
        summary: "Griffin's recurrent block: a gated diagonal recurrence after a short convolution",
        equations: """
            u = conv(W_x x + b_x), g = GELU(W_y x + b_y)
            r = σ(W_a u + b_a), i = σ(W_i u + b_i)         (block-diagonal W_a, W_i)
            a = exp(-8 softplus(Λ) ⊙ r)
            h = a ⊙ h⁻ + √(1 - a²) ⊙ (i ⊙ u)
            y = W_o (h ⊙ g) + b_o
            """,
        source: "De et al., Griffin: Mixing gated linear recurrences with local attention, 2024, section 2.4",
        complexity: "sequence O(T D²) products and a scan O(T D); step O(D²); state (1 + conv_width - 1) D")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("default", dModel: 5),
        MixerExample("two heads, wider", dModel: 3) {
            $0.lruWidth = 6
            $0.heads = 2
            $0.unscaledFirst = false
        },
        MixerExample("no convolution", dModel: 4) {
            $0.convWidth = 1
            $0.gateActivation = .geluTanh
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// To the recurrence and to the output gate, `[2 W, D]`.
    public var input: Linear
    /// Before the recurrence.
    public var conv: ShortConvolution
    /// The gates' matrices r then i, `[2, heads, W / heads, W / heads]`, output rows first.
    public var gateWeight: Tensor
    /// The gates' offsets, `[2, W]`.
    public var gateBias: Tensor
    /// Λ `[W]`: softplus(Λ) is the strongest decay, per 8.
    public var lambda: Tensor
    /// Back, `[D, W]`.
    public var output: Linear

    /// Creates a mixer; a at r = 1 begins uniform in area between 0.9 and 0.999.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (width, heads) = (configuration.lruWidth ?? dModel, configuration.heads)
        let block = width / heads
        input = try Linear(inputSize: dModel, outputSize: 2 * width, dtype: dtype, using: &generator)
        conv = try ShortConvolution(channels: width, width: configuration.convWidth, dtype: dtype, using: &generator)
        gateWeight = try generator.normal(
            [2, heads, block, block], deviation: 1 / Double(block).squareRoot(), dtype: dtype)
        gateBias = try Tensor.zeros([2, width], dtype: dtype)
        let square = try generator.uniform([width], low: 0.81, high: 0.998, dtype: .float64)
        // softplus(Λ) = -log(a) / 8, and a² is `square`.
        lambda = try (square.log() * (-1 / 16.0)).unary(.expm1).log().cast(to: dtype)
        output = try Linear(inputSize: width, outputSize: dModel, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        MixerState(
            batch: batch,
            [
                "h": try Tensor.zeros([batch, lambda.shape[0]], dtype: lambda.dtype),
                "conv": try conv.initialHistory(batch: batch),
            ])
    }

    /// What stays of the state and what is added, from u `[batch, time, W]`; rows at their first position where
    /// `isFirst`, `[batch, time, 1]`, is 1.
    private func gates(_ u: Tensor, isFirst: Tensor) throws -> (keep: Tensor, add: Tensor) {
        let heads = configuration.heads
        let parts = try u.reshaped(Shape(u.shape.dropLast()) + [heads, -1])
        let rows = try parts.reshaped([-1, heads, parts.shape[3]]).transposed(0, 1)
        let both = try (0..<2).map { index in
            let products = try rows.matmul(gateWeight.selecting(0, index).transposed())
            return try (products.transposed(0, 1).reshaped(u.shape) + gateBias.selecting(0, index)).sigmoid()
        }
        let logKeep = try lambda.softplus() * both[0] * -8
        // 1 - a² without cancellation where a is close to 1.
        let scale = try (-(logKeep * 2).unary(.expm1)).sqrt()
        return (try logKeep.exp(), try Tensor.select(isFirst, Tensor.ones([], dtype: u.dtype), scale) * both[1] * u)
    }

    private func outputGate(_ x: Tensor) throws -> Tensor {
        switch configuration.gateActivation {
        case .gelu: try x.gelu()
        case .geluTanh: try x.unary(.geluTanh)
        }
    }

    /// 1 where a row reads its first position unscaled, `[batch, time, 1]`.
    private func first(_ state: MixerState, time: Int) throws -> Tensor {
        let flags = state.positions.flatMap { position in
            (0..<time).map { configuration.unscaledFirst && position == 0 && $0 == 0 ? 1.0 : 0 }
        }
        return try Tensor(flags, shape: [state.batch, time, 1]).cast(to: lambda.dtype)
    }

    /// Products for all positions, then a scan.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        guard x.shape[1] > 0 else { return x }
        let parts = try input(x).split(2, axis: -1)
        let u = try conv(parts[0], history: &state["conv"])
        let (keep, add) = try gates(u, isFirst: first(state, time: x.shape[1]))
        let scanned = try DiagonalScan()([keep, add, state["h"]])
        state["h"] = scanned[1]
        state.advance(by: x.shape[1])
        return try output(scanned[0] * outputGate(parts[1]))
    }

    /// The history of the convolution moves on in place.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let conv = try conv.makeStepper()
        return stepper(batch: batch) { x, state in try position(x, state: &state) { try conv($0, history: &$1) } }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try scanning(x, state: &state) { x, state in
            try position(x, state: &state) { try conv.reference($0, history: &$1) }
        }
    }

    private func position(
        _ x: Tensor, state: inout MixerState, convolve: (Tensor, inout Tensor) throws -> Tensor
    ) throws -> Tensor {
        let parts = try input(x).split(2, axis: -1)
        let u = try convolve(parts[0], &state["conv"])
        let (keep, add) = try gates(u.expanded(at: 1), isFirst: first(state, time: 1))
        state["h"] = try keep.squeezed(1) * state["h"] + add.squeezed(1)
        return try output(state["h"] * outputGate(parts[1]))
    }

    /// Both halves of the input map are maps of their own.
    public func blockCount(ofParameter path: String) -> Int { path == "input.weight" ? 2 : 1 }

    /// a.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try requireInput(x, state: state)
        var history = state["conv"]
        let u = try conv(input(x).split(2, axis: -1)[0], history: &history)
        return try ComplexTensor(real: gates(u, isFirst: first(state, time: x.shape[1])).keep)
    }

    /// Visits `input`, `conv`, `gates.weight`, `gate_bias`, `lambda` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try conv.forEachParameter(under: "conv", visit)
        try visit("gates.weight", &gateWeight)
        try visit("gate_bias", &gateBias)
        try visit("lambda", &lambda)
        try output.forEachParameter(under: "output", visit)
    }
}

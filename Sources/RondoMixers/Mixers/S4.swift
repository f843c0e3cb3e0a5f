import RondoNN
public import RondoTensor

/// S4: structured state spaces whose dynamics are diagonal plus low rank.
public struct S4: SequenceMixer {
    /// The shape of an S4 layer.
    public struct Configuration: MixerConfiguration {
        /// States of each channel, N: real numbers, N / 2 complex ones.
        public var stateSize = 64
        /// Where the eigenvalues begin.
        public var initialization = SpectrumInitialization.legS
        /// How many sets of Λ, P and B the channels share; a divisor of the model's width.
        public var copies = 1
        /// The smallest step size at the beginning.
        public var minStep = 0.001
        /// The largest step size at the beginning.
        public var maxStep = 0.1
        /// What mixes the channels.
        public var mixing = ChannelMixing.gatedLinear

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            try requireValue(
                (2...4096).contains(stateSize) && stateSize % 2 == 0, "state_size", stateSize, "even, from 2 to 4096")
            try requireValue(
                copies >= 1 && dModel % max(1, copies) == 0, "copies", copies, "a divisor of the width \(dModel)")
            try requireValue(
                minStep > 0 && minStep <= maxStep && maxStep <= 10, "min_step, max_step", "\(minStep), \(maxStep)",
                "0 < min_step <= max_step <= 10")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "s4", title: "S4", family: .vectorState,
        summary: "structured state space, diagonal plus low rank, begun as HiPPO-LegS: long memory by convolution",
        equations: """
            A = diag(Λ) - P P*, Λ = -exp(ρ) + i ω     complex, N / 2 states and their conjugates
            s = Ā s⁻ + B̄ x,  Ā = (I - Δ/2 A)⁻¹ (I + Δ/2 A),  B̄ = (I - Δ/2 A)⁻¹ Δ B
            u = 2 Re(C · s) + d x
            y = (W₁ GELU(u)) ⊙ σ(W₂ GELU(u))          (mixing linear: W GELU(u); none: u)
            """,
        source: "Gu, Goel and Ré, Efficiently modeling long sequences with structured state spaces, 2021",
        complexity: "sequence O(T D (N + 32)) and O(D N³) for powers; step O(D N); state D N",
        notes:
            "C is stored itself, not the truncated C (I - Ā^T) of the official code. The parallel form makes the kernel "
            + "of the whole length from its generating function; a chunk works in blocks and carries the state.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("legs", dModel: 3) { $0.stateSize = 8 },
        MixerExample("linear, copies", dModel: 4) {
            $0.stateSize = 6
            $0.initialization = .linear
            $0.copies = 2
            $0.mixing = .linear
        },
        MixerExample("inverse, bare", dModel: 1) {
            $0.stateSize = 4
            $0.initialization = .inverse
            $0.mixing = .none
        },
        MixerExample("real", dModel: 5) {
            $0.stateSize = 10
            $0.initialization = .real
        },
        MixerExample("random, slow", dModel: 2) {
            $0.stateSize = 2
            $0.initialization = .random
            $0.maxStep = 0.001
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// Λ, B, C and Δ.
    var dynamics: StructuredDynamics
    /// P, `[2, copies, N / 2]`.
    public var lowRank: Tensor
    /// The direct path d, `[D]`.
    public var skip: Tensor
    /// GELU and the map of channels.
    var mixing: ChannelMixer

    /// Creates a mixer with eigenvalues as configured and steps uniform in their logarithm.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        dynamics = try StructuredDynamics(
            configuration.initialization, stateSize: configuration.stateSize, copies: configuration.copies,
            width: dModel,
            steps: configuration.minStep...configuration.maxStep, dtype: dtype, using: &generator)
        lowRank = try Self.initialLowRank(configuration, dtype: dtype, using: &generator)
        skip = try generator.normal([dModel], dtype: dtype)
        mixing = try ChannelMixer(
            configuration.mixing, inputs: dModel, outputs: dModel, dtype: dtype, using: &generator)
    }

    /// That of HiPPO-LegS in its eigenvectors; small and random beside other eigenvalues.
    private static func initialLowRank(
        _ configuration: Configuration, dtype: DType, using generator: inout Generator
    ) throws -> Tensor {
        let (size, copies) = (configuration.stateSize, configuration.copies)
        guard configuration.initialization == .legS, !generator.drawsZeros else {
            let isSmall = configuration.initialization == .gaussian
            let deviation = isSmall ? 0.5 / Double(size).squareRoot() : 0.5
            return try generator.normal([2, copies, size / 2], deviation: deviation, dtype: dtype)
        }
        let p = HiPPO.diagonalizedLegS(size).project(HiPPO.lowRank(size))
        let values = [p.real.values, p.imaginary.values].flatMap { Array(repeating: $0, count: copies).flatMap { $0 } }
        return try Tensor(values, shape: [2, copies, size / 2]).cast(to: dtype)
    }

    /// Zeros: real parts beside imaginary ones.
    public func initialState(batch: Int) throws -> MixerState {
        MixerState(
            batch: batch, ["s": try Tensor.zeros([batch, dModel, configuration.stateSize], dtype: skip.dtype)])
    }

    /// Λ, P, B, C and Δ for every channel.
    private func perChannel() throws -> LowRankDynamics {
        LowRankDynamics(
            eigenvalues: try dynamics.eigenvalues().mapped(dynamics.forChannels),
            lowRank: try ComplexTensor(parts: lowRank).mapped(dynamics.forChannels),
            input: try ComplexTensor(parts: dynamics.input).mapped(dynamics.forChannels),
            readout: try ComplexTensor(parts: dynamics.readout), step: try dynamics.step())
    }

    /// The first taps of the convolution of every channel, `[D, length]`, from its generating function.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` for a length below 1.
    public func kernel(length: Int) throws -> Tensor {
        try requireValue(length >= 1, "length", length, "1 or more")
        return try perChannel().kernel(length: length)
    }

    /// What follows the convolution y of some inputs.
    func output(_ y: Tensor, _ x: Tensor) throws -> Tensor { try mixing(y + skip * x) }

    /// Blocks of the convolution, joined by their states.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        var states = state[0]
        let y = try perChannel().system()(x, state: &states).squeezed(-1)
        state[0] = states
        state.advance(by: x.shape[1])
        return try output(y, x)
    }

    /// The convolution with the kernel of the whole length, made from its generating function.
    public func parallel(_ x: Tensor) throws -> Tensor {
        try requireInput(x, state: initialState(batch: x.shape.first ?? 0))
        guard x.shape[1] > 0 else { return x }
        return try output(LongConvolution()([x, kernel(length: x.shape[1])])[0], x)
    }

    /// The recurrence of the source in O(N), position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let channels = try perChannel()
        return try scanning(x, state: &state) { x, state in
            let parts = try state[0].split(2, axis: -1)
            let s = try channels.advance(ComplexTensor(parts[0], parts[1]), input: x.expanded(at: 2))
            state[0] = try Tensor.concatenate([s.real, s.imaginary], axis: -1)
            return try output((channels.readout * s).real.sum([-1]) * 2, x)
        }
    }

    /// Steps with the dynamics made discrete once.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let space = try perChannel().stepping(skip: skip)
        return stepper(batch: batch) { x, state in try mixing(state.updatingLeaves { try space(x, states: &$0) }) }
    }

    /// Both maps of a gated linear unit.
    public func blockCount(ofParameter path: String) -> Int {
        path == "mixing.map.weight" && configuration.mixing == .gatedLinear ? 2 : 1
    }

    /// Visits `dynamics`, `low_rank`, `skip` and `mixing`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try dynamics.forEachParameter(under: "dynamics", visit)
        try visit("low_rank", &lowRank)
        try visit("skip", &skip)
        try mixing.forEachParameter(under: "mixing", visit)
    }
}

extension S4: ResamplableMixer {
    /// The same dynamics with other steps.
    public func resampled(by factor: Double) throws -> S4 {
        try requireFactor(factor)
        var copy = self
        copy.dynamics.logStep = try dynamics.logStep + Scalar.log(factor)
        return copy
    }
}

import RondoNN
public import RondoTensor

/// S4D: structured state spaces with diagonal dynamics.
public struct S4D: TransitionReporting {
    /// The shape of an S4D layer.
    public struct Configuration: MixerConfiguration {
        /// States of each channel, N: real numbers, N / 2 complex ones.
        public var stateSize = 64
        /// Where the eigenvalues begin.
        public var initialization = SpectrumInitialization.linear
        /// How the dynamics become a recurrence.
        public var discretization = Discretization.zeroOrderHold
        /// How many sets of Λ and B the channels share; a divisor of the model's width.
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
        name: "s4d", title: "S4D", family: .vectorState,
        summary: "structured state space with diagonal dynamics: a long convolution and a recurrence",
        equations: """
            Λ = -exp(ρ) + i ω                         complex, N / 2 states for each channel
            zoh: λ = exp(Δ Λ), b = (λ - 1) / Λ ⊙ B
            bilinear: λ = (1 + Δ Λ / 2) / (1 - Δ Λ / 2), b = Δ B / (1 - Δ Λ / 2)
            s = λ ⊙ s⁻ + b x
            u = 2 Re(C · s) + d x
            y = (W₁ GELU(u)) ⊙ σ(W₂ GELU(u))          (mixing linear: W GELU(u); none: u)
            """,
        source:
            "Gu, Gupta, Goel and Ré, On the parameterization and initialization of diagonal state space models, 2022",
        complexity: "sequence O(T D (N + 32)); step O(D N); state D N",
        notes:
            "B is trained and begins at 1, for legs at the projected HiPPO input. Each state stands for its conjugate.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("linear, zoh", dModel: 3) { $0.stateSize = 8 },
        MixerExample("inverse, bilinear, copies", dModel: 4) {
            $0.stateSize = 6
            $0.initialization = .inverse
            $0.discretization = .bilinear
            $0.copies = 2
            $0.mixing = .linear
        },
        MixerExample("real, bare", dModel: 1) {
            $0.stateSize = 4
            $0.initialization = .real
            $0.mixing = .none
        },
        MixerExample("legs", dModel: 5) {
            $0.stateSize = 10
            $0.initialization = .legS
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
        skip = try generator.normal([dModel], dtype: dtype)
        mixing = try ChannelMixer(
            configuration.mixing, inputs: dModel, outputs: dModel, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let zeros = try Tensor.zeros([batch, dModel, configuration.stateSize / 2], dtype: skip.dtype)
        return MixerState(batch: batch, ["real": zeros, "imaginary": zeros])
    }

    /// Blocks of the convolution, joined by their states.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        var states = ComplexTensor(state[0], state[1])
        let u = try dynamics.system(configuration.discretization)(x, state: &states) + skip * x
        (state[0], state[1]) = (states.real, states.imaginary)
        state.advance(by: x.shape[1])
        return try mixing(u)
    }

    /// The recurrence, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let system = try dynamics.system(configuration.discretization)
        return try scanning(x, state: &state) { x, state in
            let column = try x.expanded(at: 2)
            let s = try system.lambda * ComplexTensor(state[0], state[1]) + system.input.mapped { try $0 * column }
            (state[0], state[1]) = (s.real, s.imaginary)
            return try mixing((system.readout * s).real.sum([-1]) * 2 + skip * x)
        }
    }

    /// Steps with the dynamics made discrete once.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let space = try dynamics.system(configuration.discretization).stepping(skip: skip)
        return stepper(batch: batch) { x, state in try mixing(state.updatingLeaves { try space(x, states: &$0) }) }
    }

    /// Both maps of a gated linear unit.
    public func blockCount(ofParameter path: String) -> Int {
        path == "mixing.map.weight" && configuration.mixing == .gatedLinear ? 2 : 1
    }

    /// λ of all channels; their conjugates are left out.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try dynamics.system(configuration.discretization).lambda.everywhere()
    }

    /// Visits `dynamics`, `skip` and `mixing`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try dynamics.forEachParameter(under: "dynamics", visit)
        try visit("skip", &skip)
        try mixing.forEachParameter(under: "mixing", visit)
    }
}

extension S4D: ResamplableMixer {
    /// The same dynamics with other steps.
    public func resampled(by factor: Double) throws -> S4D {
        try requireFactor(factor)
        var copy = self
        copy.dynamics.logStep = try dynamics.logStep + Scalar.log(factor)
        return copy
    }
}

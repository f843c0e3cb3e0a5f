public import RondoNN
public import RondoTensor

/// The linear recurrent unit: a complex diagonal recurrence whose eigenvalues are kept inside the unit circle.
public struct LRU: TransitionReporting {
    /// The shape of an LRU layer.
    public struct Configuration: MixerConfiguration {
        /// The number of complex states; the model's width if `nil`.
        public var stateSize: Int?
        /// The eigenvalues begin in the ring between these radii.
        public var minRadius = 0.0
        /// The outer radius.
        public var maxRadius = 1.0
        /// The eigenvalues' angles begin below this, in radians.
        public var maxPhase = 6.283_185_307_179_586
        /// Whether GELU and a gated linear unit follow, as in the paper's block.
        public var gatedOutput = true

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes and radii that cannot be built.
        public func validate(dModel: Int) throws {
            let size = stateSize ?? dModel
            try requireValue((1...1 << 20).contains(size), "state_size", size, "from 1 to 1048576")
            try requireValue(
                minRadius >= 0 && minRadius < maxRadius && maxRadius <= 1, "min_radius, max_radius",
                "\(minRadius), \(maxRadius)", "0 <= min_radius < max_radius <= 1")
            try requireValue(maxPhase > 0 && maxPhase <= 6.3, "max_phase", maxPhase, "above 0 and at most 2 pi")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "lru", title: "LRU", family: .vectorState,
        summary: "linear recurrent unit: complex eigenvalues inside the unit circle by construction",
        equations: """
            λ = exp(-exp(ν) + i exp(θ))
            s = λ ⊙ s⁻ + exp(γ) ⊙ (B x)          s complex; B, C complex matrices
            u = Re(C s) + d ⊙ x
            y = (W₁ GELU(u)) ⊙ σ(W₂ GELU(u))     (y = u without gated_output)
            """,
        source: "Orvieto et al., Resurrecting recurrent neural networks for long sequences, 2023",
        complexity: "sequence O(T D N) products and a scan O(T N); step O(D N); state 2 N")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("default", dModel: 5),
        MixerExample("ring, no gate", dModel: 3) {
            $0.stateSize = 7
            $0.minRadius = 0.9
            $0.maxRadius = 0.999
            $0.gatedOutput = false
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// Logarithm of the negative logarithm of the radii, ν `[N]`.
    public var nu: Tensor
    /// Logarithm of the angles, θ `[N]`.
    public var theta: Tensor
    /// Logarithm of the inputs' factors, γ `[N]`.
    public var gamma: Tensor
    /// Re B above Im B, `[2 N, D]`.
    public var input: Linear
    /// Re C beside -Im C, `[D, 2 N]`.
    public var readout: Linear
    /// The direct path d, `[D]`.
    public var skip: Tensor
    /// Both maps of the gated linear unit, `[2 D, D]`.
    public var gate: Linear?

    /// Creates a mixer as the paper does: radii uniform in area, inputs scaled to keep the state's variance.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let size = configuration.stateSize ?? dModel
        let (low, high) = (
            configuration.minRadius * configuration.minRadius, configuration.maxRadius * configuration.maxRadius
        )
        let square = try generator.uniform([size], low: 1e-6, high: 1, dtype: .float64) * (high - low) + low
        nu = try (square.log() * -0.5).log().cast(to: dtype)
        theta = try (generator.uniform([size], low: 1e-4, high: 1, dtype: .float64) * configuration.maxPhase).log()
            .cast(to: dtype)
        gamma = try ((1 - square).log() * 0.5).cast(to: dtype)
        input = try Linear(inputSize: dModel, outputSize: 2 * size, bias: false, dtype: dtype, using: &generator)
        readout = try Linear(inputSize: 2 * size, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
        input.weight = try generator.normal(
            [2 * size, dModel], deviation: 1 / Double(2 * dModel).squareRoot(), dtype: dtype)
        readout.weight = try generator.normal(
            [dModel, 2 * size], deviation: 1 / Double(size).squareRoot(), dtype: dtype)
        skip = try generator.normal([dModel], dtype: dtype)
        gate =
            try configuration.gatedOutput
            ? Linear(inputSize: dModel, outputSize: 2 * dModel, dtype: dtype, using: &generator) : nil
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let zeros = try Tensor.zeros([batch, nu.shape[0]], dtype: nu.dtype)
        return MixerState(batch: batch, ["real": zeros, "imaginary": zeros])
    }

    /// λ, `[N]`.
    private func eigenvalues() throws -> ComplexTensor {
        try ComplexTensor(modulus: (-nu.exp()).exp(), angle: theta.exp())
    }

    /// exp(γ) ⊙ B x, real and imaginary parts.
    private func added(_ x: Tensor) throws -> [Tensor] {
        let scale = try gamma.exp()
        return try input(x).split(2, axis: -1).map { try $0 * scale }
    }

    private func outputs(_ real: Tensor, _ imaginary: Tensor, _ x: Tensor) throws -> Tensor {
        let u = try readout(Tensor.concatenate([real, imaginary], axis: -1)) + skip * x
        guard let gate else { return u }
        let parts = try gate(u.gelu()).split(2, axis: -1)
        return try parts[0] * parts[1].sigmoid()
    }

    /// Products for all positions, then a complex scan.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let lambda = try eigenvalues()
        let scanned = try ComplexDiagonalScan()(
            [lambda.real, lambda.imaginary] + added(x) + [state[0], state[1]])
        (state[0], state[1]) = (scanned[2], scanned[3])
        state.advance(by: x.shape[1])
        return try outputs(scanned[0], scanned[1], x)
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let lambda = try eigenvalues()
        return try scanning(x, state: &state) { x, state in
            let add = try added(x)
            let s = try lambda * ComplexTensor(state[0], state[1]) + ComplexTensor(add[0], add[1])
            (state[0], state[1]) = (s.real, s.imaginary)
            return try outputs(s.real, s.imaginary, x)
        }
    }

    /// λ.
    public func transitionEigenvalues(_ x: Tensor, state: MixerState) throws -> ComplexTensor {
        try eigenvalues().everywhere()
    }

    /// Visits `nu`, `theta`, `gamma`, `input`, `readout`, `skip` and `gate`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("nu", &nu)
        try visit("theta", &theta)
        try visit("gamma", &gamma)
        try input.forEachParameter(under: "input", visit)
        try readout.forEachParameter(under: "readout", visit)
        try visit("skip", &skip)
        try gate.forEachParameter(under: "gate", visit)
    }
}

public import RondoNN
public import RondoTensor

/// S5: one diagonal state space with many inputs and outputs, read by a scan.
public struct S5: SequenceMixer {
    /// The shape of an S5 layer.
    public struct Configuration: MixerConfiguration {
        /// States: real numbers, half as many complex ones; the model's width, rounded up to whole blocks
        /// and at most 64 for each, if `nil`.
        public var stateSize: Int?
        /// Blocks J of the state that begin as HiPPO matrices of their own.
        public var blocks = 1
        /// How the dynamics become a recurrence.
        public var discretization = Discretization.zeroOrderHold
        /// The smallest step size at the beginning.
        public var minStep = 0.001
        /// The largest step size at the beginning.
        public var maxStep = 0.1
        /// Whether GELU and a gate follow, as in the paper's layer; else the layer is linear.
        public var gatedOutput = true

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built.
        public func validate(dModel: Int) throws {
            try requireValue((1...64).contains(blocks), "blocks", blocks, "from 1 to 64")
            let size = states(dModel)
            try requireValue(
                (2...65_536).contains(size) && size % (2 * blocks) == 0, "state_size", size,
                "a multiple of 2 blocks (\(2 * blocks)), from 2 to 65536")
            try requireValue(
                minStep > 0 && minStep <= maxStep && maxStep <= 10, "min_step, max_step", "\(minStep), \(maxStep)",
                "0 < min_step <= max_step <= 10")
        }

        func states(_ dModel: Int) -> Int {
            stateSize ?? min(64 * blocks, (dModel + 2 * blocks - 1) / (2 * blocks) * (2 * blocks))
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "s5", title: "S5", family: .vectorState,
        summary: "one diagonal state space over all channels, begun as HiPPO-LegS, read by a scan",
        equations: """
            Λ = -exp(ρ) + i ω                      complex, P / 2 states; Δ for each state
            λ = exp(Δ Λ), b = (λ - 1) / Λ          (bilinear: as in S4D)
            s = λ ⊙ s⁻ + b ⊙ (B x)
            u = 2 Re(C s) + d ⊙ x
            y = GELU(u) ⊙ σ(W GELU(u))             (y = u without gated_output)
            """,
        source: "Smith, Warrington and Linderman, Simplified state space layers for sequence modeling, 2022",
        complexity: "sequence O(T D P) products and a scan O(T P); step O(D P); state P")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("default", dModel: 5),
        MixerExample("2 blocks, bilinear, linear", dModel: 3) {
            $0.stateSize = 8
            $0.blocks = 2
            $0.discretization = .bilinear
            $0.gatedOutput = false
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// ln(-Re Λ), `[P / 2]`.
    public var logDecay: Tensor
    /// Im Λ, `[P / 2]`.
    public var frequency: Tensor
    /// ln Δ, `[P / 2]`.
    public var logStep: Tensor
    /// Re B above Im B, `[P, D]`.
    public var input: Linear
    /// 2 Re C beside -2 Im C, `[D, P]`.
    public var readout: Linear
    /// The direct path d, `[D]`.
    public var skip: Tensor
    /// The gate W, `[D, D]`.
    public var gate: Linear?

    /// Creates a mixer in the eigenvectors of HiPPO-LegS's normal part.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        let (size, blocks) = (configuration.states(dModel), configuration.blocks)
        let own = size / blocks
        // First values of parameters that a file replaces need not be computed.
        let system = generator.drawsZeros ? HiPPO.Diagonalized(undetermined: own) : HiPPO.diagonalizedLegS(own)
        func repeated(_ values: [Double]) throws -> Tensor {
            try Tensor(Array(repeating: values, count: blocks).flatMap { $0 }).cast(to: dtype)
        }
        logDecay = try (-repeated(system.real)).log()
        frequency = try repeated(system.imaginary)
        logStep = try generator.uniform(
            [size / 2], low: Scalar.log(configuration.minStep), high: Scalar.log(configuration.maxStep), dtype: dtype)
        input = try Linear(inputSize: dModel, outputSize: size, bias: false, dtype: dtype, using: &generator)
        readout = try Linear(inputSize: size, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
        if !generator.drawsZeros {
            (input.weight, readout.weight) = try Self.projected(
                in: system, blocks: blocks, width: dModel, dtype: dtype, using: &generator)
        }
        skip = try generator.normal([dModel], dtype: dtype)
        gate =
            try configuration.gatedOutput
            ? Linear(inputSize: dModel, outputSize: dModel, bias: false, dtype: dtype, using: &generator) : nil
    }

    /// B and C, of variance 1 / inputs in the original basis: V* B and C V block by block.
    private static func projected(
        in system: HiPPO.Diagonalized, blocks: Int, width: Int, dtype: DType, using generator: inout Generator
    ) throws -> (input: Tensor, readout: Tensor) {
        let own = 2 * system.real.count
        let (re, im) = (try system.basis.real.tensor(dtype), try system.basis.imaginary.tensor(dtype))
        let b = try generator.normal([blocks, own, width], deviation: 1 / Double(width).squareRoot(), dtype: dtype)
        let c = try generator.normal(
            [blocks, own, width], deviation: 1 / Double(blocks * own).squareRoot(), dtype: dtype)
        func projected(_ basis: Tensor, _ matrix: Tensor) throws -> Tensor {
            try Tensor.concatenate((0..<blocks).map { try basis.matmul(matrix.selecting(0, $0)) })
        }
        // (C V)ᵀ = conj(V*) Cᵀ: the real part with 2, the imaginary one with -2 times -1.
        return (
            try Tensor.concatenate([projected(re, b), projected(im, b)]),
            try (Tensor.concatenate([projected(re, c), projected(im, c)]) * 2).transposed().contiguous()
        )
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let zeros = try Tensor.zeros([batch, logStep.shape[0]], dtype: skip.dtype)
        return MixerState(batch: batch, ["real": zeros, "imaginary": zeros])
    }

    /// λ and b.
    private func discretized() throws -> (lambda: ComplexTensor, gain: ComplexTensor) {
        try configuration.discretization(ComplexTensor(-logDecay.exp(), frequency), step: logStep.exp())
    }

    private func added(_ x: Tensor, _ gain: ComplexTensor) throws -> ComplexTensor {
        let parts = try input(x).split(2, axis: -1)
        return try gain * ComplexTensor(parts[0], parts[1])
    }

    private func outputs(_ real: Tensor, _ imaginary: Tensor, _ x: Tensor) throws -> Tensor {
        let u = try readout(Tensor.concatenate([real, imaginary], axis: -1)) + skip * x
        guard let gate else { return u }
        let active = try u.gelu()
        return try active * gate(active).sigmoid()
    }

    /// Products for all positions, then a complex scan.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        let (lambda, gain) = try discretized()
        let add = try added(x, gain)
        let scanned = try ComplexDiagonalScan()([
            lambda.real, lambda.imaginary, add.real, add.imaginary, state[0], state[1],
        ])
        (state[0], state[1]) = (scanned[2], scanned[3])
        state.advance(by: x.shape[1])
        return try outputs(scanned[0], scanned[1], x)
    }

    /// Steps with the dynamics made discrete once, and b put into B.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        let (lambda, gain) = try discretized()
        let parts = try input.weight.cast(to: input.weight.dtype.computationType).split(2, axis: 0)
        let entering = try gain.mapped { try $0.expanded(at: 1) } * ComplexTensor(parts[0], parts[1])
        var scaled = input
        scaled.weight = try Tensor.concatenate([entering.real, entering.imaginary])
        return stepper(batch: batch) { [scaled] x, state in
            let add = try scaled(x).split(2, axis: -1)
            let s = try lambda * ComplexTensor(state[0], state[1]) + ComplexTensor(add[0], add[1])
            (state[0], state[1]) = (s.real, s.imaginary)
            return try outputs(s.real, s.imaginary, x)
        }
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let (lambda, gain) = try discretized()
        return try scanning(x, state: &state) { x, state in
            let s = try lambda * ComplexTensor(state[0], state[1]) + added(x, gain)
            (state[0], state[1]) = (s.real, s.imaginary)
            return try outputs(s.real, s.imaginary, x)
        }
    }

    /// Visits `log_decay`, `frequency`, `log_step`, `input`, `readout`, `skip` and `gate`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("log_decay", &logDecay)
        try visit("frequency", &frequency)
        try visit("log_step", &logStep)
        try input.forEachParameter(under: "input", visit)
        try readout.forEachParameter(under: "readout", visit)
        try visit("skip", &skip)
        try gate.forEachParameter(under: "gate", visit)
    }
}

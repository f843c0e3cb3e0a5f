public import RondoNN
public import RondoTensor

/// The linear state space layer: dense dynamics for every channel, the ancestor of S4.
public struct LSSL: SequenceMixer {
    /// The shape of an LSSL layer.
    public struct Configuration: MixerConfiguration {
        /// States of each channel, N.
        public var stateSize = 64
        /// Outputs of each channel, M.
        public var outputs = 1
        /// Where the dynamics begin.
        public var initialization = LSSLInitialization.legS
        /// Draws A and B where they begin at random.
        public var initializationSeed: UInt64 = 0
        /// Whether A and the step sizes are trained; else they are constants (LSSL-f).
        public var learnsTransition = false
        /// The family that a trained A belongs to.
        public var structure = LSSLStructure.full
        /// α of the generalised bilinear transform: 0 Euler, 1/2 bilinear, 1 backward Euler.
        public var alpha = 0.5
        /// The smallest step size.
        public var minStep = 0.001
        /// The largest step size.
        public var maxStep = 0.1

        /// Creates the defaults.
        public init() {}

        /// Refuses sizes that cannot be built, and steps with which Euler's rule explodes.
        public func validate(dModel: Int) throws {
            try requireValue((1...512).contains(stateSize), "state_size", stateSize, "from 1 to 512")
            try requireValue((1...64).contains(outputs), "outputs", outputs, "from 1 to 64")
            try requireValue(
                structure == .full || (learnsTransition && initialization != .random), "structure",
                structure.rawValue, "full unless learns_transition is true and A begins as a HiPPO matrix")
            try requireValue(
                structure == .full || stateSize > 1, "state_size", stateSize, "2 or more if quasiseparable")
            try requireValue((0...1).contains(alpha), "alpha", alpha, "from 0 to 1")
            try requireValue(
                minStep > 0 && minStep <= maxStep && maxStep <= 10, "min_step, max_step", "\(minStep), \(maxStep)",
                "0 < min_step <= max_step <= 10")
            let fastest = initialization.largestRate(stateSize)
            try requireValue(
                alpha >= 0.5 || (1 - 2 * alpha) * maxStep * fastest < 2, "max_step", maxStep,
                "below 2 / ((1 - 2 alpha) |λ|), |λ| about \(fastest), as an explicit rule is unstable beyond")
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "lssl", title: "LSSL", family: .vectorState,
        summary: "linear state space layer: dense HiPPO dynamics for every channel, fixed or trained",
        equations: """
            Ā = (I - α Δ A)⁻¹ (I + (1 - α) Δ A),  B̄ = (I - α Δ A)⁻¹ Δ B     Δ for each channel, A and B shared
            s = Ā s⁻ + B̄ x                        N states for each channel
            u = C s + d x                         M outputs for each channel
            y = W GELU(u) + b
            """,
        source:
            "Gu et al., Combining recurrent, convolutional and continuous-time models with linear state space layers, "
            + "2021",
        complexity:
            "sequence O(T D M (N + 32)) and O(D N³) for powers; step O(D N) if A is of low rank below its diagonal, else "
            + "O(D N²); state D N",
        notes:
            "A trained A is a full matrix, as in the official code, or, as in the paper's theory, quasiseparable: "
            + "-P (D + T⁻¹) Q with diagonal P, D, Q and tridiagonal T, 6 N numbers, made dense to be computed with. Steps "
            + "are spaced evenly in their logarithm.")

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("fixed legs", dModel: 3) { $0.stateSize = 6 },
        MixerExample("learned, 2 outputs", dModel: 4) {
            $0.stateSize = 5
            $0.outputs = 2
            $0.learnsTransition = true
        },
        MixerExample("legt, backward Euler", dModel: 2) {
            $0.stateSize = 4
            $0.initialization = .legT
            $0.alpha = 1
            $0.outputs = 3
        },
        MixerExample("lagt, Euler, learned", dModel: 1) {
            $0.stateSize = 3
            $0.initialization = .lagT
            $0.alpha = 0
            $0.learnsTransition = true
        },
        MixerExample("quasiseparable legs", dModel: 2) {
            $0.stateSize = 4
            $0.learnsTransition = true
            $0.structure = .quasiseparable
        },
        MixerExample("quasiseparable legt", dModel: 1) {
            $0.stateSize = 3
            $0.initialization = .legT
            $0.learnsTransition = true
            $0.structure = .quasiseparable
        },
        MixerExample("random", dModel: 2) {
            $0.stateSize = 5
            $0.initialization = .random
            $0.initializationSeed = 3
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    /// What is constant or trained of the dynamics.
    var transition: LSSLTransition
    /// C, `[D, M, N]`.
    public var readout: Tensor
    /// The direct path d, `[D, M]`.
    public var skip: Tensor
    /// W, `[D, D M]`.
    public var output: Linear

    /// Creates a mixer with HiPPO dynamics and normally distributed C and d.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        transition = try LSSLTransition(configuration, width: dModel, isOutline: generator.isOutline, dtype: dtype)
        let (size, outputs) = (configuration.stateSize, configuration.outputs)
        readout = try generator.normal([dModel, outputs, size], dtype: dtype)
        skip = try generator.normal([dModel, outputs], dtype: dtype)
        output = try Linear(inputSize: dModel * outputs, outputSize: dModel, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        MixerState(
            batch: batch, ["s": try Tensor.zeros([batch, dModel, configuration.stateSize], dtype: skip.dtype)])
    }

    /// The first taps of the convolution of every channel and output, `[D, M, length]`.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` for a length below 1.
    public func kernel(length: Int) throws -> Tensor {
        let (matrix, input) = try transition.discretized()
        return try Tensor.stack(
            (0..<dModel).map { channel in
                let space = DiscreteStateSpace(
                    matrix: try matrix.selecting(0, channel), input: try input.selecting(0, channel))
                return try space.kernel(readout: readout.selecting(0, channel), length: length)
            })
    }

    private func system() throws -> DenseSystem {
        let (matrix, input) = try transition.discretized()
        return DenseSystem(matrix: matrix, input: input, readout: readout)
    }

    /// Blocks of the convolution, joined by their states.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try requireInput(x, state: state)
        var states = state[0]
        let u = try system()(x, state: &states) + skip * x.expanded(at: 3)
        state[0] = states
        state.advance(by: x.shape[1])
        return try output(u.joiningHeads().gelu())
    }

    /// The recurrence, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        let (matrix, input) = try transition.discretized()
        return try scanning(x, state: &state) { x, state in
            let kept = try (matrix * state[0].expanded(at: 2)).sum([-1])
            state[0] = try kept + input * x.expanded(at: 2)
            let u = try (readout * state[0].expanded(at: 2)).sum([-1]) + skip * x.expanded(at: 2)
            return try output(u.joiningHeads().gelu())
        }
    }

    /// Steps by running sums where A has the structure of HiPPO matrices, else with the dynamics made discrete once.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        if let dynamics = try transition.semiseparable() {
            let space = try SemiseparableSpaceStep(
                dynamics, alpha: configuration.alpha, step: transition.steps(), readout: readout, skip: skip)
            return stepper(batch: batch) { x, state in
                try output(space(x, state: &state[0]).joiningHeads().gelu())
            }
        }
        let system = try system()
        return stepper(batch: batch) { x, state in
            let u = try system.step(x, state: &state[0]) + skip * x.expanded(at: 2)
            return try output(u.joiningHeads().gelu())
        }
    }

    /// Visits `transition` (if it is trained), `readout`, `skip` and `output`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try transition.forEachParameter(under: "transition", visit)
        try visit("readout", &readout)
        try visit("skip", &skip)
        try output.forEachParameter(under: "output", visit)
    }
}

extension LSSL: ResamplableMixer {
    /// The same dynamics with other steps, which its configuration has too.
    public func resampled(by factor: Double) throws -> LSSL {
        try requireFactor(factor)
        var changed = configuration
        (changed.minStep, changed.maxStep) = (changed.minStep * factor, changed.maxStep * factor)
        var unused = Generator.placeholder
        var copy = try LSSL(changed, dModel: dModel, dtype: skip.dtype, using: &unused)
        let shift = try Scalar.log(factor)
        (copy.readout, copy.skip, copy.output) = (readout, skip, output)
        copy.transition.trained = transition.trained
        copy.transition.logStep = try transition.logStep.map { try $0 + shift }
        return copy
    }
}

/// The families that the trained dynamics of a linear state space layer can belong to.
public enum LSSLStructure: String, Codable, Sendable, CaseIterable {
    /// All matrices.
    case full
    /// Those of all orthogonal polynomials, -P (D + T⁻¹) Q: diagonal matrices around the inverse of a tridiagonal one.
    case quasiseparable
}

/// Where the dynamics of a linear state space layer begin.
public enum LSSLInitialization: String, Codable, Sendable, CaseIterable {
    /// HiPPO-LegS: the whole past.
    case legS = "legs"
    /// HiPPO-LegT: a sliding window, normalised by square roots.
    case legT = "legt"
    /// HiPPO-LagT: an exponentially forgotten past.
    case lagT = "lagt"

    /// -I plus normal numbers of deviation 1 / √(2N), moved left as far as stability needs, and normal B as large as that
    /// of LegS: no structure, for comparison.
    case random

    func matrices(_ size: Int, seed: UInt64) throws -> (a: DoubleMatrix, b: DoubleMatrix) {
        switch self {
        case .legS: return HiPPO.legS(size)
        case .legT: return HiPPO.legT(size, isBalanced: true)
        case .lagT: return HiPPO.lagT(size)
        case .random:
            return try Self.unstructured(size, seed: seed)
        }
    }

    private static func unstructured(_ size: Int, seed: UInt64) throws -> (a: DoubleMatrix, b: DoubleMatrix) {
        var generator = Generator(seed: seed)
        let deviation = 1 / Double(max(1, 2 * size)).squareRoot()
        let g = try generator.normal([size, size], deviation: deviation, dtype: .float64).array(of: Double.self)
        let b = try generator.normal([size], deviation: Double(size).squareRoot(), dtype: .float64)
            .array(of: Double.self)
        // No state grows if the symmetric part has no eigenvalue above 0.
        let symmetric = DoubleMatrix(size, size) { (g[$0 * size + $1] + g[$1 * size + $0]) / 2 }
        let shift = max(1, (symmetric.symmetricEigensystem().values.max() ?? 0) + 0.01)
        return (
            DoubleMatrix(size, size) { g[$0 * size + $1] - ($0 == $1 ? shift : 0) },
            DoubleMatrix(size, 1) { n, _ in b[n] }
        )
    }

    /// About the largest modulus of an eigenvalue.
    func largestRate(_ size: Int) -> Double {
        switch self {
        case .legS, .legT: Double(size)
        case .lagT: 0.5
        case .random: 2
        }
    }
}

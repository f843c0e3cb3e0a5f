public import RondoNN
public import RondoTensor

/// The leaky recurrent network with learned time constants.
public struct LeakyRNN: SequenceMixer {
    /// The shape of a leaky layer.
    public struct Configuration: MixerConfiguration {
        /// Where a unit leaks: inside or outside of the nonlinearity.
        public var leak = LeakyRecurrentLayer.Leak.inside
        /// The slope of the nonlinearity below 0.
        public var activationSlope = 0.01
        /// One τ for all units that is not learned; learned ones if `nil`.
        public var fixedTimeConstant: Double?
        /// Whether no unit reads itself other than by its leak.
        public var zeroDiagonal = true
        /// The width of the state, the model's if `nil`.
        ///
        /// Another width adds a projection back.
        public var hiddenSize: Int?

        /// Creates the defaults.
        public init() {}

        /// Refuses what cannot be built.
        public func validate(dModel: Int) throws { try layer(dModel: dModel).validate() }

        fileprivate func layer(dModel: Int) -> LeakyRecurrentLayer.Configuration {
            var layer = LeakyRecurrentLayer.Configuration(inputSize: dModel, hiddenSize: hiddenSize ?? dModel)
            layer.leak = leak
            layer.activationSlope = activationSlope
            layer.fixedTimeConstant = fixedTimeConstant
            layer.zeroDiagonal = zeroDiagonal
            return layer
        }
    }

    /// What it is.
    public static let card = MixerCard(
        name: "leaky_rnn", title: "Leaky RNN", family: .nonlinear,
        summary: "leaky network: every unit learns a time constant",
        equations: """
            u = W x + b + R h⁻ + b_R             (the diagonal of R is 0)
            h = φ((1 - 1/τ) ⊙ h⁻ + (1/τ) ⊙ u)    (leak inside)
            h = (1 - 1/τ) ⊙ h⁻ + (1/τ) ⊙ φ(u)    (leak outside)
            y = h
            """,
        source: """
            Khajehabdollahi, Zeraati, Giannakakis, Schäfer, Martius, Levina, Emergent mechanisms for long timescales \
            depend on training curriculum and affect performance in memory tasks, 2023
            """,
        complexity: "sequence O(T D²) sequential in T; step O(D²); state D",
        notes: """
            φ is a leaky ReLU. τ is at least 1, where the network is the plain one; below 1 it has no derivative. \
            The state is not bounded: clip gradients.
            """)

    /// Shapes for laws and documentation.
    public static let examples: [MixerExample<Configuration>] = [
        MixerExample("default", dModel: 5),
        MixerExample("leak outside, with a diagonal", dModel: 6) {
            $0.leak = .outside
            $0.zeroDiagonal = false
        },
        MixerExample("wider, fixed time constant", dModel: 3) {
            $0.hiddenSize = 7
            $0.fixedTimeConstant = 2.5
            $0.activationSlope = 0.2
        },
    ]

    /// The shape.
    public let configuration: Configuration
    /// The width of input and output.
    public let dModel: Int
    var layer: LeakyRecurrentLayer
    var output: Linear?

    /// Creates a layer with random parameters.
    public init(
        _ configuration: Configuration, dModel: Int, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate(dModel: dModel)
        self.configuration = configuration
        self.dModel = dModel
        layer = try LeakyRecurrentLayer(configuration.layer(dModel: dModel), dtype: dtype, using: &generator)
        output =
            try layer.hiddenSize == dModel
            ? nil
            : Linear(inputSize: layer.hiddenSize, outputSize: dModel, bias: false, dtype: dtype, using: &generator)
    }

    /// Zeros.
    public func initialState(batch: Int) throws -> MixerState {
        let type = layer.weight.dtype.computationType
        return MixerState(batch: batch, ["h": try Tensor.zeros([batch, layer.hiddenSize], dtype: type)])
    }

    /// One product for all positions, then the loop.
    public func chunk(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(layer.layer(), output: output, x, state: &state, mode: .kernel)
    }

    /// The equations, position by position.
    public func reference(_ x: Tensor, state: inout MixerState) throws -> Tensor {
        try run(layer.layer(), output: output, x, state: &state, mode: .reference)
    }

    /// Matrices packed once.
    public func makeStepper(batch: Int) throws -> any MixerStepper {
        try RecurrentCellStepper(layer.layer(), output: output, batch: batch)
    }

    /// Visits the layer's parameters, and `output.weight` if widths differ.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try layer.forEachParameter(visit)
        try output.forEachParameter(under: "output", visit)
    }
}

public import RondoTensor

/// A layer of leaky units, each with a time constant τ of its own that is learned (Khajehabdollahi et al., 2023).
///
/// `h = φ((1 - 1/τ) ⊙ h⁻ + (1/τ) ⊙ (W x + b + R h⁻ + b_R))` with φ a leaky ReLU; τ below 1 counts as 1, which is the plain
/// network. Sequences are `[time, batch, size]`.
public struct LeakyRecurrentLayer: Module {
    /// Where a unit leaks.
    public enum Leak: String, Codable, Sendable, CaseIterable {
        /// φ acts on the leaked sum.
        case inside
        /// φ acts on what drives the unit: h = (1 - 1/τ) ⊙ h⁻ + (1/τ) ⊙ φ(·).
        case outside
    }

    /// The shape of a layer.
    public struct Configuration: Codable, Sendable, Equatable {
        /// The width of the input.
        public var inputSize: Int
        /// The number of units.
        public var hiddenSize: Int
        /// The slope of φ below 0: 1 is no nonlinearity, 0 a ReLU.
        public var activationSlope = 0.01
        /// Where the units leak.
        public var leak = Leak.inside
        /// One τ for all units that is not learned; learned ones from U(1, 2) if `nil`.
        public var fixedTimeConstant: Double?
        /// Whether no unit reads itself other than by its leak.
        public var zeroDiagonal = true

        /// Creates a configuration with the defaults of the paper.
        public init(inputSize: Int, hiddenSize: Int) {
            self.inputSize = inputSize
            self.hiddenSize = hiddenSize
        }

        /// Refuses what cannot be built.
        /// - Throws: ``RondoError`` of code `invalidArgument` that names the key.
        public func validate() throws {
            try requireValue((1...1 << 20).contains(inputSize), "input_size", inputSize, "from 1 to 1048576")
            try requireValue((1...1 << 20).contains(hiddenSize), "hidden_size", hiddenSize, "from 1 to 1048576")
            try requireValue(
                (0...1).contains(activationSlope), "activation_slope", activationSlope, "from 0 (ReLU) to 1 (linear)")
            if let fixedTimeConstant {
                try requireValue(
                    fixedTimeConstant >= 1 && fixedTimeConstant <= 1e9, "fixed_time_constant", fixedTimeConstant,
                    "from 1 to 1e9")
            }
        }
    }

    /// The shape.
    public let configuration: Configuration
    /// W, `[H, inputSize]`.
    public var weight: Tensor
    /// b, `[H]`.
    public var bias: Tensor
    /// R, `[H, H]` (to, from); without a diagonal `[H, H - 1]`, each row from all other units in their order.
    public var recurrent: Tensor
    /// b_R, `[H]`: a second offset, as a network of two affine maps has it; it doubles the rate at which the sum learns.
    public var recurrentBias: Tensor
    /// τ in positions, `[H]`, as learned: values below 1 count as 1, and no derivative brings them back.
    public var timeConstant: Tensor?

    /// Creates a layer: maps and offsets from U(±1/√fan-in), τ from U(1, 2).
    ///
    /// - Parameters:
    ///   - configuration: The shape.
    ///   - dtype: float32, or float64 for checking.
    ///   - generator: Draws the parameters.
    /// - Throws: ``RondoError`` for an impossible configuration.
    public init(
        _ configuration: Configuration, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate()
        self.configuration = configuration
        let (units, inputs) = (configuration.hiddenSize, configuration.inputSize)
        let bounds = (input: 1 / Double(inputs).squareRoot(), recurrent: 1 / Double(units).squareRoot())
        func draw(_ shape: Shape, _ bound: Double) throws -> Tensor {
            try generator.uniform(shape, low: -bound, high: bound, dtype: dtype)
        }
        weight = try draw([units, inputs], bounds.input)
        bias = try draw([units], bounds.input)
        recurrent = try draw([units, configuration.zeroDiagonal ? units - 1 : units], bounds.recurrent)
        recurrentBias = try draw([units], bounds.recurrent)
        timeConstant =
            try configuration.fixedTimeConstant == nil
            ? generator.uniform([units], low: 1, high: 2, dtype: dtype) : nil
    }

    /// The number of units, H.
    public var hiddenSize: Int { recurrent.shape[0] }

    /// The time constants that act, `[H]`: at least 1, also where they are not learned.
    public var timeConstants: Tensor {
        get throws {
            guard let timeConstant else {
                return try Tensor.full([hiddenSize], configuration.fixedTimeConstant ?? 1, dtype: computationType)
            }
            return try timeConstant.clamped(1, .infinity)
        }
    }

    private var computationType: DType { recurrentBias.dtype }

    /// The recurrent matrix with its diagonal, `[H, H]`.
    public var recurrentMatrix: Tensor {
        get throws {
            let units = hiddenSize
            guard configuration.zeroDiagonal else { return recurrent }
            guard units > 1 else { return try Tensor.zeros([1, 1], dtype: recurrent.dtype) }
            // Row by row, H elements lie between one of the diagonal and the next.
            return try recurrent.reshaped([units - 1, units]).padded(1, before: 0, after: 1).reshaped([-1])
                .padded(0, before: 1, after: 0).reshaped([units, units])
        }
    }

    /// The same layer as the time loop takes it; derivatives flow to the parameters.
    ///
    /// - Returns: A layer with rates 1/τ and without a diagonal.
    /// - Throws: ``RondoError`` when there is no memory.
    public func layer() throws -> RecurrentLayer {
        let slopes = try Tensor.full([hiddenSize], configuration.activationSlope, dtype: computationType)
        return RecurrentLayer(
            cell: configuration.leak == .inside ? .leaky : .leakyOutside, weight: weight,
            recurrent: try recurrentMatrix.reshaped([1, 1, hiddenSize, hiddenSize]), bias: try bias + recurrentBias,
            extras: try Tensor.stack([1 / timeConstants, slopes]))
    }

    /// Reads sequences `[time, batch, inputSize]`.
    ///
    /// - Parameters:
    ///   - x: The input.
    ///   - state: h before the first position, `[batch, H]`.
    ///   - mask: Multiplies what other units see of h, `[batch, H]`; ones if `nil`.
    ///   - mode: Whether the kernel or the equations compute.
    /// - Returns: h at every position, `[time, batch, H]`, and after the last.
    /// - Throws: ``RondoError`` when shapes do not fit.
    public func callAsFunction(
        _ x: Tensor, state: Tensor, mask: Tensor? = nil, mode: FusedMode = .kernel
    ) throws -> (output: Tensor, state: Tensor) {
        let result = try layer()(
            x, state: [state], regularization: RecurrentLayer.Regularization(mask: mask), mode: mode)
        return (result.output, result.state[0])
    }

    /// Visits `weight`, `bias`, `recurrent`, `recurrent_bias` and, if it is learned, `time_constant`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("weight", &weight)
        try visit("bias", &bias)
        try visit("recurrent", &recurrent)
        try visit("recurrent_bias", &recurrentBias)
        try timeConstant.visit("time_constant", visit)
    }
}

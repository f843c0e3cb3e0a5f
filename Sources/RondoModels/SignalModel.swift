import RondoMixers
public import RondoNN
public import RondoTensor

/// Maps sequences of vectors to sequences of vectors: projection, residual blocks around mixers, norm, projection.
///
/// The counterpart of ``LanguageModel`` for inputs that are numbers instead of tokens.
public struct SignalModel: Module {
    /// The shape of the layers; its vocabulary plays no part.
    public let configuration: LanguageModelConfiguration
    /// From the input's features to the width of the model.
    public var input: Linear
    /// The layers from the bottom.
    public var layers: [ResidualBlock]
    /// The norm before the head.
    public var norm: ResidualBlock.Norm
    /// From the width of the model to the outputs.
    public var head: Linear

    /// Creates a model with random weights.
    ///
    /// - Parameters:
    ///   - configuration: The shape of the layers.
    ///   - inputSize: Features of a position.
    ///   - outputSize: Outputs of a position.
    ///   - dtype: float32, or float64 for checking.
    ///   - generator: Draws the weights.
    /// - Throws: `RondoError` for an impossible configuration.
    public init(
        _ configuration: LanguageModelConfiguration, inputSize: Int, outputSize: Int, dtype: DType = .float32,
        using generator: inout Generator
    ) throws {
        try configuration.validate()
        let configuration = try configuration.completed()
        self.configuration = configuration
        input = try Linear(
            inputSize: inputSize, outputSize: configuration.dModel, bias: true, dtype: dtype, using: &generator)
        layers = []
        for layer in configuration.everyLayer {
            layers.append(try ResidualBlock(layer, of: configuration, dtype: dtype, using: &generator))
        }
        norm = try ResidualBlock.Norm(configuration.norm, of: configuration, dtype: dtype)
        head = try Linear(
            inputSize: configuration.dModel, outputSize: outputSize, bias: true, dtype: dtype, using: &generator)
    }

    /// The state before the first position of `batch` sequences.
    public func initialState(batch: Int) throws -> ModelState {
        ModelState(layers: try layers.map { try $0.mixer.initialState(batch: batch) })
    }

    /// Reads a piece.
    ///
    /// - Parameters:
    ///   - inputs: `[batch, time, inputSize]`.
    ///   - state: The state before; becomes the one after.
    ///   - training: Whether dropout applies.
    ///   - generator: Draws the dropout masks.
    /// - Returns: `[batch, time, outputSize]`.
    /// - Throws: `RondoError` if shapes do not fit.
    public func callAsFunction(
        _ inputs: Tensor, state: inout ModelState, training: Bool, using generator: inout Generator
    ) throws -> Tensor {
        var x = try input(inputs)
        var shared = try SharedValues(layers: layers.map(\.mixer))
        for (index, layer) in layers.enumerated() {
            x = try layer(
                x, state: &state.layers[index], shared: &shared, training: training, using: &generator)
        }
        return try head(norm(x))
    }

    /// The same model for signals of another sampling rate.
    ///
    /// - Parameter factor: What multiplies the step sizes of all layers: 2 for signals sampled half as often.
    /// - Returns: The model for such signals.
    /// - Throws: `RondoError` of code `unavailable` if a mixer has no step sizes.
    public func resampled(by factor: Double) throws -> SignalModel {
        var copy = self
        for index in copy.layers.indices {
            let mixer = copy.layers[index].mixer
            guard let resamplable = mixer as? any ResamplableMixer else {
                throw RondoError(
                    .unavailable,
                    "layer \(index) cannot be resampled: \(type(of: mixer).architecture) has no continuous dynamics")
            }
            copy.layers[index].mixer = try resamplable.resampled(by: factor)
        }
        return copy
    }

    /// Visits every trainable parameter.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try input.forEachParameter(under: "input", visit)
        try layers.forEachParameter(under: "layers", visit)
        try norm.forEachParameter(under: "norm", visit)
        try head.forEachParameter(under: "head", visit)
    }
}

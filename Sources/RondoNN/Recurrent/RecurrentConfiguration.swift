public import RondoTensor

/// The shape of a stack of recurrent layers.
public struct RecurrentConfiguration: Codable, Sendable, Equatable {
    /// The cell of every layer.
    public var cell: RecurrentCell
    /// The width of what enters the first layer.
    public var inputSize: Int
    /// The width of every layer (of each direction).
    public var hiddenSize: Int
    /// The number of layers.
    public var layers: Int
    /// The number of blocks on the diagonal of the recurrent matrices.
    public var heads: Int
    /// Whether every layer also reads from the end, and returns both directions side by side.
    public var bidirectional: Bool
    /// The dropout between layers.
    public var dropout: Double
    /// The dropout of the hidden state inside the gates, with one mask for all positions of a sequence.
    public var recurrentDropout: Double
    /// The share of units that keep their old state at a position (Krueger et al., 2017).
    public var zoneout: Double
    /// How the matrices begin.
    public var initialization = RecurrentInitialization.uniform
    /// The largest absolute eigenvalue of every block of R, if they begin by `spectralRadius`.
    public var spectralRadius = 1.0
    /// The offset with which the gate begins that keeps the old state (an LSTM's f, a GRU's z); the cell's if `nil`: 1 of
    /// an LSTM, 0 of a GRU.
    public var keepBias: Double?

    /// Creates a configuration.
    public init(
        cell: RecurrentCell = .lstm, inputSize: Int, hiddenSize: Int, layers: Int = 1, heads: Int = 1,
        bidirectional: Bool = false, dropout: Double = 0, recurrentDropout: Double = 0, zoneout: Double = 0
    ) {
        self.cell = cell
        self.inputSize = inputSize
        self.hiddenSize = hiddenSize
        self.layers = layers
        self.heads = heads
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.recurrentDropout = recurrentDropout
        self.zoneout = zoneout
    }

    /// The width of what the stack returns.
    public var outputSize: Int { bidirectional ? 2 * hiddenSize : hiddenSize }

    /// Refuses sizes and probabilities that make no sense.
    /// - Throws: ``RondoError`` that names the first one.
    public func validate() throws {
        for (name, value) in [
            ("input_size", inputSize), ("hidden_size", hiddenSize), ("layers", layers), ("heads", heads),
        ]
        where value < 1 {
            throw RondoError(.invalidArgument, "recurrent configuration: \(name) is \(value); it must be at least 1")
        }
        guard hiddenSize % heads == 0 else {
            throw RondoError(
                .invalidArgument,
                "recurrent configuration: hidden_size \(hiddenSize) does not divide into \(heads) heads")
        }
        guard spectralRadius >= 0, spectralRadius.isFinite, (keepBias ?? 0).isFinite else {
            throw RondoError(
                .invalidArgument,
                "recurrent configuration: spectral_radius is \(spectralRadius) and keep_bias \(keepBias ?? 0); they must "
                    + "be finite, and the radius at least 0")
        }
        for (name, value) in [("dropout", dropout), ("recurrent_dropout", recurrentDropout), ("zoneout", zoneout)]
        where !(0..<1).contains(value) {
            throw RondoError(.invalidArgument, "recurrent configuration: \(name) is \(value); it must lie in 0..<1")
        }
    }

    /// The configuration of a layer on its own.
    func layer(_ index: Int) -> RecurrentConfiguration {
        var one = self
        one.layers = 1
        one.inputSize = index == 0 ? inputSize : outputSize
        return one
    }
}

public import RondoTensor

/// One recurrent layer in one direction.
///
/// Sequences are `[time, batch, size]` here, the order in which the loop walks; ``RecurrentStack`` takes and returns
/// `[batch, time, size]`.
public struct RecurrentLayer: Module {
    /// The cell.
    public let cell: RecurrentCell
    /// The input matrix, `[input gates * H, inputSize]`, gates in the order of the cell's input gates.
    public var weight: Tensor
    /// The recurrent matrix, `[recurrent gates, heads, D, D]`, heads * D = H.
    public var recurrent: Tensor
    /// The offsets of the input gates, `[input gates * H]`.
    public var bias: Tensor
    /// The cell's own parameters, `[extra names, H]`, if it has any.
    public var extras: Tensor?
    /// The gains of the normalised input gates, `[input gates * H]`, of a cell with layer norm.
    public var inputGain: Tensor?

    /// What acts on the recurrence itself.
    public struct Regularization: Sendable {
        /// `[batch, H]`: multiplies h before R reads it.
        public var mask: Tensor?
        /// For h, then c: the share of the old state that stays, `[time, batch, H]` or `[1, 1, H]`.
        public var zoneout: [Tensor]

        /// Nothing by default.
        public init(mask: Tensor? = nil, zoneout: [Tensor] = []) {
            self.mask = mask
            self.zoneout = zoneout
        }
    }

    /// Creates a layer: matrices as ``RecurrentConfiguration/initialization`` says, forget gates open, no other bias.
    /// - Throws: ``RondoError`` for an impossible configuration.
    public init(
        _ configuration: RecurrentConfiguration, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate()
        cell = configuration.cell
        let (units, gates) = (configuration.hiddenSize, cell.inputGates)
        (weight, recurrent) = try configuration.initialization.matrices(configuration, dtype, using: &generator)
        let keepGate = cell.keepGate
        let open = configuration.keepBias ?? (keepGate == "f" ? 1 : 0)
        bias = try Self.rows(gates.map { $0 == keepGate ? open : 0 }, units, dtype).reshaped([-1])
        extras = try cell.extraNames.isEmpty ? nil : Self.rows(cell.initialExtras, units, dtype)
        inputGain = try cell == .lstmLayerNorm ? Tensor.ones([gates.count * units], dtype: dtype) : nil
    }

    /// Puts a layer together from its parameters.
    init(cell: RecurrentCell, weight: Tensor, recurrent: Tensor, bias: Tensor, extras: Tensor?) {
        self.cell = cell
        self.weight = weight
        self.recurrent = recurrent
        self.bias = bias
        self.extras = extras
    }

    /// A row of `units` equal elements for every value.
    private static func rows(_ values: [Double], _ units: Int, _ dtype: DType) throws -> Tensor {
        try Tensor(values, shape: [values.count, 1]).cast(to: dtype).broadcast(to: [values.count, units]).contiguous()
    }

    /// The width of the layer, H.
    public var hiddenSize: Int { recurrent.shape[1] * recurrent.shape[2] }

    /// The projection of rows `[rows, inputSize]` to `[rows, input gates * H]`, without the bias.
    ///
    /// A language model may project its embedding table once and gather rows of the result.
    public func project(_ rows: Tensor) throws -> Tensor {
        try normalizing(rows.linear(weight))
    }

    /// The input gates as the loop reads them: normalised in a cell with layer norm, else as they are.
    package func normalizing(_ product: Tensor) throws -> Tensor {
        guard let inputGain else { return product }
        let gates = try product.reshaped([product.shape[0], -1, recurrent.shape[2]])
        return try Normalization(.layer)(gates).reshaped(product.shape) * inputGain
    }

    /// Reads sequences `[time, batch, inputSize]`; returns `[time, batch, H]` and the states after them.
    ///
    /// `mode` chooses between the loop's kernel and its equations.
    public func callAsFunction(
        _ x: Tensor, state: [Tensor], reverse: Bool = false, lengths: [Int]? = nil,
        regularization: Regularization = Regularization(), mode: FusedMode = .kernel
    ) throws -> (output: Tensor, state: [Tensor]) {
        guard x.rank == 3, x.shape[2] == weight.shape[1] else {
            throw RondoError(
                .shapeMismatch,
                "recurrent layer: the input must be [time, batch, \(weight.shape[1])]; got \(x.shape)")
        }
        let rows = try x.reshaped([x.shape[0] * x.shape[1], x.shape[2]])
        return try callAsFunction(
            projected: project(rows), state: state, reverse: reverse, lengths: lengths, regularization: regularization,
            mode: mode)
    }

    /// Reads sequences that ``project(_:)`` has seen already: `[time * batch, input gates * H]`, time first.
    public func callAsFunction(
        projected: Tensor, state: [Tensor], reverse: Bool = false, lengths: [Int]? = nil,
        regularization: Regularization = Regularization(), mode: FusedMode = .kernel
    ) throws -> (output: Tensor, state: [Tensor]) {
        guard state.count == cell.stateNames.count else {
            throw RondoError(
                .invalidArgument, "recurrent layer: \(cell.rawValue) has states \(cell.stateNames); got \(state.count)")
        }
        let result = try RecurrentLoop.run(
            cell,
            .init(
                projection: projected, recurrent: recurrent, states: state, extras: extras, bias: bias,
                mask: regularization.mask, zoneout: regularization.zoneout),
            reverse: reverse, lengths: lengths, mode: mode)
        return (result.output, result.states)
    }

    /// Visits `weight`, `recurrent`, `bias` and, where the cell has them, `extras` and `input_gain`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try visit("weight", &weight)
        try visit("recurrent", &recurrent)
        try visit("bias", &bias)
        try extras.visit("extras", visit)
        try inputGain.visit("input_gain", visit)
    }
}

public import RondoTensor

/// Recurrent layers on top of each other, in one direction or both.
public struct RecurrentStack: Module {
    /// The shape of the stack.
    public let configuration: RecurrentConfiguration
    /// The layers that read forwards.
    public var layers: [RecurrentLayer]
    /// The layers that read backwards, one beside each of ``layers`` if the stack is bidirectional.
    public var reverseLayers: [RecurrentLayer]

    /// Creates layers with random weights, see ``RecurrentLayer/init(_:dtype:using:)``.
    /// - Throws: ``RondoError`` for an impossible configuration.
    public init(
        _ configuration: RecurrentConfiguration, dtype: DType = .float32, using generator: inout Generator
    ) throws {
        try configuration.validate()
        self.configuration = configuration
        layers = []
        reverseLayers = []
        for index in 0..<configuration.layers {
            let one = configuration.layer(index)
            layers.append(try RecurrentLayer(one, dtype: dtype, using: &generator))
            if configuration.bidirectional {
                reverseLayers.append(try RecurrentLayer(one, dtype: dtype, using: &generator))
            }
        }
    }

    /// The state before anything has been read.
    public func initialState(batch: Int) throws -> RecurrentState {
        try RecurrentState(configuration, batch: batch, dtype: layers[0].recurrent.dtype)
    }

    /// Reads sequences `[batch, time, inputSize]` as in evaluation: no dropout, zoneout by its expectation.
    ///
    /// - Returns: The outputs `[batch, time, outputSize]`, zero beyond a row's length, and the state after them.
    public func callAsFunction(
        _ x: Tensor, state: RecurrentState, lengths: [Int]? = nil
    ) throws -> (output: Tensor, state: RecurrentState) {
        var unused = Generator(seed: 0)
        return try callAsFunction(x, state: state, lengths: lengths, training: false, using: &unused)
    }

    /// Reads sequences `[batch, time, inputSize]`, with dropout and zoneout drawn from `generator` when training.
    ///
    /// - Returns: The outputs `[batch, time, outputSize]`, zero beyond a row's length, and the state after them.
    public func callAsFunction(
        _ x: Tensor, state: RecurrentState, lengths: [Int]? = nil, training: Bool, using generator: inout Generator
    ) throws -> (output: Tensor, state: RecurrentState) {
        guard x.rank == 3, x.shape[2] == configuration.inputSize else {
            throw RondoError(
                .shapeMismatch,
                "recurrent stack: the input must be [batch, time, \(configuration.inputSize)]; got \(x.shape)")
        }
        let rows = try x.timeMajorRows()
        return try run(
            directions(0).map { try $0.project(rows) }, [x.shape[1], x.shape[0]], state: state, lengths: lengths,
            training: training, using: &generator)
    }

    /// The first layer's projection of vectors `[..., inputSize]`: `[..., width]`, all gates of all directions.
    ///
    /// A language model may project its embedding table once and look up rows of the result instead of vectors.
    public func projectingInput(_ x: Tensor) throws -> Tensor {
        let rows = try x.reshaped([-1, configuration.inputSize])
        let parts = try directions(0).map { try $0.project(rows) }
        let joined = try parts.count == 1 ? parts[0] : Tensor.concatenate(parts, axis: 1)
        return try joined.reshaped(Shape(x.shape.dropLast()) + [joined.shape[1]])
    }

    /// Reads sequences that ``projectingInput(_:)`` has seen already, `[batch, time, width]`.
    ///
    /// Fastest if the memory is in time-major order, as a view of `[time, batch, width]`.
    /// - Returns: The outputs `[batch, time, outputSize]`, zero beyond a row's length, and the state after them.
    public func callAsFunction(
        projected: Tensor, state: RecurrentState, lengths: [Int]? = nil, training: Bool,
        using generator: inout Generator
    ) throws -> (output: Tensor, state: RecurrentState) {
        let width = directions(0).count * layers[0].weight.shape[0]
        guard projected.rank == 3, projected.shape[2] == width else {
            throw RondoError(
                .shapeMismatch,
                "recurrent stack: the projected input must be [batch, time, \(width)]; got \(projected.shape)")
        }
        let rows = try projected.timeMajorRows()
        return try run(
            rows.split(directions(0).count, axis: 1), [projected.shape[1], projected.shape[0]], state: state,
            lengths: lengths, training: training, using: &generator)
    }

    /// All layers, from the projections of the first one for each direction.
    private func run(
        _ first: [Tensor], _ extents: Shape, state: RecurrentState, lengths: [Int]?, training: Bool,
        using generator: inout Generator
    ) throws -> (output: Tensor, state: RecurrentState) {
        guard state.layers.count == layers.count, state.reverseLayers.count == reverseLayers.count,
            state.layers[0][0].shape[0] == extents[1]
        else {
            throw RondoError(
                .shapeMismatch,
                "recurrent stack: \(layers.count) layers and \(extents[1]) rows need a state of that many; got \(state.layers.count) layers of \(state.layers.first?.first?.shape ?? [])"
            )
        }
        var (projected, state, outputs) = (first, state, [Tensor]())
        let dropout = try Dropout(configuration.dropout)
        for index in layers.indices {
            if index > 0 {
                let joined = try outputs.count == 1 ? outputs[0] : Tensor.concatenate(outputs, axis: 2)
                let x = try dropout(joined, training: training, using: &generator)
                let rows = try x.reshaped([extents[0] * extents[1], x.shape[2]])
                projected = try directions(index).map { try $0.project(rows) }
            }
            outputs = []
            for (direction, layer) in directions(index).enumerated() {
                let before = direction == 0 ? state.layers[index] : state.reverseLayers[index]
                let result = try layer(
                    projected: projected[direction], state: before, reverse: direction == 1, lengths: lengths,
                    regularization: regularization(extents, training: training, using: &generator))
                outputs.append(result.output)
                if direction == 0 {
                    state.layers[index] = result.state
                } else {
                    state.reverseLayers[index] = result.state
                }
            }
        }
        let output = try outputs.count == 1 ? outputs[0] : Tensor.concatenate(outputs, axis: 2)
        return (try output.transposed(0, 1), state)
    }

    private func directions(_ index: Int) -> [RecurrentLayer] {
        configuration.bidirectional ? [layers[index], reverseLayers[index]] : [layers[index]]
    }

    /// Masks for one layer: drawn when training, the zoneout's expectation otherwise.
    func regularization(
        _ extents: Shape, training: Bool, using generator: inout Generator
    ) throws -> RecurrentLayer.Regularization {
        let (units, dtype) = (configuration.hiddenSize, layers[0].recurrent.dtype)
        var result = RecurrentLayer.Regularization()
        if training, configuration.recurrentDropout > 0 {
            result.mask = try Dropout.mask(
                [extents[1], units], configuration.recurrentDropout, dtype, using: &generator)
        }
        let share = configuration.zoneout
        guard share > 0 else { return result }
        for _ in 0..<configuration.cell.zoneoutStates {
            guard training else {
                result.zoneout.append(try Tensor.full([1, 1, units], share, dtype: dtype))
                continue
            }
            // A dropout mask is 0 or 1 / (1 - p): where it is 0 the old state stays.
            let mask = try Dropout.mask(extents + [units], share, dtype, using: &generator)
            result.zoneout.append(try 1 - mask * (1 - share))
        }
        return result
    }

    /// Visits the layers as `layers.0…` and `reverse_layers.0…`.
    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        try layers.forEachParameter(under: "layers", visit)
        try reverseLayers.forEachParameter(under: "reverse_layers", visit)
    }
}

extension Tensor {
    /// `[batch, time, size]` as rows `[time * batch, size]`, without a copy if time is the outer axis in memory.
    fileprivate func timeMajorRows() throws -> Tensor {
        try transposed(0, 1).reshaped([shape[0] * shape[1], shape[2]])
    }
}

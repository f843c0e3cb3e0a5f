public import RondoTensor

/// A recurrent stack one position at a time, in constant memory: matrices are packed once, results go to the same
/// places again and again.
///
/// A value: a copy continues on its own.
public struct RecurrentStepper: Sendable {
    private let layers: [RecurrentLayer]
    private var projections: [RowProduct]
    private var steps: [RecurrentStep]

    /// Prepares the steps of `batch` sequences side by side.
    /// - Throws: ``RondoError`` of code `invalidArgument` for a bidirectional stack, which has to see the end first.
    public init(_ stack: RecurrentStack, batch: Int) throws {
        guard !stack.configuration.bidirectional else {
            throw RondoError(
                .invalidArgument, "recurrent stepper: a bidirectional stack reads from the end too; it cannot stream")
        }
        layers = stack.layers
        let state = try stack.initialState(batch: batch)
        var unused = Generator(seed: 0)
        let regularization = try stack.regularization([1, batch], training: false, using: &unused)
        projections = []
        steps = []
        for (layer, states) in zip(layers, state.layers) {
            let projection = try RowProduct(weight: layer.weight, rows: batch)
            steps.append(
                try RecurrentStep(
                    layer.cell,
                    .init(
                        projection: projection.output, recurrent: layer.recurrent, states: states, extras: layer.extras,
                        bias: layer.bias, zoneout: regularization.zoneout)))
            projections.append(projection)
        }
    }

    /// Reads one position `[batch, inputSize]`; the output is `state.layers.last[0]`, `[batch, H]`.
    /// - Throws: ``RondoError`` when shapes do not fit.
    public mutating func callAsFunction(_ x: Tensor, state: inout RecurrentState) throws {
        try projections[0](x)
        try callAsFunction(projected: layers[0].normalizing(projections[0].output), state: &state)
    }

    /// Reads one position that the first layer has projected already, `[batch, input gates * H]`.
    /// - Throws: ``RondoError`` when shapes do not fit.
    public mutating func callAsFunction(projected: Tensor, state: inout RecurrentState) throws {
        guard state.layers.count == steps.count else {
            throw RondoError(
                .invalidArgument, "recurrent stepper: has \(steps.count) layers, the state \(state.layers.count)")
        }
        for index in steps.indices {
            if index == 0 {
                try steps[0](projected, states: &state.layers[0])
            } else {
                try projections[index](state.layers[index - 1][0])
                let gates = try layers[index].normalizing(projections[index].output)
                try steps[index](gates, states: &state.layers[index])
            }
        }
    }
}

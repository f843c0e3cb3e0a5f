public import RondoNN
public import RondoTensor

/// Interim: LSTM by primitives.
public struct RecurrentState: Sendable {
    public var leaves: [[Tensor]]
    public func detached() -> RecurrentState { RecurrentState(leaves: leaves.map { $0.map { $0.detached() } }) }
}

public struct RecurrentStack: Module {
    public let configuration: RecurrentConfiguration
    var inputs: [Linear]
    var recurrents: [Linear]

    public init(_ configuration: RecurrentConfiguration, dtype: DType = .float32, using generator: inout Generator)
        throws
    {
        self.configuration = configuration
        inputs = []
        recurrents = []
        for layer in 0..<configuration.layers {
            let width = layer == 0 ? configuration.inputSize : configuration.hiddenSize
            inputs.append(
                try Linear(
                    inputSize: width, outputSize: 4 * configuration.hiddenSize, dtype: dtype, using: &generator))
            recurrents.append(
                try Linear(
                    inputSize: configuration.hiddenSize, outputSize: 4 * configuration.hiddenSize, bias: false,
                    dtype: dtype, using: &generator))
        }
    }

    public func initialState(batch: Int) throws -> RecurrentState {
        RecurrentState(
            leaves: try (0..<configuration.layers).map { _ in
                let zeros = try Tensor.zeros([batch, configuration.hiddenSize], dtype: inputs[0].weight.dtype)
                return [zeros, zeros]
            })
    }

    public func callAsFunction(
        projected: Tensor, state: RecurrentState, training: Bool, using generator: inout Generator
    ) throws -> (Tensor, RecurrentState) {
        var state = state
        var x = projected
        for layer in 0..<configuration.layers {
            if layer > 0 {
                x = try Dropout(configuration.dropout)(x, training: training, using: &generator)
                x = try inputs[layer](x)
            }
            var (h, c) = (state.leaves[layer][0], state.leaves[layer][1])
            var outputs: [Tensor] = []
            for t in 0..<x.shape[1] {
                let gates = try (x.selecting(1, t) + recurrents[layer](h)).split(4, axis: -1)
                c = try gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh()
                h = try gates[3].sigmoid() * c.tanh()
                outputs.append(h)
            }
            x = try Tensor.stack(outputs, axis: 1)
            state.leaves[layer] = [h, c]
        }
        return (x, state)
    }

    public func callAsFunction(
        _ x: Tensor, state: RecurrentState, training: Bool, using generator: inout Generator
    ) throws -> (Tensor, RecurrentState) {
        try self(projected: projectingInput(x), state: state, training: training, using: &generator)
    }

    public func projectingInput(_ x: Tensor) throws -> Tensor { try inputs[0](x) }

    public mutating func forEachParameter(_ visit: (String, inout Tensor) throws -> Void) rethrows {
        for layer in inputs.indices {
            try inputs[layer].forEachParameter(under: "layers.\(layer).input", visit)
            try recurrents[layer].forEachParameter(under: "layers.\(layer).recurrent", visit)
        }
    }
}

extension RecurrentState {
    /// All tensors by name.
    public var named: ParameterSet {
        ParameterSet(
            paths: leaves.indices.flatMap { layer in leaves[layer].indices.map { "layers.\(layer).state\($0)" } },
            tensors: leaves.flatMap { $0 })
    }

    public func replacingTensors(_ tensors: [Tensor]) throws -> RecurrentState {
        var copy = self
        var index = 0
        for layer in leaves.indices {
            for leaf in leaves[layer].indices {
                copy.leaves[layer][leaf] = tensors[index]
                index += 1
            }
        }
        return copy
    }
}

public import RondoTensor

/// Everything a stack of recurrent layers remembers: a value, so that copying it forks the sequence.
public struct RecurrentState: Sendable {
    /// The states of every layer that reads forwards, `[batch, H]` each, in the order of the cell's state names.
    public var layers: [[Tensor]]
    /// Those of the layers that read backwards, if the stack is bidirectional.
    public var reverseLayers: [[Tensor]]
    /// The names of a layer's states.
    public let names: [String]

    /// Zeros: the state before anything has been read.
    public init(_ configuration: RecurrentConfiguration, batch: Int, dtype: DType = .float32) throws {
        names = configuration.cell.stateNames
        let zeros = try Tensor.zeros([batch, configuration.hiddenSize], dtype: dtype)
        layers = Array(repeating: Array(repeating: zeros, count: names.count), count: configuration.layers)
        reverseLayers = configuration.bidirectional ? layers : []
    }

    /// Visits every tensor with its name (`"layers.0.h"`, `"reverse_layers.0.h"`).
    public mutating func forEachLeaf(_ visit: (_ name: String, _ leaf: inout Tensor) throws -> Void) rethrows {
        for layer in layers.indices {
            for (index, name) in names.enumerated() { try visit("layers.\(layer).\(name)", &layers[layer][index]) }
        }
        for layer in reverseLayers.indices {
            for (index, name) in names.enumerated() {
                try visit("reverse_layers.\(layer).\(name)", &reverseLayers[layer][index])
            }
        }
    }

    /// All tensors by name, in the order of visiting.
    public var named: ParameterSet {
        var copy = self
        var result = (paths: [String](), tensors: [Tensor]())
        copy.forEachLeaf { name, leaf in
            result.paths.append(name)
            result.tensors.append(leaf)
        }
        return ParameterSet(paths: result.paths, tensors: result.tensors)
    }

    /// The same state with other tensors, in the order of visiting.
    /// - Throws: ``RondoError`` when number or shapes differ.
    public func replacingTensors(_ tensors: [Tensor]) throws -> RecurrentState {
        let own = named
        guard own.tensors.map(\.shape) == tensors.map(\.shape) else {
            throw RondoError(
                .shapeMismatch,
                "recurrent state: \(own.paths) have shapes \(own.tensors.map(\.shape)); got \(tensors.map(\.shape))")
        }
        var copy = self
        var index = 0
        copy.forEachLeaf { _, leaf in
            leaf = tensors[index]
            index += 1
        }
        return copy
    }

    /// The same values, cut off from derivatives, as truncated backpropagation carries them on.
    public func detached() -> RecurrentState {
        var copy = self
        copy.forEachLeaf { _, leaf in leaf = leaf.detached() }
        return copy
    }
}

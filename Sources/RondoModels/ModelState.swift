public import RondoMixers
public import RondoNN
public import RondoTensor

/// Everything a model remembers of what it has read: the states of its layers.
///
/// A value: copying it forks the sequence.
public struct ModelState: RowState {
    /// The states from the bottom.
    public var layers: [MixerState]

    /// Creates the state of layers.
    public init(layers: [MixerState]) { self.layers = layers }

    /// How many positions each row has read.
    public var positions: [Int] { layers.first?.positions ?? [] }

    /// The positions of each layer's rows: layers that began anew have others.
    public var layerPositions: [[Int]] { layers.map(\.positions) }

    /// Bytes of all layers' states.
    public var byteCount: Int { layers.reduce(0) { $0 + $1.byteCount } }

    /// All leaves by name, as `layers.0.h`.
    public var named: ParameterSet {
        let all = layers.enumerated().flatMap { index, state in
            zip(state.named.paths, state.named.tensors).map { ("layers.\(index).\($0)", $1) }
        }
        return ParameterSet(paths: all.map(\.0), tensors: all.map(\.1))
    }

    /// What a file of this state must hold.
    var expectations: [TensorFile.Expectation] {
        layers.enumerated().flatMap { index, state in
            state.expectations.map { .init(name: "layers.\(index).\($0.name)", shape: $0.shape, dtype: $0.dtype) }
        }
    }

    /// The same state at other positions, to say what a file must hold that was saved there.
    func moved(to positions: [[Int]]) -> ModelState {
        var copy = self
        for (index, own) in positions.enumerated() where layers.indices.contains(index) {
            copy.layers[index].positions = own
        }
        return copy
    }

    /// The same state with other tensors, in the order of ``named``.
    ///
    /// - Throws: `RondoError` when number or shapes differ.
    public func replacingTensors(_ tensors: [Tensor]) throws -> ModelState {
        guard tensors.count == named.tensors.count else {
            throw RondoError(
                .shapeMismatch, "model state: \(named.paths.count) tensors are needed, got \(tensors.count)")
        }
        var rest = tensors[...]
        return ModelState(
            layers: try layers.map { state in
                defer { rest = rest.dropFirst(state.names.count) }
                return try state.replacingTensors(Array(rest.prefix(state.names.count)))
            })
    }

    /// Restores a state from a file's tensors.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - positions: The positions of each layer's rows there.
    /// - Returns: The state.
    /// - Throws: `RondoError` that lists what does not fit.
    public func restored(from file: TensorFile, positions: [[Int]]) throws -> ModelState {
        guard positions.map(\.count) == layers.map(\.batch) else {
            throw RondoError(
                .corruptFile, "'\(file.path)': positions \(positions) do not fit \(layers.count) layers")
        }
        let target = moved(to: positions)
        return try target.replacingTensors(file.read(target.expectations).tensors)
    }

    /// The same values, cut off from derivatives.
    public func detached() -> ModelState { ModelState(layers: layers.map { $0.detached() }) }

    /// The state of some rows, in this order.
    public func selectingRows(_ rows: [Int]) throws -> ModelState {
        ModelState(layers: try layers.map { try $0.selectingRows(rows) })
    }

    /// Puts the rows of another state in the place of some of this one's.
    public mutating func replaceRows(_ rows: [Int], with other: ModelState) throws {
        for index in layers.indices { try layers[index].replaceRows(rows, with: other.layers[index]) }
    }

    /// The name of the first tensor that is not finite: a bad number never leaves a state again.
    func firstNonFinite() throws -> String? {
        let all = named
        return try zip(all.paths, all.tensors).first { try !$1.isFinite() }?.0
    }
}

extension ModelState: CarriedState {}

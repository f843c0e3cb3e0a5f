public import RondoNN
public import RondoTensor

/// Everything that a mixer remembers of what it has read: a value, so that copying it forks the sequence.
///
/// Leaves are named tensors with the rows of the batch along their first axis, in float32 or wider whatever the type of
/// the weights. Each row has its own position.
public struct MixerState: Sendable {
    /// One tensor of a state.
    struct Leaf: Sendable {
        var name: String
        var tensor: Tensor
        /// Whether axis 1 is time: it holds as many entries as the furthest row has read.
        var grows: Bool
    }

    var leaves: [Leaf]

    /// How many positions each row has read since its beginning.
    public var positions: [Int]

    /// Creates the state of `batch` rows that have read nothing.
    ///
    /// - Parameters:
    ///   - batch: The number of rows.
    ///   - leaves: Named tensors `[batch, ...]`.
    ///   - growing: Named tensors `[batch, 0, ...]` that get longer along axis 1 by one entry a position.
    public init(batch: Int, _ leaves: KeyValuePairs<String, Tensor>, growing: KeyValuePairs<String, Tensor> = [:]) {
        self.leaves =
            leaves.map { Leaf(name: $0.key, tensor: $0.value, grows: false) }
            + growing.map { Leaf(name: $0.key, tensor: $0.value, grows: true) }
        positions = Array(repeating: 0, count: batch)
    }

    /// The number of rows.
    public var batch: Int { positions.count }

    /// The names of the leaves, in the order of their creation.
    public var names: [String] { leaves.map(\.name) }

    /// The leaf at a place in the order of creation.
    public subscript(index: Int) -> Tensor {
        _read { yield leaves[index].tensor }
        _modify { yield &leaves[index].tensor }
    }

    /// The leaf of a name.
    ///
    /// The name must be one that the mixer gave to its state.
    public subscript(name: String) -> Tensor {
        _read { yield leaves[index(of: name)].tensor }
        _modify { yield &leaves[index(of: name)].tensor }
    }

    private func index(of name: String) -> Int {
        guard let index = leaves.firstIndex(where: { $0.name == name }) else {
            preconditionFailure("a mixer state has leaves \(names), not '\(name)'")
        }
        return index
    }

    /// Counts positions that were read.
    public mutating func advance(by count: Int) {
        for row in positions.indices { positions[row] += count }
    }

    /// Bytes of all leaves.
    public var byteCount: Int { leaves.reduce(0) { $0 + $1.tensor.byteCount } }

    /// The position that all rows share.
    ///
    /// - Throws: `RondoError` of code `invalidArgument` if they differ; ``SequenceBatch`` takes such rows apart.
    public func sharedPosition() throws -> Int {
        guard let first = positions.first else { return 0 }
        guard positions.allSatisfy({ $0 == first }) else {
            throw RondoError(
                .invalidArgument,
                "this mixer needs rows that have read equally many positions, got \(positions); read them as a "
                    + "SequenceBatch, which takes the rows apart")
        }
        return first
    }

    /// The leaves by name.
    public var named: ParameterSet {
        ParameterSet(paths: names, tensors: leaves.map(\.tensor))
    }

    /// The same state with other tensors, in the order of the leaves; growing ones may have another length.
    ///
    /// - Throws: `RondoError` of code `shapeMismatch`.
    public func replacingTensors(_ tensors: [Tensor]) throws -> MixerState {
        guard tensors.count == leaves.count, zip(leaves, tensors).allSatisfy({ $0.accepts($1) }) else {
            throw RondoError(
                .shapeMismatch,
                "mixer state: \(names) have shapes \(leaves.map(\.tensor.shape)); got \(tensors.map(\.shape))")
        }
        var copy = self
        for index in tensors.indices { copy.leaves[index].tensor = tensors[index] }
        return copy
    }

    /// Moves the leaves out, to change them in place as an array; ``returnLeaves(_:)`` must follow.
    mutating func takeLeaves(into tensors: inout [Tensor]) {
        for index in leaves.indices {
            tensors.append(leaves[index].tensor)
            leaves[index].tensor = Self.placeholder
        }
    }

    /// Puts the leaves back and leaves the array without owners of them.
    mutating func returnLeaves(_ tensors: inout [Tensor]) {
        for index in leaves.indices { leaves[index].tensor = tensors[index] }
        tensors.removeAll(keepingCapacity: true)
    }

    /// Changes the leaves in place as an array.
    mutating func updatingLeaves<Result>(_ body: (inout [Tensor]) throws -> Result) rethrows -> Result {
        var tensors: [Tensor] = []
        takeLeaves(into: &tensors)
        defer { returnLeaves(&tensors) }
        return try body(&tensors)
    }

    private static let placeholder = Tensor.empty

    /// The same values, cut off from derivatives.
    public func detached() -> MixerState {
        var copy = self
        for index in leaves.indices { copy.leaves[index].tensor = leaves[index].tensor.detached() }
        return copy
    }

    /// The same values as another type.
    public func cast(to dtype: DType) throws -> MixerState {
        var copy = self
        for index in leaves.indices { copy.leaves[index].tensor = try leaves[index].tensor.cast(to: dtype) }
        return copy
    }
}

extension MixerState.Leaf {
    /// Whether a tensor can take this one's place.
    func accepts(_ other: Tensor) -> Bool {
        guard grows, tensor.rank == other.rank else {
            return tensor.shape == other.shape && tensor.dtype == other.dtype
        }
        var shape = other.shape
        shape[1] = tensor.shape[1]
        return shape == tensor.shape && tensor.dtype == other.dtype
    }

    /// The same leaf with axis 1 of a growing one cut or padded with zeros to a length.
    func fitted(to length: Int) throws -> Tensor {
        guard grows, tensor.shape[1] != length else { return tensor }
        return try tensor.shape[1] > length
            ? tensor.sliced(1, 0..<length) : tensor.padded(1, before: 0, after: length - tensor.shape[1])
    }
}

// MARK: - Rows

extension MixerState: RowState {
    /// The state of some rows, in this order.
    public func selectingRows(_ rows: [Int]) throws -> MixerState {
        var copy = self
        copy.positions = rows.map { positions[$0] }
        let (indices, length) = (try Tensor(rows.map { Int32($0) }), copy.positions.max() ?? 0)
        for index in leaves.indices {
            copy.leaves[index].tensor = try leaves[index].tensor.takingRows(indices)
            copy.leaves[index].tensor = try copy.leaves[index].fitted(to: length)
        }
        return copy
    }

    /// Puts the rows of another state of the same mixer in the place of some of this one's.
    public mutating func replaceRows(_ rows: [Int], with other: MixerState) throws {
        var source = Array(0..<Int32(batch))
        for (place, row) in rows.enumerated() {
            source[row] = Int32(batch + place)
            positions[row] = other.positions[place]
        }
        let (indices, length) = (try Tensor(source), positions.max() ?? 0)
        for index in leaves.indices {
            let span = leaves[index].grows ? max(leaves[index].tensor.shape[1], other.leaves[index].tensor.shape[1]) : 0
            let both = try Tensor.concatenate([leaves[index].fitted(to: span), other.leaves[index].fitted(to: span)])
            leaves[index].tensor = try both.takingRows(indices)
            leaves[index].tensor = try leaves[index].fitted(to: length)
        }
    }
}

extension MixerState: CarriedState {}

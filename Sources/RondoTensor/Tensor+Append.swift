extension Tensor {
    /// Adds elements at the end of axis 1, in place where nobody else holds the memory and there is room behind.
    ///
    /// Memory that is too small is replaced by half as much again, so that a sequence of single positions is copied a
    /// few times only. What was cut off in front (``sliced(_:_:step:)``) becomes room again: a sliding window keeps its
    /// memory. Derivatives do not flow through it.
    ///
    /// - Parameter other: `[batch, more, ...]`, for a tensor `[batch, length, ...]`.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public mutating func append(_ other: Tensor) throws {
        guard rank >= 2, other.rank == rank, other.dtype == dtype, other.shape[0] == shape[0],
            other.shape.dropFirst(2).elementsEqual(shape.dropFirst(2))
        else {
            throw RondoError(
                .shapeMismatch,
                "append: needs [batch, more, ...] for a tensor [batch, length, ...] of one type; got \(other.shape) "
                    + "\(other.dtype.rawValue) for \(shape) \(dtype.rawValue)")
        }
        link = nil
        let length = shape[1] + other.shape[1]
        try makeRoom(length)
        var extents = shape
        extents[1] = length
        let whole = Tensor(storage: storage, dtype: dtype, shape: extents, strides: strides, offset: offset)
        let place = try whole.sliced(1, shape[1]..<length)
        try CPUBackend.shared.strided(other.detached(), into: place)
        self = whole
    }

    /// Sees to it that the memory is this tensor's alone and holds `length` entries of axis 1 for every row.
    private mutating func makeRoom(_ length: Int) throws {
        let row = shape.dropFirst(2).reduce(1, *)
        let size = dtype.byteCount
        let capacity = row == 0 ? 0 : entryCapacity(row, storage.byteCount / size)
        let front = row == 0 ? 0 : offset / row
        let isOwn = hasEntries(row) && isUnique()
        if isOwn, front + length <= capacity { return }
        let isEven = shape[0] == 1 || capacity * row == strides[0]
        let isMovable = isOwn && isEven && length <= capacity && 4 * front >= capacity
        let entries = isMovable ? capacity : length + length / 2 + 8
        let target =
            try isMovable
            ? storage
            : Workspace.outside { try CPUBackend.shared.allocate(byteCount: shape[0] * entries * row * size) }
        for index in 0..<(isMovable ? shape[0] : 0) {
            // To the front of its own memory, which may overlap.
            let start = target.pointer + index * entries * row * size
            start.copyMemory(from: start + front * row * size, byteCount: shape[1] * row * size)
        }
        let strides: Shape = [entries * row] + Tensor.contiguousStrides(Shape(shape.dropFirst()), dtype)
        let moved = Tensor(storage: target, dtype: dtype, shape: shape, strides: strides)
        if !isMovable { try CPUBackend.shared.strided(detached(), into: moved) }
        self = moved
    }

    /// How many entries of `row` elements fit from the beginning of a row of the batch to that of the next, and, for the
    /// last one, to the end of the memory of `count` elements.
    ///
    /// The strides of a tensor without entries leave room for one that its memory does not have.
    private func entryCapacity(_ row: Int, _ count: Int) -> Int {
        guard shape[0] > 1 else { return count / row }
        return Swift.max(0, Swift.min(strides[0], count - (shape[0] - 1) * strides[0]) / row)
    }

    /// Whether the entries of axis 1 lie one after the other, and the tensor begins in the first row of its memory.
    private func hasEntries(_ row: Int) -> Bool {
        row > 0 && shape[0] > 0
            && Shape(strides.dropFirst()) == Tensor.contiguousStrides(Shape(shape.dropFirst()), dtype)
            && offset % row == 0 && (shape[0] == 1 || strides[0] % row == 0 && offset + shape[1] * row <= strides[0])
    }
}

extension Tensor {
    private func reduce(_ operation: ReduceOperation, _ axes: Shape?, keepingAxes: Bool) throws -> Tensor {
        let axes =
            try axes.map { try $0.mapping { try normalizedAxis($0, operation.rawValue) }.ascending() }
            ?? Shape(0..<rank)
        if operation == .maximum || operation == .minimum, axes.contains(where: { shape[$0] == 0 }) {
            throw RondoError(
                .shapeMismatch, "\(operation.rawValue): shape \(shape) has no elements along the axes \(axes)")
        }
        let kept = axes.isEmpty ? self : try Tensor.apply(.reduce(operation, axes: axes), self)
        guard !keepingAxes else { return kept }
        return try kept.reshaped(Shape(shape.indices.lazy.filter { !axes.contains($0) }.map { shape[$0] }))
    }

    /// Sum over axes (all by default).
    public func sum(_ axes: Shape? = nil, keepingAxes: Bool = false) throws -> Tensor {
        try reduce(.sum, axes, keepingAxes: keepingAxes)
    }

    /// Mean over axes (all by default).
    public func mean(_ axes: Shape? = nil, keepingAxes: Bool = false) throws -> Tensor {
        let total = try sum(axes, keepingAxes: keepingAxes)
        return try total * (Double(Swift.max(total.count, 1)) / Double(Swift.max(count, 1)))
    }

    /// Largest element over axes (all by default); among equals the derivative is shared evenly.
    public func max(_ axes: Shape? = nil, keepingAxes: Bool = false) throws -> Tensor {
        try reduce(.maximum, axes, keepingAxes: keepingAxes)
    }

    /// Smallest element over axes (all by default).
    public func min(_ axes: Shape? = nil, keepingAxes: Bool = false) throws -> Tensor {
        try reduce(.minimum, axes, keepingAxes: keepingAxes)
    }

    /// Product over axes (all by default).
    public func product(_ axes: Shape? = nil, keepingAxes: Bool = false) throws -> Tensor {
        try reduce(.product, axes, keepingAxes: keepingAxes)
    }

    /// Running sums along an axis, from the front or, reversed, from the back.
    public func cumulativeSum(_ axis: Int, reverse: Bool = false) throws -> Tensor {
        try Tensor.apply(
            .cumulativeSum(axis: try normalizedAxis(axis, "cumulativeSum"), reverse: reverse), self)
    }

    /// Index (int32) of the largest element along an axis, the first among equals.
    public func argmax(_ axis: Int = -1) throws -> Tensor { try argument(false, axis) }

    /// Index (int32) of the smallest element along an axis, the first among equals.
    public func argmin(_ axis: Int = -1) throws -> Tensor { try argument(true, axis) }

    private func argument(_ smallest: Bool, _ axis: Int) throws -> Tensor {
        let axis = try normalizedAxis(axis, smallest ? "argmin" : "argmax")
        guard shape.indices.contains(axis), shape[axis] > 0 else {
            throw RondoError(.shapeMismatch, "argmax: shape \(shape) has no elements along axis \(axis)")
        }
        return try Tensor.apply(.argument(smallest: smallest, axis: axis), self).squeezed(axis)
    }

    /// Indices (int32) that put the last axis in order; equal elements keep theirs, NaN counts as largest.
    public func argumentSorted(descending: Bool = false) throws -> Tensor {
        try Tensor.apply(.argumentSort(descending: descending), self.detached())
    }

    /// The last axis in order, with its indices (int32).
    public func sorted(descending: Bool = false) throws -> (values: Tensor, indices: Tensor) {
        let indices = try argumentSorted(descending: descending)
        return (try takingAlong(indices, axis: -1), indices)
    }

    /// The `k` largest elements of the last axis in falling order, with their indices (int32).
    public func topK(_ k: Int) throws -> (values: Tensor, indices: Tensor) {
        guard k >= 0, k <= shape.last ?? 1 else {
            throw RondoError(.outOfRange, "topK: k = \(k) exceeds the last extent of shape \(shape)")
        }
        let indices = try argumentSorted(descending: true).sliced(-1, 0..<k).contiguous()
        return (try takingAlong(indices, axis: -1), indices)
    }
}

extension Tensor {
    /// Rows of a `[rows, ...]` tensor at int32 indices of any shape: `[indices..., ...]`.
    public func takingRows(_ indices: Tensor) throws -> Tensor {
        try indices.requireIndices(below: shape.first ?? 0, "takingRows")
        return try Tensor.apply(.takeRows, self, indices)
    }

    /// Elements along an axis at int32 indices, whose other extents equal this tensor's.
    public func takingAlong(_ indices: Tensor, axis: Int) throws -> Tensor {
        let axis = try normalizedAxis(axis, "takingAlong")
        try requireAligned(indices, axis, "takingAlong")
        try indices.requireIndices(below: shape[axis], "takingAlong")
        return try Tensor.apply(.takeAlong(axis: axis), self, indices)
    }

    /// Adds the rows of this `[indices..., ...]` tensor into `rows` rows of zeros at int32 indices.
    public func scatterAddingRows(_ indices: Tensor, rows: Int) throws -> Tensor {
        guard Shape(shape.prefix(indices.rank)) == indices.shape else {
            throw RondoError(
                .shapeMismatch,
                "scatterAddingRows: shape \(shape) does not begin with the indices' shape \(indices.shape)")
        }
        try indices.requireIndices(below: rows, "scatterAddingRows")
        return try Tensor.apply(.scatterAddRows(rows: rows), self, indices)
    }

    /// Adds elements along an axis into zeros of `extent` at int32 indices of this tensor's shape.
    public func scatterAddingAlong(_ indices: Tensor, axis: Int, extent: Int) throws -> Tensor {
        let axis = try normalizedAxis(axis, "scatterAddingAlong")
        guard indices.shape == shape else {
            throw RondoError(
                .shapeMismatch, "scatterAddingAlong: indices have shape \(indices.shape), the values \(shape)")
        }
        try indices.requireIndices(below: extent, "scatterAddingAlong")
        return try Tensor.apply(.scatterAddAlong(axis: axis, extent: extent), self, indices)
    }

    private func requireAligned(_ indices: Tensor, _ axis: Int, _ operation: String) throws {
        var expected = shape
        if indices.rank == rank { expected[axis] = indices.shape[axis] }
        guard indices.shape == expected else {
            throw RondoError(
                .shapeMismatch,
                "\(operation): indices of shape \(indices.shape) must match shape \(shape) in every axis but \(axis)")
        }
    }

    /// Refuses what is not the number of a row.
    /// - Throws: ``RondoError`` of code `dtypeMismatch` or `outOfRange`.
    func requireIndices(below bound: Int, _ operation: String) throws {
        guard dtype == .int32 else {
            throw RondoError(.dtypeMismatch, "\(operation): indices must be int32, not \(dtype.rawValue)")
        }
        try withUnsafeBytes { bytes in
            for index in bytes.bindMemory(to: Int32.self) where index < 0 || Int(index) >= bound {
                throw RondoError(.outOfRange, "\(operation): index \(index) lies outside 0..<\(bound)")
            }
        }
    }
}

extension Tensor {
    /// The same elements, in order, under another shape; one extent may be -1 and is worked out.
    ///
    /// A view where possible, otherwise a dense copy.
    public func reshaped(_ shape: Shape) throws -> Tensor {
        var target = shape
        if let unknown = shape.firstIndex(of: -1) {
            let known = shape.enumerated().filter { $0.offset != unknown }.map(\.element).reduce(1, *)
            target[unknown] = known == 0 ? 0 : count / known
        }
        guard target.allSatisfy({ $0 >= 0 }), target.reduce(1, *) == count else {
            throw RondoError(
                .shapeMismatch, "reshaped: shape \(self.shape) has \(count) elements, which do not fill shape \(shape)")
        }
        if target == self.shape { return self }
        let view = try? Tensor.apply(.reshape(target), self)
        return try view ?? Tensor.apply(.reshape(target), contiguous())
    }

    /// The elements in dense row-major memory: `self` when they already are.
    public func contiguous() throws -> Tensor {
        isContiguous ? self : try Tensor.apply(.copy, self)
    }

    /// Axes in another order.
    public func permuted(_ axes: Shape) throws -> Tensor {
        let normalized = try axes.mapping { try normalizedAxis($0, "permuted") }
        guard normalized.ascending() == Shape(0..<rank) else {
            throw RondoError(
                .invalidArgument, "permuted: \(axes) does not name each axis of shape \(shape) exactly once")
        }
        return try Tensor.apply(.permute(normalized), self)
    }

    /// Two axes exchanged; by default the last two (matrix transpose).
    public func transposed(_ first: Int = -2, _ second: Int = -1) throws -> Tensor {
        var axes = Shape(0..<rank)
        axes.swapAt(try normalizedAxis(first, "transposed"), try normalizedAxis(second, "transposed"))
        return try permuted(axes)
    }

    /// Applies a map of matrix rows to all leading axes, seen as the rows of one matrix `[rows, last extent]`.
    ///
    /// The rows keep the order they have in memory, so that a time-major tensor seen batch-major is not copied; the
    /// result is a view in the same order.
    public func mappingRows(_ body: (Tensor) throws -> Tensor) throws -> Tensor {
        guard rank != 2 else { return try body(self) }
        var leading = Shape(0..<Swift.max(0, rank - 1))
        leading.order { strides[$0] > strides[$1] }
        let order = leading + (rank > 0 ? [rank - 1] : [])
        let ordered = try permuted(order)
        guard rank > 2, ordered.isContiguous, leading != Shape(0..<rank - 1) else {
            let result = try body(reshaped([-1, shape.last ?? 1]))
            return try result.reshaped(shape.dropLast() + [result.shape[1]])
        }
        let result = try body(ordered.reshaped([-1, shape[rank - 1]]))
        return try result.reshaped(ordered.shape.dropLast() + [result.shape[1]]).permuted(order.inverted)
    }

    /// A new axis of extent 1 in front of `axis`.
    public func expanded(at axis: Int) throws -> Tensor {
        let position = axis < 0 ? axis + rank + 1 : axis
        guard (0...rank).contains(position) else {
            throw RondoError(.outOfRange, "expanded: no place for an axis at \(axis) in shape \(shape)")
        }
        var target = shape
        target.insert(1, at: position)
        return try reshaped(target)
    }

    /// Without an axis of extent 1.
    public func squeezed(_ axis: Int) throws -> Tensor {
        let axis = try normalizedAxis(axis, "squeezed")
        guard shape[axis] == 1 else {
            throw RondoError(
                .shapeMismatch, "squeezed: axis \(axis) of shape \(shape) has extent \(shape[axis]), not 1")
        }
        var target = shape
        target.remove(at: axis)
        return try reshaped(target)
    }

    /// Repeated along axes of extent 1 (and new leading ones) without copying.
    public func broadcast(to target: Shape) throws -> Tensor {
        guard try broadcastShape(shape, target, "broadcast") == target else {
            throw RondoError(.shapeMismatch, "broadcast: shape \(shape) cannot be repeated to \(target)")
        }
        return target == shape ? self : try Tensor.apply(.broadcast(target), self)
    }

    /// Every `step`-th element of a range along an axis.
    public func sliced(_ axis: Int, _ range: Range<Int>, step: Int = 1) throws -> Tensor {
        let axis = try normalizedAxis(axis, "sliced")
        guard range.lowerBound >= 0, range.upperBound <= shape[axis], step > 0 else {
            throw RondoError(
                .outOfRange, "sliced: range \(range) step \(step) lies outside axis \(axis) of shape \(shape)")
        }
        let count = (range.count + step - 1) / step
        return try Tensor.apply(.slice(axis: axis, start: range.lowerBound, step: step, count: count), self)
    }

    /// The element at an index along an axis, which disappears.
    public func selecting(_ axis: Int, _ index: Int) throws -> Tensor {
        let axis = try normalizedAxis(axis, "selecting")
        let position = index < 0 ? index + shape[axis] : index
        guard (0..<shape[axis]).contains(position) else {
            throw RondoError(.outOfRange, "selecting: index \(index) lies outside axis \(axis) of shape \(shape)")
        }
        return try sliced(axis, position..<position + 1).squeezed(axis)
    }

    /// Equal pieces along an axis.
    public func split(_ parts: Int, axis: Int) throws -> [Tensor] {
        let axis = try normalizedAxis(axis, "split")
        guard parts > 0, shape[axis] % parts == 0 else {
            throw RondoError(
                .shapeMismatch, "split: axis \(axis) of shape \(shape) does not divide into \(parts) parts")
        }
        let size = shape[axis] / parts
        return try (0..<parts).map { try sliced(axis, $0 * size..<($0 + 1) * size) }
    }

    /// Tensors one after the other along an axis.
    public static func concatenate(_ tensors: [Tensor], axis: Int = 0) throws -> Tensor {
        guard let first = tensors.first else {
            throw RondoError(.invalidArgument, "concatenate: needs at least one tensor")
        }
        return try apply(.concatenate(axis: try first.normalizedAxis(axis, "concatenate")), tensors)
    }

    /// Tensors of one shape side by side along a new axis.
    public static func stack(_ tensors: [Tensor], axis: Int = 0) throws -> Tensor {
        try concatenate(tensors.map { try $0.expanded(at: axis) }, axis: axis)
    }

    /// Zeros before and after the elements of an axis.
    public func padded(_ axis: Int, before: Int, after: Int) throws -> Tensor {
        let axis = try normalizedAxis(axis, "padded")
        return try Tensor.apply(
            .unslice(axis: axis, start: before, step: 1, extent: before + shape[axis] + after), self)
    }

    /// The same values as another type.
    ///
    /// Derivatives flow between floating-point types.
    public func cast(to dtype: DType) throws -> Tensor {
        dtype == self.dtype ? self : try Tensor.apply(.cast(dtype), self)
    }
}

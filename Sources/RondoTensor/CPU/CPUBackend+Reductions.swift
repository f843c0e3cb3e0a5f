internal import CRondoKernels

extension CPUBackend {
    func reduce(_ operation: ReduceOperation, _ x: Tensor, _ axes: Shape, _ shape: Shape) throws -> Tensor {
        var result = x
        // Runs of neighbouring axes are reduced together, the last run first.
        var end = x.rank
        while let last = (0..<end).last(where: axes.contains) {
            var first = last
            while first > 0, axes.contains(first - 1) { first -= 1 }
            result = try reduceRun(operation, result, first...last)
            end = first
        }
        return try result.reshaped(shape)
    }

    private func reduceRun(_ operation: ReduceOperation, _ x: Tensor, _ axes: ClosedRange<Int>) throws -> Tensor {
        let x = try x.dense()
        let type = try x.dtype.kernelType(operation.rawValue)
        let outer = x.shape[..<axes.lowerBound].reduce(1, *)
        let extent = x.shape[axes].reduce(1, *)
        let inner = x.shape[(axes.upperBound + 1)...].reduce(1, *)
        var shape = x.shape
        for axis in axes { shape[axis] = 1 }
        let y = try Tensor.uninitialized(shape, x.dtype)
        let size = x.dtype.byteCount
        if outer * inner < 64, extent * inner > 2 * Self.elementwiseGrain {
            try reduceLong(operation, x, y, (outer, extent, inner))
            return y
        }
        let grain = max(1, Self.elementwiseGrain / max(1, extent * inner))
        parallelFor(outer, grain: grain) { rows in
            rk_reduce(
                type, operation.kernel, rows.count, extent, inner, x.bytes + rows.lowerBound * extent * inner * size,
                y.mutableBytes + rows.lowerBound * inner * size)
        }
        return y
    }

    /// Few results over a long axis: pieces of the axis first, then the pieces' results.
    private func reduceLong(
        _ operation: ReduceOperation, _ x: Tensor, _ y: Tensor, _ extents: (outer: Int, axis: Int, inner: Int)
    ) throws {
        let (outer, extent, inner) = extents
        let type = try x.dtype.kernelType(operation.rawValue)
        let size = x.dtype.byteCount
        let piece = max(1, Self.elementwiseGrain / inner)
        let pieces = (extent + piece - 1) / piece
        let partial = try Tensor.uninitialized([outer, pieces, inner], x.dtype)
        parallelFor(outer * pieces) { index in
            let (row, part) = index.quotientAndRemainder(dividingBy: pieces)
            let range = part * piece..<min(extent, (part + 1) * piece)
            rk_reduce(
                type, operation.kernel, 1, range.count, inner,
                x.bytes + (row * extent + range.lowerBound) * inner * size,
                partial.mutableBytes + index * inner * size)
        }
        rk_reduce(type, operation.kernel, outer, pieces, inner, partial.bytes, y.mutableBytes)
    }

    func cumulativeSum(_ x: Tensor, _ axis: Int, _ reverse: Bool) throws -> Tensor {
        let x = try x.dense()
        let type = try x.dtype.kernelType("cumulativeSum")
        let (outer, extent, inner) = x.extents(around: axis)
        let y = try Tensor.uninitialized(x.shape, x.dtype)
        let size = x.dtype.byteCount
        parallelFor(outer, grain: max(1, Self.elementwiseGrain / max(1, extent * inner))) { rows in
            let start = rows.lowerBound * extent * inner * size
            rk_cumulative_sum(type, reverse, rows.count, extent, inner, x.bytes + start, y.mutableBytes + start)
        }
        return y
    }

    func argument(_ x: Tensor, _ smallest: Bool, _ axis: Int, _ shape: Shape) throws -> Tensor {
        let x = try x.dense()
        let type = try x.dtype.kernelType("argument")
        let (outer, extent, inner) = x.extents(around: axis)
        let y = try Tensor.uninitialized(shape, .int32)
        parallelFor(outer, grain: max(1, Self.elementwiseGrain / max(1, extent * inner))) { rows in
            rk_arg_reduce(
                type, smallest, rows.count, extent, inner,
                x.bytes + rows.lowerBound * extent * inner * x.dtype.byteCount,
                (y.mutableBytes + rows.lowerBound * inner * 4).assumingMemoryBound(to: Int32.self))
        }
        return y
    }

    func argumentSort(_ x: Tensor, _ descending: Bool) throws -> Tensor {
        let values = try x.cast(to: .float64).dense()
        let width = x.shape.last ?? 1
        let y = try Tensor.uninitialized(x.shape, .int32)
        guard x.count > 0 else { return y }
        parallelFor(x.count / width) { row in
            let keys = UnsafeBufferPointer(
                start: (values.bytes + row * width * 8).assumingMemoryBound(to: Double.self), count: width)
            var indices = UnsafeMutableBufferPointer(
                start: (y.mutableBytes + row * width * 4).assumingMemoryBound(to: Int32.self), count: width)
            // A total order, stable through the index: NaN above everything.
            func precedes(_ i: Int32, _ j: Int32) -> Bool {
                let (a, b) = (keys[Int(i)], keys[Int(j)])
                if a.isNaN != b.isNaN { return descending ? a.isNaN : b.isNaN }
                if a == b || a.isNaN { return i < j }
                return descending ? a > b : a < b
            }
            for index in 0..<width { indices[index] = Int32(truncatingIfNeeded: index) }
            indices.sort(by: precedes)
        }
        return y
    }
}

extension ReduceOperation {
    var kernel: rk_reduce_op {
        switch self {
        case .sum: RK_SUM
        case .maximum: RK_MAX
        case .minimum: RK_MIN
        case .product: RK_PRODUCT
        }
    }
}

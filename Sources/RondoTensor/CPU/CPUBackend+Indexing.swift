internal import CRondoKernels

extension CPUBackend {
    func takeRows(_ table: Tensor, _ indices: Tensor, _ shape: Shape) throws -> Tensor {
        let table = try table.dense()
        let indices = try indices.dense()
        let y = try Tensor.uninitialized(shape, table.dtype)
        let rowBytes = table.dtype.byteCount(shape: Shape(table.shape.dropFirst())) ?? 0
        parallelFor(indices.count, grain: max(1, (Self.elementwiseGrain * 4) / max(1, rowBytes))) { range in
            rk_gather_rows(
                range.count, rowBytes, table.bytes, indices.int32 + range.lowerBound,
                y.mutableBytes + range.lowerBound * rowBytes)
        }
        return y
    }

    /// Cut by columns, so that the rows of one index are added in order whatever the threads.
    func scatterAddRows(_ g: Tensor, _ indices: Tensor, _ shape: Shape) throws -> Tensor {
        let g = try g.dense()
        let indices = try indices.dense()
        let type = try g.dtype.kernelType("scatterAddRows")
        let table = try Tensor.zeros(shape, dtype: g.dtype)
        let width = shape.dropFirst().reduce(1, *)
        parallelFor(width, grain: max(64, width / 8)) { columns in
            rk_scatter_add_rows(
                type, indices.count, width, columns.lowerBound, columns.upperBound, g.bytes, indices.int32,
                table.mutableBytes)
        }
        return table
    }

    func takeAlong(_ x: Tensor, _ indices: Tensor, _ axis: Int, _ shape: Shape) throws -> Tensor {
        let x = try x.dense()
        let y = try Tensor.uninitialized(shape, x.dtype)
        let size = x.dtype.byteCount
        try forEachAlong(y, indices, axis, extent: x.shape[axis]) { there, here in
            (y.mutableBytes + here * size).copyMemory(from: x.bytes + there * size, byteCount: size)
        }
        return y
    }

    func scatterAddAlong(_ g: Tensor, _ indices: Tensor, _ axis: Int, _ shape: Shape) throws -> Tensor {
        let g = try g.dense()
        let y = try Tensor.zeros(shape, dtype: g.dtype)
        let double = try g.dtype.kernelType("scatterAddAlong") == RK_FLOAT64
        try forEachAlong(g, indices, axis, extent: shape[axis]) { there, here in
            if double {
                y.mutableBytes.assumingMemoryBound(to: Double.self)[there] +=
                    g.bytes.assumingMemoryBound(to: Double.self)[here]
            } else {
                y.mutableBytes.assumingMemoryBound(to: Float.self)[there] +=
                    g.bytes.assumingMemoryBound(to: Float.self)[here]
            }
        }
        return y
    }

    /// Visits pairs of positions: in an array whose `axis` has `extent`, and in `dense`.
    private func forEachAlong(
        _ dense: Tensor, _ indices: Tensor, _ axis: Int, extent: Int, _ visit: (Int, Int) -> Void
    ) throws {
        let indices = try indices.dense()
        let (outer, count, inner) = dense.extents(around: axis)
        parallelFor(outer, grain: max(1, Self.elementwiseGrain / max(1, count * inner))) { rows in
            for row in rows {
                for position in 0..<count {
                    for column in 0..<inner {
                        let here = (row * count + position) * inner + column
                        visit((row * extent + Int(indices.int32[here])) * inner + column, here)
                    }
                }
            }
        }
    }
}

extension Tensor {
    /// The elements of a dense int32 tensor.
    var int32: UnsafePointer<Int32> { bytes.assumingMemoryBound(to: Int32.self) }
}

internal import CRondoKernels

#if OneDNN
    internal import COneDNN
#endif

/// Matrix products on the processor: float32 by oneDNN where the package was built with it, the rest by our kernel.
///
/// Large products are cut into blocks of rows or columns that depend on the shape alone, so that the bits do not
/// depend on the number of threads.
enum Gemm {
    #if OneDNN
        static let library = "oneDNN"
    #else
        static let library = "rondo"
    #endif

    /// A matrix in memory: its address, leading dimension, and whether it is stored transposed.
    struct Operand {
        var bytes: UnsafeRawPointer
        var leading: Int
        var transposed: Bool
        var size: Int

        /// Moves to row (column) `index` of the operation's rows (columns).
        func advanced(row: Int = 0, column: Int = 0) -> Operand {
            var copy = self
            copy.bytes += (transposed ? column * leading + row : row * leading + column) * size
            return copy
        }
    }

    static func matmul(_ a: Tensor, _ b: Tensor, _ shape: Shape) throws -> Tensor {
        let c = try Tensor.uninitialized(shape, a.dtype)
        let (m, n, k) = (shape[shape.count - 2], shape[shape.count - 1], a.shape[a.rank - 1])
        guard c.count > 0 else { return c }
        guard k > 0 else { return try Tensor.zeros(shape, dtype: a.dtype) }
        let (a, b) = (try readable(a), try readable(b))
        // The blocks below see addresses only: the operands, which may be copies, must outlive them.
        defer { withExtendedLifetime((a, b)) {} }
        let batch = Shape(shape.dropLast(2))
        // One matrix on the right of many dense rows is a single product.
        if b.shape.dropLast(2).allSatisfy({ $0 == 1 }), let rows = try? a.flattenedRows() {
            try multiply(rows, b.lastTwoAxes(0), into: c.mutableBytes, c.dtype, (c.count / n, n, k))
            return c
        }
        let offsets = try (a.batchOffsets(batch), b.batchOffsets(batch))
        for index in 0..<offsets.0.count where offsets.0.count == 1 {
            try multiply(
                a.lastTwoAxes(offsets.0[index]), b.lastTwoAxes(offsets.1[index]), into: c.mutableBytes, c.dtype,
                (m, n, k))
        }
        guard offsets.0.count > 1 else { return c }
        let type = try c.dtype.kernelType("matmul")
        if m * n * k >= 1 << 24 {
            for index in offsets.0.indices {
                try multiply(
                    a.lastTwoAxes(offsets.0[index]), b.lastTwoAxes(offsets.1[index]),
                    into: c.mutableBytes + index * m * n * c.dtype.byteCount, c.dtype, (m, n, k))
            }
        } else {
            parallelFor(offsets.0.count) { index in
                block(
                    type, a.lastTwoAxes(offsets.0[index]), b.lastTwoAxes(offsets.1[index]),
                    c.mutableBytes + index * m * n * c.dtype.byteCount, (m, n, k), leading: n)
            }
        }
        return c
    }

    /// One product of dense matrices, cut into blocks for the pool.
    ///
    /// Rows of the result are `leading` elements apart, or dense.
    static func multiply(
        _ a: Operand, _ b: Operand, into target: UnsafeMutableRawPointer, _ dtype: DType,
        _ size: (m: Int, n: Int, k: Int), leading: Int? = nil
    ) throws {
        let type = try dtype.kernelType("matmul")
        let leading = leading ?? size.n
        let width = dtype.byteCount
        let (rows, columns) = blocks(size)
        let tall = (size.m + rows - 1) / rows
        let wide = (size.n + columns - 1) / columns
        parallelFor(tall * wide) { index in
            let (i, j) = ((index / wide) * rows, (index % wide) * columns)
            block(
                type, a.advanced(row: i), b.advanced(column: j), target + (i * leading + j) * width,
                (min(rows, size.m - i), min(columns, size.n - j), size.k), leading: leading)
        }
    }

    /// Rows and columns of a block.
    ///
    /// Few large blocks: each repacks its operands.
    static func blocks(_ size: (m: Int, n: Int, k: Int)) -> (rows: Int, columns: Int) {
        let work = size.m * size.n * size.k
        guard work >= 1 << 20 else { return (size.m, size.n) }
        let pieces = work >= 1 << 31 ? 8 : work >= 1 << 24 ? 4 : 2
        if size.m >= size.n {
            return (max(16, (size.m / pieces + 15) / 16 * 16), size.n)
        }
        return (size.m, max(48, (size.n / pieces + 47) / 48 * 48))
    }

    /// A product on the calling thread.
    static func block(
        _ type: rk_type, _ a: Operand, _ b: Operand, _ c: UnsafeMutableRawPointer, _ size: (m: Int, n: Int, k: Int),
        leading: Int
    ) {
        #if OneDNN
            if type == RK_FLOAT32, Runtime.instructionSet == Runtime.bestInstructionSet {
                let status = rondo_onednn_sgemm(
                    a.transposed ? 84 : 78, b.transposed ? 84 : 78, size.m, size.n, size.k, 1,
                    a.bytes.assumingMemoryBound(to: Float.self), a.leading,
                    b.bytes.assumingMemoryBound(to: Float.self), b.leading, 0,
                    c.assumingMemoryBound(to: Float.self), leading)
                if status == 0 { return }
            }
        #endif
        rk_gemm(
            type, a.transposed, b.transposed, size.m, size.n, size.k, 1, a.bytes, a.leading, b.bytes, b.leading, 0, c,
            leading)
    }

    /// `x`, or a dense copy if neither of its last two axes has stride 1.
    private static func readable(_ x: Tensor) throws -> Tensor {
        let (rows, columns) = (x.strides[x.rank - 2], x.strides[x.rank - 1])
        let (height, width) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
        let rowMajor = (columns == 1 || width == 1) && (rows >= width || height == 1)
        let columnMajor = (rows == 1 || height == 1) && (columns >= height || width == 1)
        return rowMajor || columnMajor ? x.detached() : try x.detached().copied()
    }
}

extension Tensor {
    /// The matrix of the last two axes at an offset of the leading ones.
    func lastTwoAxes(_ batchOffset: Int) -> Gemm.Operand {
        let (rows, columns) = (strides[rank - 2], strides[rank - 1])
        let (height, width) = (shape[rank - 2], shape[rank - 1])
        let rowMajor = (columns == 1 || width == 1) && (rows >= width || height == 1)
        let leading = rowMajor ? Swift.max(height == 1 ? width : rows, 1) : Swift.max(width == 1 ? height : columns, 1)
        return Gemm.Operand(
            bytes: bytes + batchOffset * dtype.byteCount, leading: leading, transposed: !rowMajor,
            size: dtype.byteCount)
    }

    /// All leading axes as rows of one matrix.
    fileprivate func flattenedRows() throws -> Gemm.Operand {
        guard rank == 2 || isContiguous else {
            throw RondoError(.shapeMismatch, "matmul: rows are not evenly spaced")
        }
        return rank == 2 ? lastTwoAxes(0) : try reshaped([-1, shape[rank - 1]]).lastTwoAxes(0)
    }

    /// Element offsets of every matrix when the leading axes are broadcast to `batch`.
    fileprivate func batchOffsets(_ batch: Shape) throws -> [Int] {
        let target = try broadcast(to: batch + Shape(shape.suffix(2)))
        var offsets = [0]
        for axis in batch.indices {
            offsets = offsets.flatMap { base in (0..<batch[axis]).map { base + $0 * target.strides[axis] } }
        }
        return offsets
    }
}

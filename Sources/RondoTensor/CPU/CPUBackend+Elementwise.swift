internal import CRondoKernels

/// Operands seen over a common shape, with neighbouring axes merged where all of them allow it.
struct StridedLayout {
    /// As many numbers as the kernels allow axes.
    private typealias Row = (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64)

    /// The extents, then the strides of up to three operands: no array, since every small operation makes one of these.
    private var rows: (Row, Row, Row, Row)
    private var axes = 0

    private static let capacity = Int(RK_MAX_RANK)

    /// Strides of up to three operands broadcast to `shape`.
    init(_ shape: Shape, _ operands: TensorList, _ operation: String) throws {
        let zeros: Row = (0, 0, 0, 0, 0, 0, 0, 0)
        rows = (zeros, zeros, zeros, zeros)
        for axis in shape.indices where shape[axis] != 1 {
            guard append(axis, of: shape, operands) else {
                throw RondoError(
                    .shapeMismatch,
                    "\(operation): shape \(shape) has too many axes that cannot be merged; the limit is 8")
            }
        }
    }

    /// Merges an axis with the one before it or adds it; `false` if there is no place left.
    private mutating func append(_ axis: Int, of shape: Shape, _ operands: TensorList) -> Bool {
        let extent = Int64(shape[axis])
        var isMergeable = axes > 0
        for operand in operands.indices where isMergeable {
            isMergeable = self[operand + 1, axes - 1] == Self.stride(operands[operand], axis, shape.count) * extent
        }
        if !isMergeable {
            guard axes < Self.capacity else { return false }
            self[0, axes] = 1
            axes += 1
        }
        self[0, axes - 1] *= extent
        for operand in operands.indices {
            self[operand + 1, axes - 1] = Self.stride(operands[operand], axis, shape.count)
        }
        return true
    }

    private subscript(row: Int, axis: Int) -> Int64 {
        get { withUnsafeBytes(of: rows) { $0.load(fromByteOffset: Self.place(row, axis), as: Int64.self) } }
        set {
            withUnsafeMutableBytes(of: &rows) {
                $0.storeBytes(of: newValue, toByteOffset: Self.place(row, axis), as: Int64.self)
            }
        }
    }

    private static func place(_ row: Int, _ axis: Int) -> Int { (row * capacity + axis) * MemoryLayout<Int64>.stride }

    /// The stride of an operand along an axis of a shape of `rank` axes, to which it is broadcast.
    private static func stride(_ operand: Tensor, _ axis: Int, _ rank: Int) -> Int64 {
        let own = axis - (rank - operand.shape.count)
        return own < 0 || operand.shape[own] == 1 ? 0 : Int64(operand.strides[own])
    }

    var rank: Int32 { Int32(axes) }

    /// Gives `body` the extents, and the strides of an operand by its number.
    func withPointers(_ body: (_ shape: UnsafePointer<Int64>, _ strides: (Int) -> UnsafePointer<Int64>) -> Void) {
        withUnsafePointer(to: rows) {
            $0.withMemoryRebound(to: Int64.self, capacity: 4 * Self.capacity) { start in
                body(start) { start + ($0 + 1) * Self.capacity }
            }
        }
    }
}

extension CPUBackend {
    func elementwise(_ primitive: Primitive, _ x: Tensor) throws -> Tensor {
        let x = try x.dense()
        let type = try x.dtype.kernelType(primitive.name)
        let y = try Tensor.uninitialized(x.shape, x.dtype)
        let size = x.dtype.byteCount
        parallelFor(x.count, grain: Self.elementwiseGrain) { range in
            let source = x.bytes + range.lowerBound * size
            let target = y.mutableBytes + range.lowerBound * size
            switch primitive {
            case .unary(let operation): rk_unary(type, operation.kernel, source, target, range.count)
            case .affine(let scale, let offset): rk_affine(type, source, scale, offset, target, range.count)
            case .power(let exponent): rk_power_scalar(type, source, exponent, target, range.count)
            case .clamp(let low, let high): rk_clamp(type, source, low, high, target, range.count)
            default: break
            }
        }
        return y
    }

    func unaryGradient(_ operation: UnaryOperation, _ inputs: TensorList) throws -> Tensor {
        let dense = try inputs.map { try $0.dense() }
        let type = try dense[0].dtype.kernelType(operation.rawValue)
        let dx = try Tensor.uninitialized(dense[0].shape, dense[0].dtype)
        let size = dx.dtype.byteCount
        parallelFor(dx.count, grain: Self.elementwiseGrain) { range in
            let start = range.lowerBound * size
            rk_unary_gradient(
                type, operation.kernel, dense[0].bytes + start, dense[1].bytes + start, dense[2].bytes + start,
                dx.mutableBytes + start, range.count)
        }
        return dx
    }

    func binary(_ operation: BinaryOperation, _ inputs: TensorList, _ shape: Shape) throws -> Tensor {
        let type = try inputs[0].dtype.kernelType(operation.rawValue)
        let layout = try StridedLayout(shape, inputs, operation.rawValue)
        let y = try Tensor.uninitialized(shape, inputs[0].dtype)
        layout.withPointers { shape, strides in
            parallelFor(y.count, grain: Self.elementwiseGrain) { range in
                rk_binary(
                    type, operation.kernel, layout.rank, shape, inputs[0].bytes, strides(0), inputs[1].bytes,
                    strides(1), y.mutableBytes, range.lowerBound, range.upperBound)
            }
        }
        return y
    }

    func select(_ inputs: TensorList, _ shape: Shape) throws -> Tensor {
        let type = try inputs[0].dtype.kernelType("select")
        let layout = try StridedLayout(shape, inputs, "select")
        let y = try Tensor.uninitialized(shape, inputs[0].dtype)
        layout.withPointers { shape, strides in
            parallelFor(y.count, grain: Self.elementwiseGrain) { range in
                rk_select(
                    type, layout.rank, shape, inputs[0].bytes, strides(0), inputs[1].bytes, strides(1),
                    inputs[2].bytes, strides(2), y.mutableBytes, range.lowerBound, range.upperBound)
            }
        }
        return y
    }

    func cast(_ x: Tensor, to dtype: DType) throws -> Tensor {
        if x.dtype.isQuantized || dtype.isQuantized { return try castRows(x, to: dtype) }
        let x = try x.dense()
        let y = try Tensor.uninitialized(x.shape, dtype)
        parallelFor(x.count, grain: Self.elementwiseGrain) { range in
            rk_cast(
                x.dtype.storageKind, dtype.storageKind, x.bytes + range.lowerBound * x.dtype.byteCount,
                y.mutableBytes + range.lowerBound * dtype.byteCount, range.count)
        }
        return y
    }

    /// From or to a quantised type: rows of the last axis, by way of float32.
    private func castRows(_ x: Tensor, to dtype: DType) throws -> Tensor {
        guard let columns = x.shape.last else {
            throw RondoError(.shapeMismatch, "cast: a scalar cannot be \(dtype.rawValue), which needs rows")
        }
        guard x.dtype == .float32 || dtype == .float32 else {
            return try cast(cast(x, to: .float32), to: dtype)
        }
        let x = try x.dense()
        let y = try Tensor.uninitialized(x.shape, dtype)
        let stored = x.dtype.isQuantized ? x.dtype : dtype
        let storedRow = rk_row_bytes(stored.storageKind, columns)
        let row = columns * DType.float32.byteCount
        let rows = columns > 0 ? x.count / columns : 0
        parallelFor(rows, grain: max(1, Self.elementwiseGrain / 8 / max(1, columns))) { range in
            let (start, storedStart) = (range.lowerBound * row, range.lowerBound * storedRow)
            if x.dtype.isQuantized {
                rk_expand_rows(
                    RK_FLOAT32, stored.storageKind, range.count, columns, x.bytes + storedStart, y.mutableBytes + start)
            } else {
                let source = (x.bytes + start).assumingMemoryBound(to: Float.self)
                rk_quantize_rows(stored.storageKind, range.count, columns, source, y.mutableBytes + storedStart)
            }
        }
        return y
    }

    func copy(_ x: Tensor, shape: Shape) throws -> Tensor {
        let y = try Tensor.uninitialized(shape, x.dtype)
        if x.dtype.isQuantized {
            // Views of quantised tensors are dense.
            y.mutableBytes.copyMemory(from: x.bytes, byteCount: x.byteCount)
            return y
        }
        try strided(x, into: y)
        return y
    }

    /// Copies `x` into a view `y` of the same shape.
    func strided(_ x: Tensor, into y: Tensor) throws {
        let layout = try TensorList.with(x, y) { try StridedLayout(x.shape, $0, "copy") }
        let size = x.dtype.byteCount
        layout.withPointers { shape, strides in
            parallelFor(x.count, grain: Self.elementwiseGrain) { range in
                rk_copy(
                    size, layout.rank, shape, x.bytes, strides(0), y.mutableBytes, strides(1), range.lowerBound,
                    range.upperBound)
            }
        }
    }

    func concatenate(_ inputs: TensorList, _ axis: Int, _ shape: Shape) throws -> Tensor {
        let y = try Tensor.uninitialized(shape, inputs[0].dtype)
        var start = 0
        for x in inputs {
            try strided(x, into: try y.sliced(axis, start..<start + x.shape[axis]))
            start += x.shape[axis]
        }
        return y
    }

    func unslice(_ x: Tensor, axis: Int, start: Int, step: Int, _ shape: Shape) throws -> Tensor {
        let y = try Tensor.zeros(shape, dtype: x.dtype)
        let range = start..<min(shape[axis], start + max(0, x.shape[axis] - 1) * step + 1)
        guard x.count > 0 else { return y }
        try strided(x, into: try y.sliced(axis, range, step: step))
        return y
    }
}

extension UnaryOperation {
    var kernel: rk_unary_op {
        switch self {
        case .negate: RK_NEGATE
        case .abs: RK_ABS
        case .sign: RK_SIGN
        case .exp: RK_EXP
        case .expm1: RK_EXPM1
        case .log: RK_LOG
        case .log1p: RK_LOG1P
        case .sqrt: RK_SQRT
        case .rsqrt: RK_RSQRT
        case .reciprocal: RK_RECIPROCAL
        case .square: RK_SQUARE
        case .sin: RK_SIN
        case .cos: RK_COS
        case .tanh: RK_TANH
        case .sigmoid: RK_SIGMOID
        case .relu: RK_RELU
        case .gelu: RK_GELU
        case .geluTanh: RK_GELU_TANH
        case .silu: RK_SILU
        case .softplus: RK_SOFTPLUS
        case .logSigmoid: RK_LOG_SIGMOID
        case .erf: RK_ERF
        case .floor: RK_FLOOR
        case .round: RK_ROUND
        }
    }
}

extension BinaryOperation {
    var kernel: rk_binary_op {
        switch self {
        case .add: RK_ADD
        case .subtract: RK_SUBTRACT
        case .multiply: RK_MULTIPLY
        case .divide: RK_DIVIDE
        case .power: RK_POWER
        case .maximum: RK_MAXIMUM
        case .minimum: RK_MINIMUM
        case .equal: RK_EQUAL
        case .notEqual: RK_NOT_EQUAL
        case .less: RK_LESS
        case .lessEqual: RK_LESS_EQUAL
        case .greater: RK_GREATER
        case .greaterEqual: RK_GREATER_EQUAL
        }
    }
}

internal import CRondoKernels

/// Operands seen over a common shape, with neighbouring axes merged where all of them allow it.
struct StridedLayout {
    private(set) var shape: [Int64] = []
    private(set) var strides: [[Int64]]

    /// Strides of `operands` broadcast to `shape`.
    init(_ shape: [Int], _ operands: [Tensor], _ operation: String) throws {
        strides = operands.map { _ in [] }
        let expanded = operands.map { operand -> [Int] in
            let leading = shape.count - operand.rank
            return shape.indices.map { axis in
                axis < leading || operand.shape[axis - leading] == 1 ? 0 : operand.strides[axis - leading]
            }
        }
        for axis in shape.indices where shape[axis] != 1 {
            append(shape[axis], expanded.map { $0[axis] })
        }
        guard self.shape.count <= Int(RK_MAX_RANK) else {
            throw RondoError(
                .shapeMismatch, "\(operation): shape \(shape) has too many axes that cannot be merged; the limit is 8")
        }
    }

    private mutating func append(_ extent: Int, _ steps: [Int]) {
        let mergeable =
            !shape.isEmpty
            && strides.indices.allSatisfy {
                strides[$0][shape.count - 1] == Int64(steps[$0] * extent)
            }
        if mergeable {
            shape[shape.count - 1] *= Int64(extent)
            for index in strides.indices { strides[index][shape.count - 1] = Int64(steps[index]) }
        } else {
            shape.append(Int64(extent))
            for index in strides.indices { strides[index].append(Int64(steps[index])) }
        }
    }

    var rank: Int32 { Int32(shape.count) }
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

    func unaryGradient(_ operation: UnaryOperation, _ inputs: [Tensor]) throws -> Tensor {
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

    func binary(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor, _ shape: [Int]) throws -> Tensor {
        let type = try a.dtype.kernelType(operation.rawValue)
        let layout = try StridedLayout(shape, [a, b], operation.rawValue)
        let y = try Tensor.uninitialized(shape, a.dtype)
        parallelFor(y.count, grain: Self.elementwiseGrain) { range in
            rk_binary(
                type, operation.kernel, layout.rank, layout.shape, a.bytes, layout.strides[0], b.bytes,
                layout.strides[1], y.mutableBytes, range.lowerBound, range.upperBound)
        }
        return y
    }

    func select(_ inputs: [Tensor], _ shape: [Int]) throws -> Tensor {
        let type = try inputs[0].dtype.kernelType("select")
        let layout = try StridedLayout(shape, inputs, "select")
        let y = try Tensor.uninitialized(shape, inputs[0].dtype)
        parallelFor(y.count, grain: Self.elementwiseGrain) { range in
            rk_select(
                type, layout.rank, layout.shape, inputs[0].bytes, layout.strides[0], inputs[1].bytes,
                layout.strides[1], inputs[2].bytes, layout.strides[2], y.mutableBytes, range.lowerBound,
                range.upperBound)
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

    func copy(_ x: Tensor, shape: [Int]) throws -> Tensor {
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
        let layout = try StridedLayout(x.shape, [x, y], "copy")
        let size = x.dtype.byteCount
        parallelFor(x.count, grain: Self.elementwiseGrain) { range in
            rk_copy(
                size, layout.rank, layout.shape, x.bytes, layout.strides[0], y.mutableBytes, layout.strides[1],
                range.lowerBound, range.upperBound)
        }
    }

    func concatenate(_ inputs: [Tensor], _ axis: Int, _ shape: [Int]) throws -> Tensor {
        let y = try Tensor.uninitialized(shape, inputs[0].dtype)
        var start = 0
        for x in inputs {
            try strided(x, into: try y.sliced(axis, start..<start + x.shape[axis]))
            start += x.shape[axis]
        }
        return y
    }

    func unslice(_ x: Tensor, axis: Int, start: Int, step: Int, _ shape: [Int]) throws -> Tensor {
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

extension Tensor {
    /// Computes a primitive and, if derivatives flow through an operand, remembers it.
    ///
    /// This is the only door between tensors and backends.
    static func apply(_ primitive: Primitive, _ inputs: TensorList) throws -> Tensor {
        try primitive.requireWholeElements(inputs)
        let (shape, dtype) = try primitive.inferred(inputs)
        var result: Tensor
        if let view = primitive.view(of: inputs, shape: shape) {
            result = view
        } else {
            if inputs.count > 1 { try primitive.requireOneDevice(inputs) }
            result = try inputs[0].storage.backend.evaluate(primitive, inputs, shape: shape, dtype: dtype)
        }
        if dtype.isDifferentiable, inputs.contains(where: { $0.link != nil }) {
            result.link = GradientLink(primitive: primitive, inputs: inputs, output: result)
        }
        return result
    }

    static func apply(_ primitive: Primitive, _ a: Tensor) throws -> Tensor {
        try TensorList.with(a) { try apply(primitive, $0) }
    }

    static func apply(_ primitive: Primitive, _ a: Tensor, _ b: Tensor) throws -> Tensor {
        try TensorList.with(a, b) { try apply(primitive, $0) }
    }

    static func apply(_ primitive: Primitive, _ inputs: [Tensor]) throws -> Tensor {
        try TensorList.with(inputs) { try apply(primitive, $0) }
    }
}

extension Primitive {
    fileprivate func requireOneDevice(_ inputs: TensorList) throws {
        for index in 1..<inputs.count where inputs[index].storage.backend !== inputs[0].storage.backend {
            throw RondoError(
                .unavailable,
                "\(name): operands are on \(inputs[0].device) and \(inputs[index].device); move them to one device")
        }
    }

    private var isView: Bool {
        switch self {
        case .permute, .slice, .broadcast, .reshape: true
        default: false
        }
    }

    /// The view that this primitive is, or `nil` when elements must move.
    fileprivate func view(of inputs: TensorList, shape: Shape) -> Tensor? {
        guard isView else { return nil }
        let x = inputs[0]
        func view(_ strides: Shape, offset: Int = 0) -> Tensor {
            Tensor(storage: x.storage, dtype: x.dtype, shape: shape, strides: strides, offset: x.offset + offset)
        }
        switch self {
        case .permute(let axes): return view(axes.mapping { x.strides[$0] })
        case .slice(let axis, let start, let step, _):
            var strides = x.strides
            strides[axis] *= step
            return view(strides, offset: start * x.strides[axis])
        case .broadcast:
            var strides = Shape(repeating: 0, count: shape.count)
            for (target, axis) in zip((shape.count - x.rank)..<shape.count, 0..<x.rank)
            where x.shape[axis] == shape[target] {
                strides[target] = x.strides[axis]
            }
            return view(strides)
        case .reshape: return Self.reshapedStrides(x, to: shape).map { view($0) }
        default: return nil
        }
    }

    /// Strides that show `x` under another shape without moving elements, if there are any.
    private static func reshapedStrides(_ x: Tensor, to shape: Shape) -> Shape? {
        if x.isContiguous { return Tensor.contiguousStrides(shape, x.dtype) }
        // Match groups of old axes with groups of new ones that hold the same number of elements.
        let old = x.shape.indices.filter { x.shape[$0] != 1 }
        var strides = Shape(repeating: 1, count: shape.count)
        var source = 0
        var target = 0
        while target < shape.count {
            guard shape[target] != 1 else {
                target += 1
                continue
            }
            guard source < old.count else { return nil }
            var sourceEnd = source + 1
            var targetEnd = target + 1
            var have = x.shape[old[source]]
            var want = shape[target]
            while have != want {
                if have < want {
                    guard sourceEnd < old.count else { return nil }
                    // The group must be dense within itself.
                    guard x.strides[old[sourceEnd - 1]] == x.strides[old[sourceEnd]] * x.shape[old[sourceEnd]] else {
                        return nil
                    }
                    have *= x.shape[old[sourceEnd]]
                    sourceEnd += 1
                } else {
                    guard targetEnd < shape.count else { return nil }
                    want *= shape[targetEnd]
                    targetEnd += 1
                }
            }
            var step = x.strides[old[sourceEnd - 1]]
            for axis in stride(from: targetEnd - 1, through: target, by: -1) {
                strides[axis] = step
                step *= shape[axis]
            }
            source = sourceEnd
            target = targetEnd
        }
        return strides
    }
}

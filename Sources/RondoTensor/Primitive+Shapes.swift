/// The shape that two fit together into after broadcasting, aligned at the last axis.
/// - Throws: ``RondoError`` of code `shapeMismatch` naming the operation and the shapes.
func broadcastShape(_ a: Shape, _ b: Shape, _ operation: String) throws -> Shape {
    if a == b { return a }
    var result = a
    if b.count > a.count { result.insert(contentsOf: repeatElement(1, count: b.count - a.count), at: 0) }
    let leading = result.count - b.count
    for axis in b.indices where b[axis] != 1 {
        let (extent, other) = (b[axis], result[leading + axis])
        guard other == 1 || other == extent else {
            throw RondoError(
                .shapeMismatch,
                "\(operation): shapes \(a) and \(b) do not broadcast: extents \(other) and \(extent) differ at axis "
                    + "\(axis - b.count); make them equal or one of them 1")
        }
        result[leading + axis] = extent
    }
    return result
}

/// The shape to which operands are broadcast, mostly that of the first.
private func broadcastShape(_ operands: TensorList, _ operation: String) throws -> Shape {
    var result = operands[0].shape
    for index in 1..<operands.count { result = try broadcastShape(result, operands[index].shape, operation) }
    return result
}

extension Primitive {
    /// Refuses quantised operands, but for what moves whole rows of them or casts them.
    /// - Throws: ``RondoError`` of code `dtypeMismatch`.
    func requireWholeElements(_ inputs: TensorList) throws {
        guard let operand = inputs.first(where: { $0.dtype.isQuantized }) else { return }
        let shape = inputs[0].shape
        switch self {
        case .cast, .copy: return
        case .takeRows where shape.count > 1: return
        case .slice(0, _, 1, _) where shape.count > 1: return
        case .reshape(let target) where target.last == shape.last && inputs[0].isContiguous: return
        default: throw operand.dtype.needsCast(name)
        }
    }

    /// The shape and type of the result.
    /// - Throws: ``RondoError`` naming the operation, the shapes and the remedy, when the operands do not fit.
    func inferred(_ inputs: TensorList) throws -> (shape: Shape, dtype: DType) {
        switch self {
        case .unary, .affine, .power, .clamp, .copy, .cumulativeSum, .unaryGradient, .argumentSort:
            return (inputs[0].shape, isIndexing ? .int32 : inputs[0].dtype)
        case .cast(let dtype): return (inputs[0].shape, dtype)
        case .binary, .select:
            try requireEqualTypes(inputs)
            return (try broadcastShape(inputs, name), inputs[0].dtype)
        case .reduce(_, let axes):
            var shape = inputs[0].shape
            for axis in axes { shape[axis] = 1 }
            return (shape, inputs[0].dtype)
        case .argument(_, let axis):
            var shape = inputs[0].shape
            shape[axis] = 1
            return (shape, .int32)
        case .concatenate(let axis): return (try concatenatedShape(inputs, axis), inputs[0].dtype)
        case .matmul: return (try matmulShape(inputs), inputs[0].dtype)
        case .takeRows: return (inputs[1].shape + inputs[0].shape.dropFirst(), inputs[0].dtype)
        case .takeAlong: return (inputs[1].shape, inputs[0].dtype)
        case .scatterAddRows(let rows):
            return ([rows] + inputs[0].shape.dropFirst(inputs[1].rank), inputs[0].dtype)
        case .scatterAddAlong(let axis, let extent):
            var shape = inputs[0].shape
            shape[axis] = extent
            return (shape, inputs[0].dtype)
        case .unslice(let axis, _, _, let extent):
            var shape = inputs[0].shape
            shape[axis] = extent
            return (shape, inputs[0].dtype)
        case .reshape(let shape), .broadcast(let shape): return (shape, inputs[0].dtype)
        case .permute(let axes): return (axes.mapping { inputs[0].shape[$0] }, inputs[0].dtype)
        case .slice(let axis, _, _, let count):
            var shape = inputs[0].shape
            shape[axis] = count
            return (shape, inputs[0].dtype)
        }
    }

    private var isIndexing: Bool {
        if case .argumentSort = self { return true }
        return false
    }

    private func requireEqualTypes(_ inputs: TensorList) throws {
        guard inputs.allSatisfy({ $0.dtype == inputs[0].dtype }) else {
            throw RondoError(
                .dtypeMismatch,
                "\(name): operands have types \(inputs.map(\.dtype.rawValue).joined(separator: " and ")) "
                    + "(shapes \(inputs.map { "\($0.shape)" }.joined(separator: " and "))); cast one with cast(to:)")
        }
    }

    private func concatenatedShape(_ inputs: TensorList, _ axis: Int) throws -> Shape {
        try requireEqualTypes(inputs)
        var shape = inputs[0].shape
        for other in inputs.dropFirst() {
            var expected = shape
            guard other.rank == shape.count else { throw mismatch(inputs, "all need the same rank") }
            expected[axis] = other.shape[axis]
            guard other.shape == expected else {
                throw mismatch(inputs, "all extents but axis \(axis) must be equal")
            }
            shape[axis] += other.shape[axis]
        }
        return shape
    }

    private func matmulShape(_ inputs: TensorList) throws -> Shape {
        try requireEqualTypes(inputs)
        let (a, b) = (inputs[0], inputs[1])
        guard a.rank >= 2, b.rank >= 2 else {
            throw mismatch(inputs, "both need at least two axes; add one with expanded(at:)")
        }
        guard a.shape[a.rank - 1] == b.shape[b.rank - 2] else {
            throw mismatch(
                inputs,
                "the last extent of the first (\(a.shape[a.rank - 1])) must equal the last but one of the second "
                    + "(\(b.shape[b.rank - 2])); transpose one with transposed()")
        }
        let leading = try broadcastShape(Shape(a.shape.dropLast(2)), Shape(b.shape.dropLast(2)), "matmul")
        return leading + [a.shape[a.rank - 2], b.shape[b.rank - 1]]
    }

    private func mismatch(_ inputs: TensorList, _ remedy: String) -> RondoError {
        let shapes = inputs.map { "\($0.shape)" }.joined(separator: " and ")
        return RondoError(.shapeMismatch, "\(name): shapes \(shapes) do not fit: \(remedy)")
    }
}

/// Shapes that fit together after broadcasting, aligned at the last axis.
/// - Throws: ``RondoError`` of code `shapeMismatch` naming the operation and the shapes.
func broadcastShape(_ shapes: [[Int]], _ operation: String) throws -> [Int] {
    guard var result = shapes.first else { return [] }
    for shape in shapes.dropFirst() where shape != result {
        if shape.count > result.count {
            result.insert(contentsOf: repeatElement(1, count: shape.count - result.count), at: 0)
        }
        let leading = result.count - shape.count
        for (axis, extent) in shape.enumerated() where extent != 1 {
            let other = result[leading + axis]
            guard other == 1 || other == extent else {
                throw RondoError(
                    .shapeMismatch,
                    "\(operation): shapes \(shapes.map { "\($0)" }.joined(separator: " and ")) do not broadcast: "
                        + "extents \(other) and \(extent) differ at axis \(axis - shape.count); "
                        + "make them equal or one of them 1")
            }
            result[leading + axis] = extent
        }
    }
    return result
}

/// The shape to which operands are broadcast, mostly that of the first.
private func broadcastShape(_ operands: [Tensor], _ operation: String) throws -> [Int] {
    for index in operands.indices where operands[index].shape != operands[0].shape {
        return try broadcastShape(operands.map(\.shape), operation)
    }
    return operands[0].shape
}

extension Primitive {
    /// Refuses quantised operands, but for what moves whole rows of them or casts them.
    /// - Throws: ``RondoError`` of code `dtypeMismatch`.
    func requireWholeElements(_ inputs: [Tensor]) throws {
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
    func inferred(_ inputs: [Tensor]) throws -> (shape: [Int], dtype: DType) {
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
        case .matmul: return (try matmulShape(inputs[0], inputs[1]), inputs[0].dtype)
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
        case .permute(let axes): return (axes.map { inputs[0].shape[$0] }, inputs[0].dtype)
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

    private func requireEqualTypes(_ inputs: [Tensor]) throws {
        guard inputs.allSatisfy({ $0.dtype == inputs[0].dtype }) else {
            throw RondoError(
                .dtypeMismatch,
                "\(name): operands have types \(inputs.map(\.dtype.rawValue).joined(separator: " and ")) "
                    + "(shapes \(inputs.map { "\($0.shape)" }.joined(separator: " and "))); cast one with cast(to:)")
        }
    }

    private func concatenatedShape(_ inputs: [Tensor], _ axis: Int) throws -> [Int] {
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

    private func matmulShape(_ a: Tensor, _ b: Tensor) throws -> [Int] {
        try requireEqualTypes([a, b])
        guard a.rank >= 2, b.rank >= 2 else {
            throw mismatch([a, b], "both need at least two axes; add one with expanded(at:)")
        }
        guard a.shape[a.rank - 1] == b.shape[b.rank - 2] else {
            throw mismatch(
                [a, b],
                "the last extent of the first (\(a.shape[a.rank - 1])) must equal the last but one of the second "
                    + "(\(b.shape[b.rank - 2])); transpose one with transposed()")
        }
        let leading = try broadcastShape([Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2))], "matmul")
        return leading + [a.shape[a.rank - 2], b.shape[b.rank - 1]]
    }

    private func mismatch(_ inputs: [Tensor], _ remedy: String) -> RondoError {
        let shapes = inputs.map { "\($0.shape)" }.joined(separator: " and ")
        return RondoError(.shapeMismatch, "\(name): shapes \(shapes) do not fit: \(remedy)")
    }
}

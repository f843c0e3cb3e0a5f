/// The table of derivatives: one rule per primitive.
///
/// `g` is the cotangent of the result; a rule returns the cotangents of the operands (`nil`: none flows).
extension Primitive {
    /// What the rule below reads: all operands, the result, or neither.
    var needs: (inputs: Bool, output: Bool) {
        switch self {
        case .unary, .power, .reduce(.maximum, _), .reduce(.minimum, _), .reduce(.product, _): (true, true)
        case .binary(.add), .binary(.subtract), .affine, .reduce(.sum, _), .cumulativeSum, .concatenate: (false, false)
        case .binary(.power): (true, true)
        case .binary, .clamp, .select, .matmul: (true, false)
        case .takeRows, .takeAlong, .scatterAddRows, .scatterAddAlong: (true, false)
        default: (false, false)
        }
    }

    func gradients(_ s: SavedTensors, _ g: Tensor) throws -> [Tensor?] {
        switch self {
        case .unary(let f): return [try .apply(.unaryGradient(f), [s.input(0), s.result(), g.contiguous()])]
        case .affine(let scale, _): return [try g * scale]
        case .power(let p): return [try g * s.input(0).power(p - 1) * p]
        case .clamp(let low, let high): return [try g * Self.inside(s.input(0), low, high)]
        case .binary(let f): return try Self.binaryGradients(f, s, g)
        case .select:
            let zero = try Tensor(0, dtype: g.dtype)
            return [
                nil,
                try s.wanted[1] ? Tensor.select(s.input(0), g, zero).summed(to: s.shapes[1]) : nil,
                try s.wanted[2] ? Tensor.select(s.input(0), zero, g).summed(to: s.shapes[2]) : nil,
            ]
        case .cast: return [try s.dtype.isDifferentiable ? g.cast(to: s.dtype) : nil]
        case .copy: return [g]
        case .reduce(.sum, _): return [try g.broadcast(to: s.shapes[0])]
        case .reduce(.product, let axes): return [try Self.productGradient(s.input(0), axes, g)]
        case .reduce(_, let axes):
            let hits = try s.input(0).equal(to: s.result())
            return [try hits * (g / hits.sum(axes, keepingAxes: true))]
        case .cumulativeSum(let axis, let reverse): return [try g.cumulativeSum(axis, reverse: !reverse)]
        case .concatenate(let axis): return try Self.pieces(of: g, axis, s.shapes)
        case .matmul:
            return [
                try s.wanted[0] ? g.matmul(s.input(1).transposed()).summed(to: s.shapes[0]) : nil,
                try s.wanted[1] ? Self.rightFactorGradient(s.input(0), s.input(1), g) : nil,
            ]
        case .takeRows: return [try .apply(.scatterAddRows(rows: s.shapes[0][0]), g, s.input(1)), nil]
        case .takeAlong(let axis):
            return [try .apply(.scatterAddAlong(axis: axis, extent: s.shapes[0][axis]), g, s.input(1)), nil]
        case .scatterAddRows: return [try .apply(.takeRows, g, s.input(1)), nil]
        case .scatterAddAlong(let axis, _): return [try .apply(.takeAlong(axis: axis), g, s.input(1)), nil]
        case .reshape: return [try g.reshaped(s.shapes[0])]
        case .permute(let axes):
            return [try g.permuted(axes.inverted)]
        case .broadcast: return [try g.summed(to: s.shapes[0])]
        case .slice(let axis, let start, let step, _):
            return [try .apply(.unslice(axis: axis, start: start, step: step, extent: s.shapes[0][axis]), g)]
        case .unslice(let axis, let start, let step, _):
            return [try .apply(.slice(axis: axis, start: start, step: step, count: s.shapes[0][axis]), g)]
        case .argument, .argumentSort: return [nil]
        case .unaryGradient:
            throw RondoError(.unavailable, "\(name): derivatives of derivatives are not recorded")
        }
    }

    private static func binaryGradients(_ f: BinaryOperation, _ s: SavedTensors, _ g: Tensor) throws -> [Tensor?] {
        func left(_ gradient: @autoclosure () throws -> Tensor) throws -> Tensor? {
            try s.wanted[0] ? gradient().summed(to: s.shapes[0]) : nil
        }
        func right(_ gradient: @autoclosure () throws -> Tensor) throws -> Tensor? {
            try s.wanted[1] ? gradient().summed(to: s.shapes[1]) : nil
        }
        switch f {
        case .add: return [try left(g), try right(g)]
        case .subtract: return [try left(g), try right(-g)]
        case .multiply: return [try left(g * s.input(1)), try right(g * s.input(0))]
        case .divide:
            return [try left(g / s.input(1)), try right(-g * s.input(0) / s.input(1).square())]
        case .power:
            return [
                try left(g * s.input(1) * s.input(0).power(s.input(1) - 1)),
                try right(g * s.result() * s.input(0).log()),
            ]
        case .maximum, .minimum:
            // Among equals the derivative is halved.
            let (a, b) = (try s.input(0), try s.input(1))
            let tie = try a.equal(to: b) * 0.5
            let first = try (f == .maximum ? a.greater(than: b) : a.less(than: b)) + tie
            return [try left(g * first), try right(g * (1 - first))]
        case .equal, .notEqual, .less, .lessEqual, .greater, .greaterEqual: return [nil, nil]
        }
    }

    /// AᵀG, laid out as the right factor is.
    ///
    /// One matrix for many rows gets one product over all of them. Where the factor is a transposed view (as the
    /// weight of a linear layer), the transpose is computed: then the derivative of what it views is dense.
    private static func rightFactorGradient(_ a: Tensor, _ b: Tensor, _ g: Tensor) throws -> Tensor {
        func rows(_ x: Tensor) throws -> Tensor {
            b.rank > 2 ? x : try x.reshaped([x.shape.dropLast().reduce(1, *), x.shape[x.rank - 1]])
        }
        let (a, g) = (try rows(a), try rows(g))
        let isTransposed = b.strides[b.rank - 2] == 1 && b.strides[b.rank - 1] != 1
        let product = try isTransposed ? g.transposed().matmul(a).transposed() : a.transposed().matmul(g)
        return try product.summed(to: b.shape)
    }

    private static func inside(_ x: Tensor, _ low: Double, _ high: Double) throws -> Tensor {
        try x.greaterOrEqual(to: Tensor(low, dtype: x.dtype)) * x.lessOrEqual(to: Tensor(high, dtype: x.dtype))
    }

    /// The product of all other elements, from the products before and after each one (right with zeros too).
    private static func productGradient(_ x: Tensor, _ axes: Shape, _ g: Tensor) throws -> Tensor {
        guard x.count > 0 else { return x }
        let kept = Shape(x.shape.indices.lazy.filter { !axes.contains($0) })
        let order = kept + axes
        let rows = try x.permuted(order).reshaped([kept.mapping { x.shape[$0] }.product, -1])
        let length = rows.shape[1]
        let one = try Tensor.ones([rows.shape[0], 1], dtype: x.dtype)
        var before = [one]
        var after = [one]
        for index in 0..<Swift.max(0, length - 1) {
            before.append(try before[index] * rows.sliced(1, index..<index + 1))
            after.append(try after[index] * rows.sliced(1, length - 1 - index..<length - index))
        }
        let others = try Tensor.concatenate(before, axis: 1) * Tensor.concatenate(after.reversed(), axis: 1)
        let restored = try others.reshaped(order.mapping { x.shape[$0] }).permuted(order.inverted)
        return try restored * g
    }

    private static func pieces(of g: Tensor, _ axis: Int, _ shapes: [Shape]) throws -> [Tensor] {
        var start = 0
        return try shapes.map { shape in
            defer { start += shape[axis] }
            return try g.sliced(axis, start..<start + shape[axis])
        }
    }
}

extension Tensor {
    /// The transpose of broadcasting: sums the axes along which `target` was repeated.
    func summed(to target: Shape) throws -> Tensor {
        guard shape != target else { return self }
        let leading = rank - target.count
        let axes = Shape(shape.indices.lazy.filter { $0 < leading || (target[$0 - leading] == 1 && shape[$0] != 1) })
        return try sum(axes, keepingAxes: true).reshaped(target)
    }
}

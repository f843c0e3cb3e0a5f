/// Inverses of square matrices: A `[..., N, N]` to A⁻¹ of the same shape.
///
/// Gauss and Jordan's elimination with row exchanges, in double precision. The derivative is -A⁻ᵀ g A⁻ᵀ. A singular
/// matrix gives numbers that are not finite.
public struct MatrixInverse: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "matrixInverse"

    /// Creates the operation.
    public init() {}

    /// Refuses what is not square.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 1, inputs[0].rank >= 2,
            inputs[0].shape[inputs[0].rank - 1] == inputs[0].shape[inputs[0].rank - 2]
        else {
            throw RondoError(
                .shapeMismatch, "matrixInverse: needs square matrices [..., N, N]; got \(inputs.map(\.shape))")
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// Elimination without row exchanges: right for matrices near the identity, whose pivots are not small.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let size = inputs[0].shape[inputs[0].rank - 1]
        let identity = try Tensor.identity(size, dtype: inputs[0].dtype)
        var left = inputs[0]
        var right = try identity.broadcast(to: inputs[0].shape)
        for pivot in 0..<size {
            let unit = try identity.sliced(0, pivot..<pivot + 1).transposed()
            let scale = try left.sliced(-2, pivot..<pivot + 1).sliced(-1, pivot..<pivot + 1)
            // The pivot's row becomes itself over the pivot; every other row loses its multiple of it.
            let factors = try (left.sliced(-1, pivot..<pivot + 1) - unit) / scale
            let (rowLeft, rowRight) = (try left.sliced(-2, pivot..<pivot + 1), try right.sliced(-2, pivot..<pivot + 1))
            left = try left - factors * rowLeft
            right = try right - factors * rowRight
        }
        return [right]
    }

    /// Matrices side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let a = try inputs[0].dense()
        let size = a.shape[a.rank - 1]
        let inverse = try Tensor.uninitialized(a.shape, a.dtype)
        let bytes = size * size * a.dtype.byteCount
        parallelFor(a.count > 0 ? a.count / (size * size) : 0) { index in
            let (source, target) = (a.bytes + index * bytes, inverse.mutableBytes + index * bytes)
            if a.dtype == .float64 {
                Self.invert(
                    size, source.assumingMemoryBound(to: Double.self), target.assumingMemoryBound(to: Double.self))
            } else {
                Self.invert(
                    size, source.assumingMemoryBound(to: Float.self), target.assumingMemoryBound(to: Float.self))
            }
        }
        return FusedResult(outputs: [inverse], saved: [inverse], retained: [])
    }

    /// Two products with the transposed inverse.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = cotangents[0] else { return [nil] }
        let transposed = try context.saved[0].transposed()
        return [try -transposed.matmul(g).matmul(transposed)]
    }

    private static func invert<Element: BinaryFloatingPoint>(
        _ size: Int, _ source: UnsafePointer<Element>, _ target: UnsafeMutablePointer<Element>
    ) {
        let width = 2 * size
        var rows = [Double](repeating: 0, count: size * width)
        for row in 0..<size {
            for column in 0..<size { rows[row * width + column] = Double(source[row * size + column]) }
            rows[row * width + size + row] = 1
        }
        rows.withUnsafeMutableBufferPointer { eliminate(size, $0) }
        for row in 0..<size {
            for column in 0..<size { target[row * size + column] = Element(rows[row * width + size + column]) }
        }
    }

    /// Turns `[A | I]` into `[I | A⁻¹]`.
    private static func eliminate(_ size: Int, _ rows: UnsafeMutableBufferPointer<Double>) {
        let width = 2 * size
        for pivot in 0..<size {
            let best = (pivot..<size).max { abs(rows[$0 * width + pivot]) < abs(rows[$1 * width + pivot]) } ?? pivot
            if best != pivot { for column in 0..<width { rows.swapAt(best * width + column, pivot * width + column) } }
            let scale = 1 / rows[pivot * width + pivot]
            for column in pivot..<width { rows[pivot * width + column] *= scale }
            for row in 0..<size where row != pivot {
                let factor = rows[row * width + pivot]
                if factor == 0 { continue }
                for column in pivot..<width { rows[row * width + column] -= factor * rows[pivot * width + column] }
            }
        }
    }
}

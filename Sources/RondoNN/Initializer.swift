public import RondoTensor

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A distribution from which the first values of a parameter are drawn.
///
/// Shapes are `[output, input, …]`: fan-in and fan-out are the second and first extent times all others.
public enum Initializer: Sendable, Hashable {
    /// U(-bound, bound)
    case uniform(bound: Double)
    /// N(0, deviation²)
    case normal(deviation: Double)
    /// N(0, deviation²) without the values beyond two deviations.
    case truncatedNormal(deviation: Double)
    /// Uniform with the variance 2 / (fan-in + fan-out) times gain² (Glorot and Bengio, 2010).
    case xavierUniform(gain: Double = 1)
    /// Normal with the variance 2 / (fan-in + fan-out) times gain².
    case xavierNormal(gain: Double = 1)
    /// Uniform with the variance gain² / fan-in; √2 suits ReLU (He et al., 2015).
    case kaimingUniform(gain: Double = 1.414_213_562_373_095_1)
    /// Normal with the variance gain² / fan-in.
    case kaimingNormal(gain: Double = 1.414_213_562_373_095_1)
    /// Orthonormal rows or columns, whichever are fewer, times gain (Saxe et al., 2014). Leading axes are separate matrices.
    case orthogonal(gain: Double = 1)

    /// Draws a tensor.
    /// - Throws: ``RondoError`` when the shape has too few axes or the type cannot hold draws.
    public func callAsFunction(
        _ shape: Shape, dtype: DType = .float32, using generator: inout Generator
    ) throws -> Tensor {
        switch self {
        case .uniform(let bound):
            return try generator.uniform(shape, low: -bound, high: bound, dtype: dtype)
        case .normal(let deviation):
            return try generator.normal(shape, deviation: deviation, dtype: dtype)
        case .truncatedNormal(let deviation):
            return try Self.truncatedNormal(shape, deviation, dtype, &generator)
        case .xavierUniform(let gain), .xavierNormal(let gain):
            let fans = try Self.fans(shape)
            return try draw(gain * (2 / (fans.input + fans.output)).squareRoot(), shape, dtype, &generator)
        case .kaimingUniform(let gain), .kaimingNormal(let gain):
            return try draw(gain / Self.fans(shape).input.squareRoot(), shape, dtype, &generator)
        case .orthogonal(let gain):
            return try Self.orthogonal(shape, dtype, &generator) * gain
        }
    }

    /// Uniform or normal draws of a deviation.
    private func draw(
        _ deviation: Double, _ shape: Shape, _ dtype: DType, _ generator: inout Generator
    ) throws -> Tensor {
        switch self {
        case .xavierUniform, .kaimingUniform:
            let bound = deviation * 3.0.squareRoot()
            return try generator.uniform(shape, low: -bound, high: bound, dtype: dtype)
        default: return try generator.normal(shape, deviation: deviation, dtype: dtype)
        }
    }

    private static func fans(_ shape: Shape) throws -> (input: Double, output: Double) {
        guard shape.count >= 2, !shape.contains(0) else {
            throw RondoError(
                .shapeMismatch,
                "initializer: fan-in and fan-out need a shape [output, input, ...] without empty axes, got \(shape)")
        }
        let others = shape.dropFirst(2).reduce(1, *)
        return (Double(shape[1] * others), Double(shape[0] * others))
    }

    /// Values beyond two deviations are drawn again until none is left.
    private static func truncatedNormal(
        _ shape: Shape, _ deviation: Double, _ dtype: DType, _ generator: inout Generator
    ) throws -> Tensor {
        var x = try generator.normal(shape, dtype: dtype)
        let limit = try Tensor(2, dtype: dtype)
        while x.count > 0, try x.abs().max().scalar() > 2 {
            x = try Tensor.select(x.abs().greater(than: limit), generator.normal(shape, dtype: dtype), x)
        }
        return try x * deviation
    }

    private static func orthogonal(
        _ shape: Shape, _ dtype: DType, _ generator: inout Generator
    ) throws -> Tensor {
        guard shape.count >= 2 else {
            throw RondoError(.shapeMismatch, "orthogonal: needs a shape with at least two axes, got \(shape)")
        }
        let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
        let count = shape.dropLast(2).reduce(1, *)
        guard count > 0, rows > 0, columns > 0 else { return try Tensor.zeros(shape, dtype: dtype) }
        let matrices = try (0..<count).map { _ in
            let gaussian = try generator.normal([min(rows, columns), max(rows, columns)], dtype: .float64)
            let basis = try orthonormalRows(gaussian)
            return try rows <= columns ? basis : basis.transposed()
        }
        return try Tensor.stack(matrices).reshaped(shape).cast(to: dtype)
    }

    /// Gram-Schmidt in blocks of rows: against all rows before by products of matrices, then within the block.
    ///
    /// Everything is done twice, which makes the rows orthogonal to rounding. Rows of a Gaussian matrix stay
    /// uniformly distributed over all orthonormal ones, since none changes its sign.
    private static func orthonormalRows(_ matrix: Tensor) throws -> Tensor {
        let block = 32
        var done: [Tensor] = []
        for start in stride(from: 0, to: matrix.shape[0], by: block) {
            var rows = try matrix.sliced(0, start..<min(matrix.shape[0], start + block)).contiguous()
            for _ in 0..<2 {
                if !done.isEmpty {
                    let basis = try Tensor.concatenate(done)
                    rows = try rows - rows.matmul(basis.transposed()).matmul(basis)
                }
                try orthonormalizeRows(&rows)
            }
            done.append(rows)
        }
        return try Tensor.concatenate(done)
    }

    private static func orthonormalizeRows(_ rows: inout Tensor) throws {
        let (height, width) = (rows.shape[0], rows.shape[1])
        try rows.mutateInPlace { bytes in
            let x = bytes.bindMemory(to: Double.self)
            for row in 0..<height {
                let own = row * width
                for other in stride(from: 0, to: own, by: width) {
                    var product = 0.0
                    for column in 0..<width { product += x[own + column] * x[other + column] }
                    for column in 0..<width { x[own + column] -= product * x[other + column] }
                }
                var square = 0.0
                for column in 0..<width { square += x[own + column] * x[own + column] }
                let scale = 1 / square.squareRoot()
                for column in 0..<width { x[own + column] *= scale }
            }
        }
    }
}

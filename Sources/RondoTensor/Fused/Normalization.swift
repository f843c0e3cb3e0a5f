internal import CRondoKernels

/// Layer normalisation (subtract the mean, divide by the deviation) or RMS normalisation (divide by the root mean
/// square) of the last axis, times a weight, plus a bias.
///
/// Inputs: x `[..., n]`, then, if present, weight `[n]` and bias `[n]`.
public struct Normalization: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "normalization"

    /// What a row is divided by.
    public enum Kind: String, Sendable, Codable {
        /// Mean and deviation (Ba et al., 2016).
        case layer
        /// Root mean square (Zhang and Sennrich, 2019).
        case rms
    }

    /// What a row is divided by.
    public var kind: Kind
    /// Added to the variance or mean square.
    public var epsilon: Double

    /// Creates the operation.
    public init(_ kind: Kind, epsilon: Double = 1e-5) {
        self.kind = kind
        self.epsilon = epsilon
    }

    /// Refuses weights and biases that do not fit the last axis.
    public func validate(_ inputs: [Tensor]) throws {
        guard (1...3).contains(inputs.count) else {
            throw RondoError(
                .invalidArgument, "\(kind.rawValue) normalization: needs an input, perhaps a weight, perhaps a bias")
        }
        try check(inputs[0], weight: inputs.count > 1 ? inputs[1] : nil, bias: inputs.count > 2 ? inputs[2] : nil)
    }

    private func check(_ x: Tensor, weight: Tensor?, bias: Tensor?) throws {
        func fits(_ parameter: Tensor?) -> Bool {
            guard let parameter else { return true }
            return parameter.rank == 1 && parameter.shape[0] == x.shape.last && parameter.dtype == x.dtype
        }
        guard x.rank > 0, fits(weight), fits(bias), weight != nil || bias == nil else {
            throw RondoError(
                .shapeMismatch,
                "\(kind.rawValue) normalization: weight and bias must have the last extent and type of the input; shapes "
                    + "\([x, weight, bias].compactMap { $0?.shape })")
        }
        _ = try x.dtype.kernelType(Self.name)
    }

    /// Normalises the last axis of one tensor.
    ///
    /// - Parameters:
    ///   - x: `[..., n]`.
    ///   - weight: The gains, `[n]`, if there are any.
    ///   - bias: The offsets, `[n]`, if there are any; they need gains.
    /// - Returns: The rows, normalised.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public func callAsFunction(_ x: Tensor, weight: Tensor? = nil, bias: Tensor? = nil) throws -> Tensor {
        try check(x, weight: weight, bias: bias)
        let isRecorded = x.link != nil || weight?.link != nil || bias?.link != nil
        guard !isRecorded, x.isOnCPU, bias == nil || kind == .layer else {
            return try self([x] + (weight.map { [$0] } ?? []) + (bias.map { [$0] } ?? []))[0]
        }
        // Without derivatives nothing has to be kept, and no list of operands is made.
        let (x, weight, bias) = try (x.dense(), weight?.dense(), bias?.dense())
        let type = try x.dtype.kernelType(Self.name)
        let y = try Tensor.uninitialized(x.shape, x.dtype)
        forEachRowBlock(x) { rows, columns, start in
            let size = rows * x.dtype.byteCount
            withUnsafeTemporaryAllocation(byteCount: 2 * size, alignment: 64) { statistics in
                guard let means = statistics.baseAddress else { return }
                normalize(
                    type, rows, columns, x.bytes + start, weight: weight?.bytes, bias: bias?.bytes,
                    into: y.mutableBytes + start, means: means, deviations: means + size)
            }
        }
        return y
    }

    /// The definition.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        var y = inputs[0]
        if kind == .layer { y = try y - y.mean([-1], keepingAxes: true) }
        y = try y * (y.square().mean([-1], keepingAxes: true) + epsilon).unary(.rsqrt)
        if inputs.count > 1 { y = try y * inputs[1] }
        if inputs.count > 2 { y = try y + inputs[2] }
        return [y]
    }

    /// Each row in one sweep; the rows' statistics are saved.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let x = try inputs[0].dense()
        let weight = try inputs.count > 1 ? inputs[1].dense() : nil
        let bias = try inputs.count > 2 ? inputs[2].dense() : nil
        let type = try x.dtype.kernelType(Self.name)
        let y = try Tensor.uninitialized(x.shape, x.dtype)
        let statistics = Shape(x.shape.dropLast())
        let mean = try Tensor.uninitialized(kind == .layer ? statistics : [0], x.dtype)
        let rstd = try Tensor.uninitialized(statistics, x.dtype)
        forEachRowBlock(x) { rows, columns, start in
            let row = start / columns
            normalize(
                type, rows, columns, x.bytes + start, weight: weight?.bytes, bias: bias?.bytes,
                into: y.mutableBytes + start, means: mean.mutableBytes + row, deviations: rstd.mutableBytes + row)
        }
        guard kind == .rms, let bias else {
            return FusedResult(outputs: [y], saved: [x, mean, rstd], retained: .inputs)
        }
        return FusedResult(outputs: [try y + bias], saved: [x, mean, rstd], retained: .inputs)
    }

    /// Normalises rows in memory; the means of a layer norm and the reciprocal deviations are written beside.
    func normalize(
        _ type: rk_type, _ rows: Int, _ columns: Int, _ x: UnsafeRawPointer, weight: UnsafeRawPointer?,
        bias: UnsafeRawPointer?, into y: UnsafeMutableRawPointer, means: UnsafeMutableRawPointer,
        deviations: UnsafeMutableRawPointer
    ) {
        switch kind {
        case .layer: rk_layer_norm(type, rows, columns, x, weight, bias, epsilon, y, means, deviations)
        case .rms: rk_rms_norm(type, rows, columns, x, weight, epsilon, y, deviations)
        }
    }

    /// Blocks of rows add to weight and bias gradients of their own, summed in order afterwards.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = try cotangents[0]?.dense() else { return context.inputs.map { _ in nil } }
        let (x, mean, rstd) = (context.saved[0], context.saved[1], context.saved[2])
        let weight = try context.inputs.count > 1 ? context.inputs[1].dense() : nil
        let columns = x.shape[x.rank - 1]
        let type = try x.dtype.kernelType(Self.name)
        let dx = try Tensor.uninitialized(x.shape, x.dtype)
        let size = x.dtype.byteCount
        let grain = max(1, CPUBackend.elementwiseGrain / max(1, columns))
        let blocks = (x.count / max(1, columns) + grain - 1) / grain
        let dweight = try Tensor.zeros([blocks, columns], dtype: x.dtype)
        let dbias = try Tensor.zeros([blocks, columns], dtype: x.dtype)
        parallelFor(x.count / max(1, columns), grain: grain) { rows in
            let start = rows.lowerBound * columns * size
            let partial = rows.lowerBound / grain * columns * size
            switch kind {
            case .layer:
                rk_layer_norm_gradient(
                    type, rows.count, columns, x.bytes + start, weight?.bytes, mean.bytes + rows.lowerBound * size,
                    rstd.bytes + rows.lowerBound * size, g.bytes + start, dx.mutableBytes + start,
                    weight.map { _ in dweight.mutableBytes + partial }, dbias.mutableBytes + partial)
            case .rms:
                rk_rms_norm_gradient(
                    type, rows.count, columns, x.bytes + start, weight?.bytes, rstd.bytes + rows.lowerBound * size,
                    g.bytes + start, dx.mutableBytes + start, weight.map { _ in dweight.mutableBytes + partial })
            }
        }
        var gradients: [Tensor?] = [dx]
        if context.inputs.count > 1 { gradients.append(try dweight.sum([0])) }
        if context.inputs.count > 2 {
            gradients.append(try kind == .layer ? dbias.sum([0]) : g.summed(to: [columns]))
        }
        return gradients
    }
}

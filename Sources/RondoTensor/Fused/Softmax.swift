internal import CRondoKernels

/// Softmax, or its logarithm, over the last axis.
public struct Softmax: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "softmax"
    /// Whether the result is the logarithm.
    public var logarithm: Bool

    /// Creates the operation.
    public init(logarithm: Bool = false) { self.logarithm = logarithm }

    /// Refuses anything but one floating-point tensor with at least one axis.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 1, inputs[0].rank >= 1 else {
            throw RondoError(
                .shapeMismatch, "softmax: needs one tensor with at least one axis, got \(inputs.map(\.shape))")
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// x - log Σ eˣ, or its exponential.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let normalized = try inputs[0] - LogSumExp().reference(inputs)[0].expanded(at: -1)
        return [try logarithm ? normalized : normalized.exp()]
    }

    /// Each row in one sweep.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let x = try inputs[0].dense()
        let type = try x.dtype.kernelType(Self.name)
        let y = try Tensor.uninitialized(x.shape, x.dtype)
        forEachRowBlock(x) { rows, columns, start in
            rk_softmax(type, logarithm, rows, columns, x.bytes + start, y.mutableBytes + start)
        }
        return FusedResult(outputs: [y], retained: .outputs)
    }

    /// dx = y (g - Σ g y), or g - eʸ Σ g.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = try cotangents[0]?.dense() else { return [nil] }
        let y = context.outputs[0]
        let type = try y.dtype.kernelType(Self.name)
        let dx = try Tensor.uninitialized(y.shape, y.dtype)
        forEachRowBlock(y) { rows, columns, start in
            rk_softmax_gradient(
                type, logarithm, rows, columns, y.bytes + start, g.bytes + start, dx.mutableBytes + start)
        }
        return [dx]
    }
}

/// log Σ eˣ over the last axis, which disappears, without overflow.
public struct LogSumExp: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "logSumExp"

    /// Creates the operation.
    public init() {}

    /// Refuses what ``Softmax`` refuses.
    public func validate(_ inputs: [Tensor]) throws { try Softmax().validate(inputs) }

    /// Shifted by the largest element, which cancels.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let largest = try inputs[0].detached().max([-1], keepingAxes: true)
        let shift = try largest.clamped(-.greatestFiniteMagnitude, .greatestFiniteMagnitude)
        return [try ((inputs[0] - shift).exp().sum([-1], keepingAxes: true).log() + shift).squeezed(-1)]
    }

    /// Each row in one sweep.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let x = try inputs[0].dense()
        let type = try x.dtype.kernelType(Self.name)
        let y = try Tensor.uninitialized(Shape(x.shape.dropLast()), x.dtype)
        forEachRowBlock(x) { rows, columns, start in
            rk_log_sum_exp(type, rows, columns, x.bytes + start, y.mutableBytes + start / columns)
        }
        return FusedResult(outputs: [y], saved: [x], retained: [])
    }

    /// The softmax times the cotangent.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        guard let g = cotangents[0] else { return [nil] }
        return [try context.saved[0].softmax() * g.expanded(at: -1)]
    }
}

/// Visits blocks of rows (all leading axes) of a dense tensor: rows, columns, and the byte offset of the first.
func forEachRowBlock(_ x: Tensor, _ body: (Int, Int, Int) -> Void) {
    let columns = x.shape.last ?? 1
    guard x.count > 0 else { return }
    let grain = max(1, CPUBackend.elementwiseGrain / columns)
    parallelFor(x.count / columns, grain: grain) { rows in
        body(rows.count, columns, rows.lowerBound * columns * x.dtype.byteCount)
    }
}

extension Tensor {
    /// Softmax over the last axis.
    public func softmax() throws -> Tensor { try Softmax()([self])[0] }

    /// log Σ eˣ over the last axis, without overflow.
    public func logSumExp() throws -> Tensor { try LogSumExp()([self])[0] }

    /// Logarithm of the softmax over the last axis.
    public func logSoftmax() throws -> Tensor { try Softmax(logarithm: true)([self])[0] }
}

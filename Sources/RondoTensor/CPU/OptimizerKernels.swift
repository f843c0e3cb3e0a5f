internal import CRondoKernels
import Synchronization

/// An optimiser's rule for one parameter: a single pass over parameter, gradient and state, in place.
public enum OptimizerKernel: Sendable {
    /// Gradient descent. With momentum the state is one buffer, which the `first` step starts with the gradient.
    case sgd(momentum: Double, nesterov: Bool, decoupledDecay: Bool, first: Bool)
    /// Adam with decoupled decay. The state is the first and second moment; `step` counts from 1.
    case adamW(beta1: Double, beta2: Double, epsilon: Double, step: Int)
    /// The sign of an interpolated momentum. The state is the momentum.
    case lion(beta1: Double, beta2: Double)

    /// The number of tensors, shaped like the parameter, that the rule keeps between steps.
    public var stateCount: Int {
        switch self {
        case .sgd(let momentum, _, _, _): momentum == 0 ? 0 : 1
        case .adamW: 2
        case .lion: 1
        }
    }

    /// Changes `parameter` and `state`, in place where they are the sole owners of their memory.
    ///
    /// - Parameters:
    ///   - parameter: what is learnt, float32 or float64.
    ///   - gradient: of the parameter's shape and type.
    ///   - state: ``stateCount`` tensors of the parameter's shape and type.
    ///   - rate: the learning rate of this step.
    ///   - decay: the weight decay coefficient λ.
    ///   - gradientScale: multiplies the gradient first (clipping).
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public func update(
        _ parameter: inout Tensor, gradient: Tensor, state: inout [Tensor], rate: Double, decay: Double,
        gradientScale: Double = 1
    ) throws {
        let type = try parameter.dtype.kernelType("optimizer update")
        let (shape, dtype) = (parameter.shape, parameter.dtype)
        guard state.count == stateCount, gradient.device == .cpu, parameter.device == .cpu,
            ([gradient] + state).allSatisfy({ $0.shape == shape && $0.dtype == dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "optimizer update: the parameter has shape \(shape) (\(dtype.rawValue)); gradient and \(stateCount) "
                    + "state tensors must have the same, got \(([gradient] + state).map(\.shape))")
        }
        let gradient = try gradient.dense()
        let target = try parameter.ownedBytes()
        let buffers = try state.indices.map { try state[$0].ownedBytes() }
        parallelFor(parameter.count, grain: CPUBackend.elementwiseGrain) { range in
            let start = range.lowerBound * dtype.byteCount
            let (p, g) = (target + start, gradient.bytes + start)
            switch self {
            case .sgd(let momentum, let nesterov, let decoupled, let first):
                rk_sgd(
                    type, range.count, p, g, buffers.first.map { $0 + start }, rate, momentum, decay, decoupled,
                    nesterov, first, gradientScale)
            case .adamW(let beta1, let beta2, let epsilon, let step):
                rk_adamw(
                    type, range.count, p, g, buffers[0] + start, buffers[1] + start, rate, beta1, beta2, epsilon, decay,
                    1 - power(beta1, step), 1 - power(beta2, step), gradientScale)
            case .lion(let beta1, let beta2):
                rk_lion(type, range.count, p, g, buffers[0] + start, rate, beta1, beta2, decay, gradientScale)
            }
        }
    }
}

/// `base` to a whole power by repeated squaring: the same bits on every platform.
private func power(_ base: Double, _ exponent: Int) -> Double {
    var (result, square, rest) = (1.0, base, exponent)
    while rest > 0 {
        if rest & 1 == 1 { result *= square }
        square *= square
        rest >>= 1
    }
    return result
}

extension Tensor {
    /// Σ x², in double precision; the order of additions depends on the number of elements only.
    public func sumOfSquares() throws -> Double {
        let x = try detached().dense()
        let type = try dtype.kernelType("sumOfSquares")
        let grain = CPUBackend.elementwiseGrain
        var partial = [Double](repeating: 0, count: (count + grain - 1) / grain)
        partial.withUnsafeMutableBufferPointer { partial in
            let base = partial.baseAddress
            parallelFor(x.count, grain: grain) { range in
                let start = x.bytes + range.lowerBound * dtype.byteCount
                base?[range.lowerBound / grain] = rk_sum_of_squares(type, start, range.count)
            }
        }
        return partial.reduce(0, +)
    }

    /// Whether every element is a finite number.
    public func isFinite() throws -> Bool {
        guard dtype.isDifferentiable else { return true }
        let x = try detached().dense()
        let type = try dtype.kernelType("isFinite")
        let isFinite = Atomic(true)
        parallelFor(x.count, grain: CPUBackend.elementwiseGrain) { range in
            guard isFinite.load(ordering: .relaxed) else { return }
            let start = x.bytes + range.lowerBound * dtype.byteCount
            if !rk_all_finite(type, start, range.count) { isFinite.store(false, ordering: .relaxed) }
        }
        return isFinite.load(ordering: .relaxed)
    }

    /// The address of the first element, after making sure that no other tensor sees it.
    fileprivate mutating func ownedBytes() throws -> UnsafeMutableRawPointer {
        try mutateInPlace { _ in }
        return mutableBytes
    }
}

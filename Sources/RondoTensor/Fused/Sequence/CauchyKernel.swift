internal import CRondoKernels

/// Sums over poles at many nodes: k[m, h, l] = Σₙ v[m, h, n] / (z[l] - Λ[h, n]), complex throughout.
///
/// The generating function of a state space with diagonal plus low-rank dynamics is made of four such sums with common
/// poles (Gu, Goel, Ré: *Efficiently Modeling Long Sequences with Structured State Spaces*, 2021, section 3.3 and
/// Theorem 3). Poles of real systems come in conjugate pairs, of which one half is stored: with `conjugated`,
///
///     k[m, h, l] = Σₙ v / (z - Λ) + v̄ / (z - Λ̄) = Σₙ 2 (z Re v - Re(v Λ̄)) / (z² - 2 z Re Λ + |Λ|²)
///
/// Inputs: real and imaginary parts of the numerators v `[sets, channels, poles]`, of Λ `[channels, poles]` and of the
/// nodes z `[length]`. Outputs: the two parts of k `[sets, channels, length]`. No node may coincide with a pole: a
/// channel's step size belongs into Λ, v and what is made of k, so that all channels share finite nodes.
public struct CauchyKernel: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "cauchyKernel"
    /// Whether each pole stands for itself and its conjugate.
    public var conjugated: Bool

    /// Creates the operation.
    public init(conjugated: Bool) { self.conjugated = conjugated }

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 6, inputs[0].rank == 3, inputs[2].rank == 2, inputs[4].rank == 1,
            inputs[2].shape == Shape(inputs[0].shape.dropFirst()), inputs[1].shape == inputs[0].shape,
            inputs[3].shape == inputs[2].shape, inputs[5].shape == inputs[4].shape,
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "cauchyKernel: needs both parts of numerators [sets, channels, poles], poles [channels, poles] and nodes [length], all of one type; got \(inputs.map(\.shape))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// All quotients `[sets, channels, length, poles]`, summed.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let numerators = ComplexTensor(try inputs[0].expanded(at: -2), try inputs[1].expanded(at: -2))
        let poles = ComplexTensor(try inputs[2].expanded(at: -2), try inputs[3].expanded(at: -2))
        let nodes = ComplexTensor(try inputs[4].expanded(at: -1), try inputs[5].expanded(at: -1))
        var sum = try (numerators / (nodes - poles)).sum([-1])
        if conjugated { sum = try sum + (numerators.conjugate() / (nodes - poles.conjugate())).sum([-1]) }
        return [sum.real, sum.imaginary]
    }

    /// Channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let dense = try inputs.map { try $0.dense() }
        let sizes = try Sizes(dense)
        let shape: Shape = [sizes.sets, sizes.channels, sizes.length]
        let (re, im) = (
            try Tensor.uninitialized(shape, dense[0].dtype), try Tensor.uninitialized(shape, dense[0].dtype)
        )
        parallelFor(sizes.sets * sizes.length > 0 ? sizes.channels : 0) { channel in
            let (pole, node) = sizes.offsets(channel)
            rk_cauchy(
                sizes.type, conjugated, sizes.sets, sizes.poles, sizes.length, sizes.channels * sizes.poles,
                sizes.channels * sizes.length, dense[0].bytes + pole, dense[1].bytes + pole, dense[2].bytes + pole,
                dense[3].bytes + pole, dense[4].bytes, dense[5].bytes, re.mutableBytes + node, im.mutableBytes + node)
        }
        return FusedResult(outputs: [re, im], saved: dense, retained: [])
    }

    /// Channels side by side; their gradients of the nodes are summed in order.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let saved = context.saved
        let sizes = try Sizes(saved)
        let g = try cotangents.map {
            try $0?.dense() ?? Tensor.zeros([sizes.sets, sizes.channels, sizes.length], dtype: saved[0].dtype)
        }
        let gradients = try saved.prefix(4).map { try Tensor.zeros($0.shape, dtype: $0.dtype) }
        let wantsNodes = context.wanted[4] || context.wanted[5]
        let nodes = try (0..<(wantsNodes ? 2 : 0)).map { _ in
            try Tensor.zeros([sizes.channels, sizes.length], dtype: saved[0].dtype)
        }
        parallelFor(sizes.channels) { channel in
            let (pole, node) = sizes.offsets(channel)
            rk_cauchy_gradient(
                sizes.type, conjugated, sizes.sets, sizes.poles, sizes.length, sizes.channels * sizes.poles,
                sizes.channels * sizes.length, saved[0].bytes + pole, saved[1].bytes + pole, saved[2].bytes + pole,
                saved[3].bytes + pole, saved[4].bytes, saved[5].bytes, g[0].bytes + node, g[1].bytes + node,
                gradients[0].mutableBytes + pole, gradients[1].mutableBytes + pole, gradients[2].mutableBytes + pole,
                gradients[3].mutableBytes + pole, nodes.first.map { $0.mutableBytes + node },
                nodes.last.map { $0.mutableBytes + node })
        }
        let ofNodes: [Tensor?] = wantsNodes ? try nodes.map { try $0.sum([0]) } : [nil, nil]
        return gradients + ofNodes
    }

    /// The extents, and where a channel's numbers lie.
    private struct Sizes {
        let type: rk_type
        let (sets, channels, poles, length): (Int, Int, Int, Int)
        let byteCount: Int

        init(_ inputs: [Tensor]) throws {
            type = try inputs[0].dtype.kernelType(CauchyKernel.name)
            (sets, channels, poles) = (inputs[0].shape[0], inputs[0].shape[1], inputs[0].shape[2])
            length = inputs[4].shape[0]
            byteCount = inputs[0].dtype.byteCount
        }

        /// Byte offsets of a channel's poles (and first set of numerators), and of its first set of results.
        func offsets(_ channel: Int) -> (Int, Int) { (channel * poles * byteCount, channel * length * byteCount) }
    }
}

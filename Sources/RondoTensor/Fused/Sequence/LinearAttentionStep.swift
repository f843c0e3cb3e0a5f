internal import CRondoKernels

extension LinearAttention {
    /// Computes one position, and updates the state in place where nobody else holds it.
    ///
    /// One pass over the state; nothing is allocated but the output. Derivatives do not flow through it.
    ///
    /// - Parameters:
    ///   - q: `[batch, G, K]`.
    ///   - k: `[batch, G, K]`.
    ///   - v: `[batch, H, V]`.
    ///   - g: the logarithm of the decay, `[batch, H]` or `[batch, G, K]`; `nil` if ``decay`` is ``Decay/none``.
    ///   - bonus: u `[H, K]`, if ``hasBonus``.
    ///   - state: `[batch, H, K, V]`; becomes the state after this position.
    /// - Returns: o `[batch, H, V]`.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public func step(
        q: Tensor, k: Tensor, v: Tensor, g: Tensor? = nil, bonus: Tensor? = nil, state: inout Tensor
    ) throws -> Tensor {
        try validateStep(q, k, v, g, bonus, state)
        let (q, k, v) = (try q.dense(), try k.dense(), try v.dense())
        let (g, bonus) = (try g?.dense(), try bonus?.dense())
        let output = try Tensor.uninitialized(v.shape, v.dtype)
        let (type, shape) = (try v.dtype.kernelType(Self.name), state.shape)
        try state.mutateInPlace { memory in
            guard let states = memory.baseAddress else { return }
            let work = Position(
                type: type, decay: decay, heads: shape[1], key: shape[2], value: shape[3],
                count: v.shape[0] * v.shape[1], shared: v.shape[1] / q.shape[1], size: v.dtype.byteCount,
                q: q.bytes, k: k.bytes, v: v.bytes, g: g?.bytes, bonus: bonus?.bytes, states: states,
                output: output.mutableBytes)
            work.run(pieces: work.pieces)
        }
        withExtendedLifetime((q, k, v, g, bonus)) {}
        return output
    }

    /// The work of a position.
    private struct Position: ParallelWork {
        let type: rk_type
        let decay: Decay
        let heads: Int
        let key: Int
        let value: Int
        /// Rows of the batch times heads.
        let count: Int
        /// Heads that share a query and a key.
        let shared: Int
        /// Bytes of an element.
        let size: Int
        let q: UnsafeRawPointer
        let k: UnsafeRawPointer
        let v: UnsafeRawPointer
        let g: UnsafeRawPointer?
        let bonus: UnsafeRawPointer?
        let states: UnsafeMutableRawPointer
        let output: UnsafeMutableRawPointer

        /// Small states together: handing one over takes as long as computing with it.
        private var grain: Int { max(1, (1 << 14) / (key * value)) }

        var pieces: Int { (count + grain - 1) / grain }

        func compute(_ piece: Int) {
            let decays = decay == .none ? 0 : decay == .scalar ? 1 : key
            for pair in piece * grain..<min(count, (piece + 1) * grain) {
                let group = pair / shared
                let decayed = decay == .scalar ? pair : group * key
                rk_linear_attention_step(
                    type, key, value, q + group * key * size, k + group * key * size, v + pair * value * size,
                    g.map { $0 + decayed * size }, decays, bonus.map { $0 + pair % heads * key * size },
                    states + pair * key * value * size, output + pair * value * size)
            }
        }
    }

    private func validateStep(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, _ g: Tensor?, _ bonus: Tensor?, _ state: Tensor
    ) throws {
        guard q.rank == 3, v.rank == 3, k.shape == q.shape, v.shape[0] == q.shape[0], q.shape[1] > 0,
            v.shape[1] % q.shape[1] == 0, q.shape[2] > 0, v.shape[2] > 0, state.rank == 4, state.shape[0] == v.shape[0],
            state.shape[1] == v.shape[1], state.shape[2] == q.shape[2], state.shape[3] == v.shape[2],
            g?.shape == decayShape(q, v), bonus?.shape == (hasBonus ? Shape(v.shape[1], q.shape[2]) : nil),
            !hasBonus || decay == .vector
        else {
            throw RondoError(
                .shapeMismatch,
                "linearAttention.step: needs q and k [batch, G, K], v [batch, H, V], a state [batch, H, K, V] and "
                    + "\(decay == .none ? "no g" : decay == .scalar ? "g [batch, H]" : "g [batch, G, K]")"
                    + "\(hasBonus ? ", u [H, K]" : ""); got \([q, k, v, g, bonus].map { $0?.shape ?? [] }) and "
                    + "\(state.shape)")
        }
        guard q.dtype == state.dtype, k.dtype == state.dtype, v.dtype == state.dtype,
            g?.dtype ?? state.dtype == state.dtype, bonus?.dtype ?? state.dtype == state.dtype
        else {
            throw RondoError(
                .dtypeMismatch,
                "linearAttention.step: needs operands of the state's type \(state.dtype.rawValue); cast them")
        }
    }

    private func decayShape(_ q: Tensor, _ v: Tensor) -> Shape? {
        switch decay {
        case .none: nil
        case .scalar: Shape(v.shape[0], v.shape[1])
        case .vector: q.shape
        }
    }
}

import RondoNN
import RondoTensor

/// The recurrence of Mamba-2 with its ways to forget (Chen et al., Stuffed Mamba, 2024).
extension Mamba2 {
    /// One position: S, bounded or without what is older than the window, read by C.
    ///
    /// - Parameters:
    ///   - parts: Of one position.
    ///   - state: The state before; becomes the one after.
    /// - Returns: `[batch, H, P]`.
    /// - Throws: `RondoError` when shapes do not fit.
    func position(_ parts: Parts, state: inout MixerState) throws -> Tensor {
        let shared = aLog.shape[0] / configuration.groups
        try advance(&state["ssm"], b: parts.b, v: parts.v, logDecay: parts.logDecay)
        if let limit = configuration.maxStateNorm {
            let square = try state["ssm"].square().sum([2, 3], keepingAxes: true)
            let norm = try square.maximum(Tensor(limit * limit, dtype: square.dtype)).sqrt()
            state["ssm"] = try state["ssm"] * (limit / norm)
        }
        var read = state["ssm"]
        if configuration.stateWindow != nil {
            let all = try Tensor.concatenate([state["writes"], writes(parts).expanded(at: 1)], axis: 1)
            state["writes"] = try all.sliced(1, 1..<all.shape[1])
            let left = try taken(all.selecting(1, 0))
            try advance(&state["old"], b: left.b, v: left.v, logDecay: left.logDecay)
            let decay = try taken(state["writes"]).logDecay.sum([1]).exp()
            read = try read - state["old"] * decay.reshaped([-1, aLog.shape[0], 1, 1])
        }
        return try (read * parts.c.repeatingHeads(shared).expanded(at: 3)).sum([2])
    }

    /// S = a S⁻ + B vᵀ.
    private func advance(_ s: inout Tensor, b: Tensor, v: Tensor, logDecay: Tensor) throws {
        let heads = aLog.shape[0]
        let add = try b.repeatingHeads(heads / configuration.groups).expanded(at: 3) * v.expanded(at: 2)
        s = try logDecay.exp().reshaped([-1, heads, 1, 1]) * s + add
    }

    /// Takes off what is older than the window from what was read at many positions.
    ///
    /// A second recurrence runs `window` positions behind and is read by the same C.
    ///
    /// - Parameters:
    ///   - o: What was read of the whole state, `[batch, time, H, P]`.
    ///   - parts: The positions.
    ///   - window: How many positions the state holds.
    ///   - state: The state before; its old part becomes the one after.
    /// - Returns: `[batch, time, H, P]`.
    /// - Throws: `RondoError` when shapes do not fit.
    func withoutOld(_ o: Tensor, _ parts: Parts, window: Int, state: inout MixerState) throws -> Tensor {
        let time = o.shape[1]
        let all = try Tensor.concatenate([state["writes"], writes(parts)], axis: 1)
        state["writes"] = try all.sliced(1, time..<time + window).contiguous()
        let left = try taken(all.sliced(1, 0..<time))
        let old = try LinearAttention(decay: .scalar, keepsIntermediates: left.v.requiresGradient)([
            parts.c, left.b, left.v, state["old"], left.logDecay,
        ])
        state["old"] = old[1]
        // Differences of long sums, which float32 would round to less than the decay needs.
        let sums = try taken(all).logDecay.cast(to: .float64).cumulativeSum(1)
        let decay = try (sums.sliced(1, window..<window + time) - sums.sliced(1, 0..<time)).exp().cast(to: o.dtype)
        return try o - old[0] * decay.expanded(at: -1)
    }

    /// What positions write, side by side: B, v and log a, `[..., G N + E + H]`.
    private func writes(_ parts: Parts) throws -> Tensor {
        try Tensor.concatenate([parts.b.joiningHeads(), parts.v.joiningHeads(), parts.logDecay], axis: -1)
    }

    private func taken(_ writes: Tensor) throws -> (b: Tensor, v: Tensor, logDecay: Tensor) {
        let (heads, inner) = (aLog.shape[0], norm.weight.shape[0])
        let shared = configuration.groups * configuration.stateSize
        return (
            try writes.channels(0..<shared).splittingHeads(configuration.groups),
            try writes.channels(shared..<shared + inner).splittingHeads(heads),
            try writes.channels(shared + inner..<shared + inner + heads)
        )
    }
}

internal import CRondoKernels

/// The nonlinear recurrence of a matrix-valued state, M²RNN (Mishra et al., 2026, arXiv 2603.14360).
///
/// Per head, with state H `[K, V]`, Z_t = tanh(H_{t-1} W + k_t v_tᵀ), H_t = f_t H_{t-1} + (1 - f_t) Z_t and
/// y_t = H_tᵀ q_t (after the update). Inputs: q `[batch, time, Nq, K]`, k `[batch, time, Nk, K]`, v
/// `[batch, time, N, V]`, the gate f `[batch, time, N]` in 0...1, W `[N, V, V]` and the state before
/// `[batch, N, K, V]`. Nq and Nk divide N: consecutive heads share a query and a key. Outputs: y `[batch, time, N, V]`
/// and the state after. The skip D ⊙ v of the layer is left to the caller.
public struct MatrixStateCell: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "matrixStateCell"

    /// Positions between kept states; those between are computed again for the derivative.
    static let chunk = 32

    /// Whether tanh is left out, which makes the recurrence linear: an ablation.
    public let isLinear: Bool

    /// Creates the operation.
    public init(isLinear: Bool = false) { self.isLinear = isLinear }

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 6, inputs[0].rank == 4, inputs[1].rank == 4, inputs[2].rank == 4,
            case let q = inputs[0].shape, case let k = inputs[1].shape, case let v = inputs[2].shape,
            q[0] == v[0], q[1] == v[1], k[0] == v[0], k[1] == v[1], q[3] == k[3], k[3] >= 1, v[3] >= 1,
            q[2] >= 1, k[2] >= 1, v[2] % q[2] == 0, v[2] % k[2] == 0,
            inputs[3].shape == [v[0], v[1], v[2]], inputs[4].shape == [v[2], v[3], v[3]],
            inputs[5].shape == [v[0], v[2], k[3], v[3]], inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "\(Self.name): needs q and k [batch, time, heads, K] whose numbers of heads divide N, v [batch, time, N, V], f [batch, time, N], W [N, V, V] and a state [batch, N, K, V] of one type; got \(inputs.map(\.shape))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// The equations, position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let (v, f, weight) = (inputs[2], inputs[3], inputs[4])
        let heads = v.shape[2]
        let (q, k) = (try Self.repeated(inputs[0], heads), try Self.repeated(inputs[1], heads))
        var state = inputs[5]
        var outputs: [Tensor] = []
        for t in 0..<v.shape[1] {
            let written = try k.selecting(1, t).expanded(at: 3) * v.selecting(1, t).expanded(at: 2)
            let sum = try state.matmul(weight) + written
            let z = try isLinear ? sum : sum.tanh()
            let gate = try f.selecting(1, t).expanded(at: 2).expanded(at: 3)
            state = try gate * state + (1 - gate) * z
            outputs.append(try (state * q.selecting(1, t).expanded(at: 3)).sum([2]))
        }
        return [outputs.isEmpty ? v : try Tensor.stack(outputs, axis: 1), state]
    }

    /// Every head of every sequence by itself.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let dense = try inputs.map { try $0.dense() }
        let sizes = try Sizes(dense)
        let y = try Tensor.uninitialized(dense[2].shape, dense[2].dtype)
        let final = try Tensor.uninitialized(dense[5].shape, dense[5].dtype)
        // The state before the first chunk is an operand.
        let chunks = max(0, (sizes.time - 1) / Self.chunk)
        let checkpoints = try Tensor.uninitialized(
            [sizes.batch, sizes.heads, chunks, sizes.keys, sizes.values], y.dtype)
        let state = sizes.keys * sizes.values * sizes.size
        parallelFor(sizes.batch * sizes.heads, work: sizes.work) { index in
            let at = sizes.offsets(index)
            rk_matrix_state(
                sizes.type, isLinear, sizes.time, sizes.keys, sizes.values, sizes.heads, sizes.queryHeads * sizes.keys,
                sizes.keyHeads * sizes.keys, Self.chunk, dense[0].bytes + at.q, dense[1].bytes + at.k,
                dense[2].bytes + at.v, dense[3].bytes + at.f, dense[4].bytes + at.weight,
                dense[5].bytes + index * state,
                y.mutableBytes + at.v, final.mutableBytes + index * state,
                checkpoints.mutableBytes + index * chunks * state)
        }
        return FusedResult(outputs: [y, final], saved: dense + [checkpoints], retained: [])
    }

    /// Chunk by chunk from the last: the states again, then the derivative back through them.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let dense = context.saved
        let sizes = try Sizes(dense)
        let dtype = dense[0].dtype
        let dy = try cotangents[0]?.dense()
        let dstate = try ElementwiseRecurrence.cotangent(cotangents[1], like: dense[5].shape, dtype)
        // Heads that share a query or key add to it afterwards, so that they do not wait for each other.
        let perHead: Shape = [sizes.batch, sizes.time, sizes.heads, sizes.keys]
        let (dq, dk) = (try Tensor.uninitialized(perHead, dtype), try Tensor.uninitialized(perHead, dtype))
        let (dv, df) = (
            try Tensor.uninitialized(dense[2].shape, dtype), try Tensor.uninitialized(dense[3].shape, dtype)
        )
        let dweight = try Tensor.uninitialized([sizes.batch] + dense[4].shape, dtype)
        let state = sizes.keys * sizes.values * sizes.size
        let chunks = dense[6].shape[2]
        parallelFor(sizes.batch * sizes.heads, work: sizes.work) { index in
            let at = sizes.offsets(index)
            rk_matrix_state_gradient(
                sizes.type, isLinear, sizes.time, sizes.keys, sizes.values, sizes.heads, sizes.queryHeads * sizes.keys,
                sizes.keyHeads * sizes.keys, Self.chunk, dense[0].bytes + at.q, dense[1].bytes + at.k,
                dense[2].bytes + at.v, dense[3].bytes + at.f, dense[4].bytes + at.weight,
                dense[5].bytes + index * state, dense[6].bytes + index * chunks * state, dy.map { $0.bytes + at.v },
                dstate.mutableBytes + index * state, dq.mutableBytes + at.key, dk.mutableBytes + at.key,
                dv.mutableBytes + at.v, df.mutableBytes + at.f,
                dweight.mutableBytes + index * sizes.values * sizes.values * sizes.size)
        }
        return [
            try Self.gathered(dq, sizes.queryHeads), try Self.gathered(dk, sizes.keyHeads), dv, df,
            try dweight.sum([0]), dstate,
        ]
    }

    /// Every head as often as heads share it.
    private static func repeated(_ x: Tensor, _ heads: Int) throws -> Tensor {
        guard x.shape[2] != heads else { return x }
        let shape = x.shape
        return try x.expanded(at: 3).broadcast(to: [shape[0], shape[1], shape[2], heads / shape[2], shape[3]])
            .reshaped([shape[0], shape[1], heads, shape[3]])
    }

    /// The transpose of repeating.
    private static func gathered(_ x: Tensor, _ heads: Int) throws -> Tensor {
        guard x.shape[2] != heads else { return x }
        return try x.reshaped([x.shape[0], x.shape[1], heads, x.shape[2] / heads, x.shape[3]]).sum([3])
    }

    /// Extents, and where the data of one head begin.
    private struct Sizes {
        let type: rk_type
        let (batch, time, heads, queryHeads, keyHeads, keys, values, size): (Int, Int, Int, Int, Int, Int, Int, Int)

        init(_ inputs: [Tensor]) throws {
            let (q, k, v) = (inputs[0].shape, inputs[1].shape, inputs[2].shape)
            type = try inputs[0].dtype.kernelType(MatrixStateCell.name)
            (batch, time, heads, values) = (v[0], v[1], v[2], v[3])
            (queryHeads, keyHeads, keys, size) = (q[2], k[2], k[3], inputs[0].dtype.byteCount)
        }

        /// About how many vectors a head of a sequence multiplies.
        ///
        /// A position of few heads is done before another thread would be awake.
        var work: Int { time * keys * values * values / 8 }

        /// Byte offsets of a head of a sequence; `key`: in an array [batch, time, N, K].
        func offsets(_ index: Int) -> (q: Int, k: Int, v: Int, f: Int, weight: Int, key: Int) {
            let (b, head) = index.quotientAndRemainder(dividingBy: heads)
            func at(_ count: Int, _ head: Int, _ width: Int) -> Int { (b * time * count + head) * width * size }
            return (
                at(queryHeads, head / (heads / queryHeads), keys), at(keyHeads, head / (heads / keyHeads), keys),
                at(heads, head, values), at(heads, head, 1), head * values * values * size, at(heads, head, keys)
            )
        }
    }
}

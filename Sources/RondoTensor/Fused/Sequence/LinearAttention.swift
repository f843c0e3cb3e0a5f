/// Linear attention with decay: a state matrix S `[K, V]` for every sequence and head.
///
///     S_t = Diag(exp(g_t)) S_{t-1} + k_t v_tᵀ        o_t = S_tᵀ q_t
///
/// This is the core of RetNet (a constant scalar decay), Mamba-2 and mLSTM (a scalar one that depends on the input),
/// GLA and HGRN2 (one for each channel of k), and with a bonus u for the current position of RWKV-6, which reads the
/// state before its decay: o_t = (S_{t-1} + Diag(u) k_t v_tᵀ)ᵀ q_t. No scale is applied to q.
///
/// Inputs, in this order:
/// - q and k `[batch, time, G, K]`, for G groups of heads: head h reads group h / (H / G);
/// - v `[batch, time, H, V]`;
/// - the state before the first position, `[batch, H, K, V]`;
/// - the logarithm of the decay, g ≤ 0, unless ``decay`` is ``Decay/none``: `[batch, time, H]` for ``Decay/scalar``,
///   `[batch, time, G, K]` for ``Decay/vector``. Any magnitude will do: exp(g) = 0 forgets everything.
/// - u `[H, K]` if ``hasBonus``.
///
/// Outputs: o `[batch, time, H, V]`, and the state after the last position.
///
/// Long sequences are computed in chunks by matrix products (Yang et al., *Gated Linear Attention Transformers with
/// Hardware-Efficient Training*, 2024, section 4), in which exponentials of positive numbers never occur.
public struct LinearAttention: FusedOperation {
    /// How the state decays.
    public enum Decay: String, Sendable, CaseIterable, Codable {
        /// Not at all: plain linear attention.
        case none
        /// By one factor for each head and position.
        case scalar
        /// By a factor of its own for each row of the state, which is a channel of k.
        case vector
    }

    /// The name in error messages.
    public static let name = "linearAttention"

    /// How the state decays; whether there is an input g.
    public let decay: Decay
    /// Whether the current position is weighted with an input u and read before the decay.
    public let hasBonus: Bool
    /// Whether the backward pass may run; if not, nothing is kept for it.
    public let keepsIntermediates: Bool

    /// Creates the operation.
    ///
    /// - Parameters:
    ///   - decay: how the state decays.
    ///   - hasBonus: whether the current position is weighted with u; needs a vector decay.
    ///   - keepsIntermediates: `false` saves memory where no derivative will be asked for.
    public init(decay: Decay = .none, hasBonus: Bool = false, keepsIntermediates: Bool = true) {
        self.decay = decay
        self.hasBonus = hasBonus
        self.keepsIntermediates = keepsIntermediates
    }

    /// The inputs by name.
    struct Operands {
        var q: Tensor
        var k: Tensor
        var v: Tensor
        var state: Tensor
        var g: Tensor?
        var bonus: Tensor?
    }

    /// The extents of an operation.
    struct Extents: Equatable {
        var batch: Int
        var time: Int
        var groups: Int
        var heads: Int
        var key: Int
        var value: Int
    }

    func operands(_ inputs: [Tensor]) -> Operands {
        Operands(
            q: inputs[0], k: inputs[1], v: inputs[2], state: inputs[3], g: decay == .none ? nil : inputs[4],
            bonus: hasBonus ? inputs[inputs.count - 1] : nil)
    }

    static func extents(_ q: Tensor, _ v: Tensor) -> Extents {
        Extents(
            batch: q.shape[0], time: q.shape[1], groups: q.shape[2], heads: v.shape[2], key: q.shape[3],
            value: v.shape[3])
    }

    /// Refuses inputs that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard !hasBonus || decay == .vector else {
            throw RondoError(.invalidArgument, "linearAttention: a bonus needs a vector decay, not \(decay.rawValue)")
        }
        let count = 4 + (decay == .none ? 0 : 1) + (hasBonus ? 1 : 0)
        guard inputs.count == count, shapesFit(inputs) else {
            let g = [Decay.none: "", .scalar: ", g [batch, time, H]", .vector: ", g [batch, time, G, K]"][decay] ?? ""
            throw RondoError(
                .shapeMismatch,
                "linearAttention: needs q and k [batch, time, G, K], v [batch, time, H, V], "
                    + "a state [batch, H, K, V]\(g)\(hasBonus ? ", u [H, K]" : "") with G dividing H; "
                    + "got \(inputs.map(\.shape))")
        }
        guard inputs.allSatisfy({ $0.dtype == inputs[0].dtype }) else {
            throw RondoError(
                .dtypeMismatch,
                "linearAttention: needs operands of one type; got \(inputs.map(\.dtype.rawValue)); cast them")
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    private func shapesFit(_ inputs: [Tensor]) -> Bool {
        guard inputs[0].rank == 4, inputs[2].rank == 4 else { return false }
        let all = operands(inputs)
        let size = Self.extents(all.q, all.v)
        let decays = decay == .scalar ? [size.batch, size.time, size.heads] : all.q.shape
        return size.groups > 0 && size.heads > 0 && size.heads % size.groups == 0 && size.key > 0 && size.value > 0
            && all.k.shape == all.q.shape && Shape(all.v.shape.prefix(2)) == [size.batch, size.time]
            && all.state.shape == [size.batch, size.heads, size.key, size.value]
            && all.g.map { $0.shape == decays } ?? true && all.bonus.map { $0.shape == [size.heads, size.key] } ?? true
    }

    /// The equations, position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let all = operands(inputs)
        let size = Self.extents(all.q, all.v)
        let (q, k) = (try perHead(all.q, size), try perHead(all.k, size))
        let factors = try all.g.map { g in
            try (decay == .scalar ? g.expanded(at: 3) : perHead(g, size)).exp().expanded(at: 4)
        }
        let u = try all.bonus?.expanded(at: 2)
        var state = all.state
        var outputs: [Tensor] = []
        for t in 0..<size.time {
            let write = try k.selecting(1, t).expanded(at: 3) * all.v.selecting(1, t).expanded(at: 2)
            let kept = try factors.map { try $0.selecting(1, t) * state } ?? state
            let next = try kept + write
            let seen = try u.map { try state + $0 * write } ?? next
            outputs.append(try (seen * q.selecting(1, t).expanded(at: 3)).sum([2]))
            state = next
        }
        let output =
            try outputs.isEmpty ? Tensor.zeros(all.v.shape, dtype: all.v.dtype) : Tensor.stack(outputs, axis: 1)
        return [output, state]
    }

    /// `[batch, time, G, K]` repeated for the heads of each group, `[batch, time, H, K]`.
    private func perHead(_ x: Tensor, _ size: Extents) throws -> Tensor {
        let repeated: Shape = [size.batch, size.time, size.groups, size.heads / size.groups, size.key]
        return try x.expanded(at: 3).broadcast(to: repeated)
            .reshaped([size.batch, size.time, size.heads, size.key])
    }
}

import RondoTensor

/// The equations of linear attention, one position at a time: what the references of its mixers share.
enum LinearAttentionEquations {
    /// Advances S `[batch, H, K, V]` by one position and reads it.
    ///
    /// - Parameters:
    ///   - q: `[batch, H, K]`.
    ///   - k: `[batch, H, K]`.
    ///   - v: `[batch, H, V]`.
    ///   - decay: what S is multiplied by, `[batch, H, K or 1]`, if it decays.
    ///   - bonus: the weight of the present position, `[H, K]`; then S is read before its decay.
    ///   - state: S before; becomes S after.
    /// - Returns: `[batch, H, V]`.
    /// - Throws: `RondoError` when shapes do not fit.
    static func step(
        q: Tensor, k: Tensor, v: Tensor, decay: Tensor? = nil, bonus: Tensor? = nil, state: inout Tensor
    ) throws -> Tensor {
        let outer = try k.expanded(at: 3) * v.expanded(at: 2)
        let before = state
        state = try decay.map { try $0.expanded(at: 3) * before + outer } ?? before + outer
        let read = try bonus.map { try before + $0.expanded(at: 2) * outer } ?? state
        return try (read * q.expanded(at: 3)).sum([2])
    }
}

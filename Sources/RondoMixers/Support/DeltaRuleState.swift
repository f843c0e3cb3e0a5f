import RondoTensor

/// The equations of the delta rule, one position at a time: what the references of its mixers share.
enum DeltaRuleEquations {
    /// Advances S `[batch, H, K, V]`: S = decay (I - β k kᵀ) S⁻ + β k vᵀ.
    ///
    /// - Parameters:
    ///   - k: `[batch, H, K]`.
    ///   - v: `[batch, H, V]`.
    ///   - beta: `[batch, H]`.
    ///   - decay: `[batch, H]`, if S decays.
    ///   - state: S before; becomes S after.
    /// - Throws: `RondoError` when shapes do not fit.
    static func update(k: Tensor, v: Tensor, beta: Tensor, decay: Tensor? = nil, state: inout Tensor) throws {
        let key = try k.expanded(at: 3)
        let read = try (state * key).sum([2])
        let kept = try state - key * (read * beta.expanded(at: 2)).expanded(at: 2)
        let added = try key * (v * beta.expanded(at: 2)).expanded(at: 2)
        state = try decay.map { try kept * $0.expanded(at: 2).expanded(at: 3) + added } ?? kept + added
    }

    /// Sᵀ q: `[batch, H, V]`.
    static func read(_ q: Tensor, _ state: Tensor) throws -> Tensor { try (state * q.expanded(at: 3)).sum([2]) }
}

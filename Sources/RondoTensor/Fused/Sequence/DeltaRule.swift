internal import CRondoKernels

/// The delta rule with decay: a matrix state S `[K, V]` for each head, whose transition is diagonal plus rank one.
///
/// Two forms (vᵀ transposes; every product within one head):
/// - ``Form/delta``: Sₜ = e^{gₜ} (I - βₜ kₜ kₜᵀ) Sₜ₋₁ + βₜ kₜ vₜᵀ. Inputs: q, k `[batch, time, H, K]`,
///   v `[batch, time, H, V]`, beta `[batch, time, H]`, state `[batch, H, K, V]`, and optionally the log decay
///   g `[batch, time, H]`, at most 0. DeltaNet without g (Schlag et al., 2021; Yang et al., 2024), Gated DeltaNet with
///   it (Yang et al., 2025); keys of norm 1 and β in 0...2 allow negative eigenvalues (Grazzi et al., 2025).
///   DeltaProduct is the same with several positions a token.
/// - ``Form/general``: Sₜ = Diag(e^{gₜ}) Sₜ₋₁ + aₜ (bₜᵀ Sₜ₋₁) + kₜ vₜᵀ. Inputs: q, k, v, a, b, g, state, with a, b and
///   g `[batch, time, H, K]` (RWKV-7: Peng et al., 2025).
///
/// Outputs: o `[batch, time, H, V]` with oₜ = Sₜᵀ qₜ, and the state after the last position. Decays are multiplied
/// position by position, so a log decay of -10,000 or -∞ is an exact reset; one above 0 is not refused.
public struct DeltaRule: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "deltaRule"

    /// What kind of transition the state has.
    public enum Form: String, Sendable, Codable, CaseIterable {
        /// e^g (I - β k kᵀ).
        case delta
        /// Diag(e^g) + a bᵀ.
        case general
    }

    /// The transition.
    public var form: Form
    /// Whether the backward pass will run; if not, nothing is kept for it.
    public var keepsIntermediates: Bool

    /// Creates the operation.
    ///
    /// - Parameters:
    ///   - form: the transition.
    ///   - keepsIntermediates: whether the backward pass will run.
    public init(_ form: Form, keepsIntermediates: Bool = true) {
        self.form = form
        self.keepsIntermediates = keepsIntermediates
    }

    /// Runs a sequence through ``Form/delta``.
    ///
    /// - Parameters:
    ///   - q: queries, `[batch, time, H, K]`.
    ///   - k: keys, like q.
    ///   - v: values, `[batch, time, H, V]`.
    ///   - beta: how much of the old value under a key the new one replaces, `[batch, time, H]`.
    ///   - logDecay: g, like beta; `nil`: no decay.
    ///   - state: S before the first position, `[batch, H, K, V]`.
    /// - Returns: o `[batch, time, H, V]`, and S after the last position.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public static func delta(
        q: Tensor, k: Tensor, v: Tensor, beta: Tensor, logDecay: Tensor? = nil, state: Tensor
    ) throws -> (output: Tensor, state: Tensor) {
        try run(.delta, [q, k, v, beta, state] + (logDecay.map { [$0] } ?? []))
    }

    /// Runs a sequence through ``Form/general``.
    ///
    /// - Parameters:
    ///   - q: queries, `[batch, time, H, K]`.
    ///   - k: keys, like q.
    ///   - v: values, `[batch, time, H, V]`.
    ///   - a: where what b reads is written, like q.
    ///   - b: what is read from the state before, like q.
    ///   - logDecay: g, like q.
    ///   - state: S before the first position, `[batch, H, K, V]`.
    /// - Returns: o `[batch, time, H, V]`, and S after the last position.
    /// - Throws: ``RondoError`` when shapes or types do not fit.
    public static func general(
        q: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor, logDecay: Tensor, state: Tensor
    ) throws -> (output: Tensor, state: Tensor) {
        try run(.general, [q, k, v, a, b, logDecay, state])
    }

    private static func run(_ form: Form, _ inputs: [Tensor]) throws -> (output: Tensor, state: Tensor) {
        let operation = DeltaRule(form, keepsIntermediates: inputs.contains(where: \.requiresGradient))
        let outputs = try operation(inputs)
        return (outputs[0], outputs[1])
    }

    /// The operands by name.
    struct Operands {
        var q: Tensor
        var k: Tensor
        var v: Tensor
        var beta: Tensor?
        var a: Tensor?
        var b: Tensor?
        var g: Tensor?
        var state: Tensor

        var batch: Int { q.shape[0] }
        var time: Int { q.shape[1] }
        var heads: Int { q.shape[2] }
        var keys: Int { q.shape[3] }
        var values: Int { v.shape[3] }
    }

    /// The inputs by name; their number has been checked.
    func operands(_ inputs: [Tensor]) -> Operands {
        switch form {
        case .delta:
            Operands(
                q: inputs[0], k: inputs[1], v: inputs[2], beta: inputs[3], g: inputs.count > 5 ? inputs[5] : nil,
                state: inputs[4])
        case .general:
            Operands(
                q: inputs[0], k: inputs[1], v: inputs[2], a: inputs[3], b: inputs[4], g: inputs[5], state: inputs[6])
        }
    }

    /// Refuses shapes and types that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        let counts = form == .delta ? 5...6 : 7...7
        guard counts.contains(inputs.count) else {
            let list = form == .delta ? "q, k, v, beta, state and optionally g" : "q, k, v, a, b, g and state"
            throw RondoError(.invalidArgument, "deltaRule: \(form.rawValue) takes \(list); got \(inputs.count) inputs")
        }
        try validate(operands(inputs))
    }

    /// Refuses operands whose shapes do not fit.
    func validate(_ all: Operands) throws {
        guard all.q.rank == 4, all.v.rank == 4, all.keys >= 1, all.values >= 1 else {
            throw RondoError(
                .shapeMismatch,
                "deltaRule: needs q [batch, time, heads, keys] and v [batch, time, heads, values]; got \(all.q.shape) "
                    + "and \(all.v.shape)")
        }
        func require(_ name: String, _ tensor: Tensor?, _ shape: Shape) throws {
            guard let tensor, tensor.shape != shape || tensor.dtype != all.q.dtype else { return }
            throw RondoError(
                tensor.shape == shape ? .dtypeMismatch : .shapeMismatch,
                "deltaRule: with q \(all.q.shape) \(all.q.dtype.rawValue) and v \(all.v.shape), \(name) needs shape "
                    + "\(shape) and the same type; got \(tensor.shape) \(tensor.dtype.rawValue)")
        }
        let rows = Shape(all.batch, all.time, all.heads)
        try require("k", all.k, all.q.shape)
        try require("v", all.v, Shape(all.batch, all.time, all.heads, all.values))
        try require("beta", all.beta, rows)
        try require("a", all.a, all.q.shape)
        try require("b", all.b, all.q.shape)
        try require("g", all.g, form == .delta ? rows : all.q.shape)
        try require("state", all.state, Shape(all.batch, all.heads, all.keys, all.values))
        _ = try all.q.dtype.kernelType(Self.name)
    }

    /// The definition, one position after the other.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let all = operands(inputs)
        var state = all.state
        var outputs: [Tensor] = []
        for t in 0..<all.time {
            func row(_ x: Tensor) throws -> Tensor { try x.selecting(1, t).expanded(at: 2) }
            func column(_ x: Tensor) throws -> Tensor { try x.selecting(1, t).expanded(at: 3) }
            func scalar(_ x: Tensor) throws -> Tensor { try row(x).expanded(at: 3) }
            if let a = all.a, let b = all.b, let g = all.g {
                let read = try row(b).matmul(state)
                state = try column(g).exp() * state + column(a) * read + column(all.k) * row(all.v)
            } else if let beta = all.beta {
                if let g = all.g { state = try scalar(g).exp() * state }
                let error = try row(all.v) - row(all.k).matmul(state)
                state = try state + column(all.k) * (scalar(beta) * error)
            }
            outputs.append(try row(all.q).matmul(state))
        }
        guard !outputs.isEmpty else { return [try Tensor.zeros(all.v.shape, dtype: all.v.dtype), state] }
        return [try Tensor.concatenate(outputs, axis: 2).transposed(1, 2), state]
    }
}

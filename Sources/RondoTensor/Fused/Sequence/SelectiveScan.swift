/// The selective scan of Mamba (S6): a diagonal linear recurrence whose step size, input and output vectors depend on
/// the position.
///
/// ```
/// hₜ[d, n] = exp(dtₜ[d] A[d, n]) hₜ₋₁[d, n] + dtₜ[d] Bₜ[n] xₜ[d]
/// yₜ[d]    = Σₙ Cₜ[n] hₜ[d, n] + D[d] xₜ[d]
/// ```
///
/// With symmetric eigenvalues the decay exp(dt A) in (0, 1] becomes 2 exp(dt A) - 1 in (-1, 1], and nothing else changes
/// (Grazzi et al., "Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues", 2024).
///
/// Inputs: x and dt `[batch, time, channels]` (dt positive, after its softplus), A `[channels, N]` (negative),
/// B and C `[batch, time, N]`, D `[channels]`, and the state before, `[batch, channels, N]`. Outputs: y
/// `[batch, time, channels]`, and the state after.
///
/// Source: Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces" (2023), algorithm 2, with
/// the simplified discretization B̄ = dt B of its section 3.6.
public struct SelectiveScan: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "selectiveScan"

    /// Whether the decay is 2 exp(dt A) - 1 instead of exp(dt A).
    public var isSymmetric: Bool

    /// Creates the operation.
    public init(isSymmetric: Bool = false) { self.isSymmetric = isSymmetric }

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 7, inputs[0].rank == 3, inputs[2].rank == 2,
            inputs.map(\.shape) == SelectiveScanOperands.shapes(x: inputs[0].shape, states: inputs[2].shape[1]),
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            throw RondoError(
                .shapeMismatch,
                "selectiveScan: needs x and dt [batch, time, channels], A [channels, N], B and C [batch, time, N], "
                    + "D [channels] and a state [batch, channels, N] of one type; got \(inputs.map(\.shape)) of "
                    + "\(inputs.map(\.dtype.rawValue))")
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// The equations, position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let all = SelectiveScanOperands(inputs)
        var state = all.state
        var outputs: [Tensor] = []
        for t in 0..<all.x.shape[1] {
            let (x, dt) = (try all.x.selecting(1, t), try all.dt.selecting(1, t))
            let positive = try (dt.expanded(at: 2) * all.a).exp()
            let decay = isSymmetric ? try positive * 2 - 1 : positive
            state = try decay * state + (dt * x).expanded(at: 2) * all.b.selecting(1, t).expanded(at: 1)
            outputs.append(try (state * all.c.selecting(1, t).expanded(at: 1)).sum([2]) + all.d * x)
        }
        let y = try outputs.isEmpty ? Tensor.zeros(all.x.shape, dtype: all.x.dtype) : Tensor.stack(outputs, axis: 1)
        return [y, state]
    }
}

/// The inputs of ``SelectiveScan`` by name.
struct SelectiveScanOperands {
    var x: Tensor
    var dt: Tensor
    var a: Tensor
    var b: Tensor
    var c: Tensor
    var d: Tensor
    var state: Tensor

    init(_ inputs: [Tensor]) {
        (x, dt, a, b) = (inputs[0], inputs[1], inputs[2], inputs[3])
        (c, d, state) = (inputs[4], inputs[5], inputs[6])
    }

    /// What the shapes must be, for x `[batch, time, channels]` and N states a channel.
    static func shapes(x: Shape, states: Int) -> [Shape] {
        let (batch, time, channels) = (x[0], x[1], x[2])
        return [
            x, x, [channels, states], [batch, time, states], [batch, time, states], [channels],
            [batch, channels, states],
        ]
    }
}

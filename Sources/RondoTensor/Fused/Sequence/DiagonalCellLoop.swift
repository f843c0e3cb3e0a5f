internal import CRondoKernels

/// A recurrent layer whose recurrent matrices are diagonal, over time (Danieli et al., "ParaRNN", 2025).
///
/// Inputs: the projected gates with their bias, `[batch, time, 3, channels]`; the recurrent weights A `[3, channels]`;
/// for the LSTM its peepholes C `[2, channels]`; and the states before, `[batch, channels]` each (h; for the LSTM h and
/// c). Outputs: the hidden states `[batch, time, channels]` and the states after. Every channel is a recurrence of its
/// own, so the sequential kernel computes channels side by side; with `newton` all positions are computed side by side.
public struct DiagonalCellLoop: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "diagonalCellLoop"

    /// The cells, ⊙ left out: every product is elementwise.
    public enum Cell: String, Sendable, Codable, CaseIterable {
        /// z = σ(A_z h + u_z), r = σ(A_r h + u_r), c = tanh(A_c h r + u_c), h' = (1 - z) h + z c; rows z, r, c.
        case gru = "para_gru"
        /// f = σ(A_f h + u_f + C_f c), k = tanh(A_c h + u_c), c' = f c + (1 - f) k, o = σ(A_o h + u_o + C_o c'),
        /// h' = o tanh(c'); rows f, o, c of the gates and f, o of the peepholes.
        case lstm = "para_lstm"

        /// The states' vectors: h, and c of the LSTM.
        public var stateCount: Int { self == .gru ? 1 : 2 }
    }

    /// The cell.
    public let cell: Cell
    /// Solves for all positions at once instead of one after the other; the results agree to rounding.
    public let newton: NewtonRecurrence?

    /// Creates the operation.
    public init(_ cell: Cell, newton: NewtonRecurrence? = nil) {
        self.cell = cell
        self.newton = newton
    }

    /// The operands by name.
    struct Operands {
        var projection: Tensor
        var weights: Tensor
        var peepholes: Tensor?
        var states: [Tensor]

        init(_ cell: Cell, _ inputs: [Tensor]) {
            (projection, weights) = (inputs[0], inputs[1])
            peepholes = cell == .lstm ? inputs[2] : nil
            states = Array(inputs.suffix(cell.stateCount))
        }
    }

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        let lstm = cell == .lstm
        guard inputs.count == (lstm ? 5 : 3), case let shape = inputs[0].shape, shape.count == 4, shape[2] == 3,
            inputs[1].shape == [3, shape[3]], !lstm || inputs[2].shape == [2, shape[3]],
            inputs.suffix(cell.stateCount).allSatisfy({ $0.shape == [shape[0], shape[3]] }),
            inputs.allSatisfy({ $0.dtype == inputs[0].dtype })
        else {
            let extra = lstm ? ", peepholes [2, channels]" : ""
            throw RondoError(
                .shapeMismatch,
                "\(Self.name): needs gates [batch, time, 3, channels], weights [3, channels]\(extra) and \(cell.stateCount) states [batch, channels] of one type; got \(inputs.map(\.shape))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// The equations, position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        let all = Operands(cell, inputs)
        let (time, channels) = (all.projection.shape[1], all.projection.shape[3])
        let a = try (0..<3).map { try all.weights.selecting(0, $0) }
        let p = try all.peepholes.map { p in try (0..<2).map { try p.selecting(0, $0) } } ?? []
        var states = all.states
        var outputs: [Tensor] = []
        for t in 0..<time {
            let row = try all.projection.selecting(1, t)
            let u = try (0..<3).map { try row.selecting(1, $0) }
            states = try cell == .gru ? Self.gruStep(u, a, states) : Self.lstmStep(u, a, p, states)
            outputs.append(states[0])
        }
        let empty: Shape = [all.projection.shape[0], 0, channels]
        let hidden = try time > 0 ? Tensor.stack(outputs, axis: 1) : Tensor.zeros(empty, dtype: all.projection.dtype)
        return [hidden] + states
    }

    private static func gruStep(_ u: [Tensor], _ a: [Tensor], _ states: [Tensor]) throws -> [Tensor] {
        let h = states[0]
        let z = try (a[0] * h + u[0]).sigmoid()
        let r = try (a[1] * h + u[1]).sigmoid()
        let c = try (a[2] * h * r + u[2]).tanh()
        return [try (1 - z) * h + z * c]
    }

    private static func lstmStep(
        _ u: [Tensor], _ a: [Tensor], _ p: [Tensor], _ states: [Tensor]
    ) throws -> [Tensor] {
        let (h, c) = (states[0], states[1])
        let f = try (a[0] * h + u[0] + p[0] * c).sigmoid()
        let candidate = try (a[2] * h + u[2]).tanh()
        let cell = try f * c + (1 - f) * candidate
        let o = try (a[1] * h + u[1] + p[1] * cell).sigmoid()
        return [try o * cell.tanh(), cell]
    }
}

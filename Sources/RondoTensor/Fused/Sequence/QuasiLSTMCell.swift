internal import CRondoKernels

/// The cell of the quasi-LSTM, whose gates see the input alone (Stanić et al., The Languini Kitchen, 2023).
///
/// c' = σ(f + b) c + σ(i) tanh(z), h' = σ(o) tanh(c'). Inputs: the gates before their functions, `[batch, time, 4, channels]`
/// in the order f, i, z, o, and the cell before, `[batch, channels]`. Outputs: h over time, `[batch, time, channels]`,
/// and the cell after. Only the cells are kept for the derivative; the gates are computed again.
public struct QuasiLSTMCell: CPUFusedOperation {
    /// The name in error messages.
    public static let name = "quasiLSTMCell"

    /// b, added to what the forget gate reads.
    public let forgetBias: Double

    /// Creates the operation.
    public init(forgetBias: Double = 0) { self.forgetBias = forgetBias }

    /// Refuses shapes that do not fit.
    public func validate(_ inputs: [Tensor]) throws {
        guard inputs.count == 2, case let shape = inputs[0].shape, shape.count == 4, shape[2] == 4,
            inputs[1].shape == [shape[0], shape[3]], inputs[1].dtype == inputs[0].dtype
        else {
            throw RondoError(
                .shapeMismatch,
                "\(Self.name): needs gates [batch, time, 4, channels] and a cell [batch, channels] of one type; got \(inputs.map(\.shape)) of \(inputs.map(\.dtype.rawValue))"
            )
        }
        _ = try inputs[0].dtype.kernelType(Self.name)
    }

    /// The equations, position by position.
    public func reference(_ inputs: [Tensor]) throws -> [Tensor] {
        var cell = inputs[1]
        var outputs: [Tensor] = []
        for t in 0..<inputs[0].shape[1] {
            let row = try inputs[0].selecting(1, t)
            let gates = try (0..<4).map { try row.selecting(1, $0) }
            cell = try (gates[0] + forgetBias).sigmoid() * cell + gates[1].sigmoid() * gates[2].tanh()
            outputs.append(try gates[3].sigmoid() * cell.tanh())
        }
        let empty: Shape = [cell.shape[0], 0, cell.shape[1]]
        return [try outputs.isEmpty ? Tensor.zeros(empty, dtype: cell.dtype) : Tensor.stack(outputs, axis: 1), cell]
    }

    /// Sequences and blocks of channels side by side.
    public func forward(_ inputs: [Tensor]) throws -> FusedResult {
        let (gates, initial) = (try inputs[0].dense(), try inputs[1].dense())
        let type = try gates.dtype.kernelType(Self.name)
        let (batch, time, channels) = (gates.shape[0], gates.shape[1], gates.shape[3])
        let hidden = try Tensor.uninitialized([batch, time, channels], gates.dtype)
        let cells = try Tensor.uninitialized([batch, time, channels], gates.dtype)
        let final = try Tensor.uninitialized([batch, channels], gates.dtype)
        let row = channels * gates.dtype.byteCount
        ElementwiseRecurrence.forEachBlock(batch, channels, time: time) { b, first, last in
            let start = b * time * row
            rk_quasi_lstm(
                type, time, channels, first, last, forgetBias, gates.bytes + 4 * start, initial.bytes + b * row,
                hidden.mutableBytes + start, cells.mutableBytes + start, final.mutableBytes + b * row)
        }
        return FusedResult(outputs: [hidden, final], saved: [gates, initial, cells], retained: [])
    }

    /// From cotangents of all outputs and the last cell, backwards in time.
    public func backward(_ context: FusedContext, _ cotangents: [Tensor?]) throws -> [Tensor?] {
        let (gates, initial, cells) = (context.saved[0], context.saved[1], context.saved[2])
        let type = try gates.dtype.kernelType(Self.name)
        let (batch, time, channels) = (gates.shape[0], gates.shape[1], gates.shape[3])
        let g = try cotangents[0]?.dense()
        let carry = try ElementwiseRecurrence.cotangent(cotangents[1], like: initial.shape, gates.dtype)
        let dgates = try Tensor.uninitialized(gates.shape, gates.dtype)
        let row = channels * gates.dtype.byteCount
        ElementwiseRecurrence.forEachBlock(batch, channels, time: time) { b, first, last in
            let start = b * time * row
            rk_quasi_lstm_gradient(
                type, time, channels, first, last, forgetBias, gates.bytes + 4 * start, initial.bytes + b * row,
                cells.bytes + start, g.map { $0.bytes + start }, carry.mutableBytes + b * row,
                dgates.mutableBytes + 4 * start)
        }
        withExtendedLifetime((gates, initial, cells, g)) {}
        return [dgates, carry]
    }
}
